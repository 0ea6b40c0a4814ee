"""What `lastport doctor` advises where something is lacking."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.run import doctor
from testbed.run.doctor import findings

REFUSED = "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n"


@pytest.mark.parametrize(
    ("user", "advice"), [(0, "--privileged"), (1000, "run it as root")], ids=["root", "other"]
)
def test_where_no_namespace_can_be_made_linux_nat_lacks_no_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, advice: str
) -> None:
    """The rules were never tried, so the advice is about namespaces."""
    for program in ("unshare", "nft"):
        (tmp_path / program).write_text(REFUSED)
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: user)

    (found,) = (finding for finding in findings() if finding.name == "netfilter")
    assert not found.ok
    assert advice in found.advice
    assert "modprobe" not in found.advice


def test_what_puts_links_under_conditions_is_named() -> None:
    """Whether the kernel or a process of ours does, every scenario can run."""
    found = doctor.links()

    assert (found.name, found.required) == ("links", False)
    assert found.found.startswith("netem and tbf of the kernel" if found.ok else "a process of ours in place of ")
    assert found.ok or "modprobe" in found.advice


def test_a_setting_of_the_machine_that_is_too_low_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lab cannot set it, and most labs need no more."""
    monkeypatch.setattr(
        doctor, "OF_THE_MACHINE", {"kernel/pid_max": 1 << 40, "fs/nr_open": 1, "fs/file-max": None}
    )
    pids = Path("/proc/sys/kernel/pid_max").read_text().strip()

    (found,) = (finding for finding in findings() if finding.name == "kernel settings")
    assert (found.ok, found.required, found.found) == (False, False, f"kernel.pid_max is {pids}")
    assert found.advice == f"as root: sysctl -w kernel.pid_max={1 << 40}"
