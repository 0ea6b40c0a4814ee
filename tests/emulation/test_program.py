"""Somebody's program as the gateway, in real labs: the example, and what can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import SMALL, Run
from tests.support.paths import ROOT

EXAMPLE = f"python3 {ROOT / 'docs' / 'examples' / 'programs' / 'packet_nat.py'} {{inside}} {{outside}}"


def test_a_nat_on_two_packet_sockets_passes(run: Run, tmp_path: Path) -> None:
    """The kernel of its namespace resets nothing: else no connection would be established.

    It sees its own interfaces, and no socket by which the switches could be told what to do.
    """
    program = tmp_path / "nat.sh"
    command = EXAMPLE.format(inside="$1", outside="$2")
    looks = "cat $LASTPORT_WIRING /proc/self/status\nls -m /run /run/lastport /sys/class/net\novs-vsctl show"
    program.write_text(f"#!/bin/sh\n{looks}\nexec {command}\n")
    program.chmod(0o755)
    own = ("--set", f"program={program} {{inside}} {{outside}}", "--out", str(tmp_path / "out"))
    finished = run("run", "port-exhaustion", "--gateway", "program", *own, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"] == {**finished.result["outcomes"], "established": 16, "timeout": 8}
    log = Path(finished.result["files"]["log"]).read_text()
    assert '"external": "192.0.2.1"' in log
    assert "CapEff:\t0000000000003400\n" in log
    assert "/run:\nlastport\n\n/run/lastport:\ngateway\n\n/sys/class/net:\ninside1, lo, outside2\n" in log
    assert "db.sock: database connection failed (No such file or directory)" in log


@pytest.mark.deep
def test_a_program_that_ends_is_an_error_with_its_last_words(run: Run, tmp_path: Path) -> None:
    """Whenever it ends."""
    (tmp_path / "nat.py").write_text("raise SystemExit('no such interface')\n")
    own = ("--set", f"program=python3 {tmp_path / 'nat.py'}", *SMALL)
    finished = run("run", "port-exhaustion", "--gateway", "program", *own, "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert f"the program python3 {tmp_path / 'nat.py'} ended with status 1" in finished.result["error"]
    assert "no such interface" in finished.result["last_words"]


@pytest.mark.deep
def test_a_program_that_forwards_nothing_fails_by_what_the_hosts_saw(run: Run) -> None:
    """And the story has the first thing that it lacks."""
    finished = run(
        "run", "port-exhaustion", "--gateway", "program", "--set", "program=sleep 600", *SMALL, "--json"
    )

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 0
    assert "answered no ARP request for 10.0.255.254 at inside1 and 192.0.2.1" in finished.result["story"]


@pytest.mark.deep
@pytest.mark.parametrize(
    "scenario", ["port-exhaustion", "release", "protocols", "fairness", "churn", "address-pool"]
)
def test_the_example_passes(run: Run, scenario: str) -> None:
    """It does what the RFCs ask, in a page of code."""
    finished = run("run", scenario, "--gateway", "program", "--set", f"program={EXAMPLE}", "--json")

    assert finished.status == 0, finished.output + finished.complaints
