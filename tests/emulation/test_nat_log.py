"""The log of a real lab's NAT, and who had a port by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import SMALL, Run

pytestmark = pytest.mark.deep
BLOCKS = ("--set", "log=blocks", "--allocator", "blocks", "--set", "port_set_size=4")


@pytest.mark.parametrize("options", [("--set", "log=mappings"), BLOCKS], ids=["mappings", "blocks"])
def test_the_log_of_a_run_tells_who_had_a_port(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    """At the time of a line about it: the inside host of that line, and nobody else."""
    finished = run("run", "port-exhaustion", *SMALL, *options, "--json", "--out", str(tmp_path / "results"))
    log = Path(finished.result["files"]["nat_log"])
    lines = [line.split() for line in log.read_text().splitlines()]

    assert finished.status == 0, finished.output + finished.complaints
    assert {line[1] for line in lines} <= {"open", "close", "block", "unblock"}
    for at, verb, _, address, ports, subscriber in lines[:3]:
        assert verb in ("open", "block")
        asked = run("who", address, ports.partition("-")[0], at, str(log))
        assert asked.output.startswith(f"{subscriber} had {address}:")
