"""What `lastport doctor` advises where something is lacking."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
