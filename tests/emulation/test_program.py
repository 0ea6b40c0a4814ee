"""Somebody's program as the gateway, in real labs: the example, and what can go wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import SMALL, Run
from tests.support.paths import ROOT

PACKET_NAT = ROOT / "docs" / "examples" / "programs" / "packet_nat.py"
SYMMETRIC = {
    "self.outbound(protocol, (bytes(frame[26:30]), number),": (
        "self.outbound(protocol, (bytes(frame[26:30]), number, bytes(frame[30:34])),"
    ),
    "else mapping.inside\n": "else mapping.inside[:2]\n",
}
"""What makes a NAT of the example that has a mapping for each destination, by the lines that change."""
ANOTHER_ADDRESS = {
    "address = self.address_of.setdefault(inside[0], EXTERNAL[len(self.address_of) % len(EXTERNAL)])": (
        "address = max(EXTERNAL, key=lambda each: len(self.free[protocol, each]))"
    )
}
"""What makes one of it that spreads a host's mappings over all addresses."""
REUSING = {
    "        if not free:\n            return None\n": (
        "        if not free:\n"
        "            same = [v for k, v in self.by_inside.items() if (k[0], k[1][:2]) == (protocol, inside[:2])]\n"
        "            return same[0] if same else None\n"
    )
}
"""What makes one of that which gives an endpoint's own mapping again when it is full."""
HALF = {'FACTS["last_port"] + 1)': 'FACTS["last_port"] + 1)[::2]'}
"""What takes half of its ports from it."""
BUSY = {
    "    Nat(*sys.argv[1:3]).run()": (
        "    while not all(os.fork() for _ in range(12)):\n        while True:\n            pass\n"
        "    Nat(*sys.argv[1:3]).run()"
    )
}
"""What gives it a dozen children that want the processors."""
KEPT = "UDP flows that another server sees at the same external endpoint"
EXAMPLE = f"python3 {PACKET_NAT} {{inside}} {{outside}}"


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


def changed(folder: Path, lines: dict[str, str]) -> str:
    """Return the command of the example with some of its lines changed."""
    text = PACKET_NAT.read_text()
    for line, other in lines.items():
        assert line in text
        text = text.replace(line, other)
    (folder / "nat.py").write_text(text)
    return f"program=python3 {folder / 'nat.py'} {{inside}} {{outside}}"


@pytest.mark.deep
def test_a_nat_with_a_mapping_for_each_destination_is_red_unless_its_author_says_so(
    run: Run, tmp_path: Path
) -> None:
    """Mutation: endpoint-dependent mapping, where RFC 4787 REQ-1 requires another of every NAT."""
    asked = ("run", "protocols", "--gateway", "program", "--set", changed(tmp_path, SYMMETRIC), "--json")
    finished, promised = run(*asked), run(*asked, "--set", "mapping_type=adm")

    assert finished.status == 1, finished.output + finished.complaints
    assert KEPT in finished.failed
    assert promised.status == 0, promised.output + promised.complaints


@pytest.mark.deep
def test_a_nat_that_maps_otherwise_only_while_ports_are_free_is_red(run: Run, tmp_path: Path) -> None:
    """Mutation: when it is full, it uses a mapping of the same host again."""
    own = changed(tmp_path, {**SYMMETRIC, **REUSING})
    finished = run("run", "protocols", "--gateway", "program", "--set", own, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert KEPT in finished.failed
    (check,) = (check for check in finished.result["checks"] if check["claim"] == KEPT)
    assert (check["expected"], check["observed"]) == (5, 4)


@pytest.mark.deep
def test_a_promise_of_another_mapping_is_checked(run: Run) -> None:
    """The example has one mapping for all destinations, whatever its author says."""
    own = ("--set", f"program={EXAMPLE}", "--set", "mapping_type=edm")
    finished = run("run", "protocols", "--gateway", "program", *own, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.failed == [KEPT]


@pytest.mark.deep
def test_half_a_pool_is_red_in_churn(run: Run, tmp_path: Path) -> None:
    """Mutation: a NAT with half of its ports, which is not taken for one that gives them late."""
    finished = run("run", "churn", "--gateway", "program", "--set", changed(tmp_path, HALF), "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert {"attempts refused at 0.7 times capacity", "share of attempts refused at 1.5 times capacity"} <= {
        *finished.failed
    }


@pytest.mark.deep
def test_a_nat_cannot_hide_behind_processes_of_its_own(run: Run, tmp_path: Path) -> None:
    """Half a pool, and a dozen of processes that do nothing but keep the processors busy."""
    own = changed(tmp_path, {**HALF, **BUSY})
    finished = run("run", "port-exhaustion", "--gateway", "program", "--set", own, "--json")

    assert finished.status == 1, finished.output + finished.complaints


@pytest.mark.deep
def test_a_nat_that_does_not_pool_in_pairs_passes_unless_its_author_says_that_it_does(
    run: Run, tmp_path: Path
) -> None:
    """RFC 4787 REQ-2 recommends it, and nobody has told the program."""
    asked = ("run", "address-pool", "--gateway", "program", "--set", changed(tmp_path, ANOTHER_ADDRESS), "--json")
    finished, promised = run(*asked), run(*asked, "--set", "address_allocation_type=paired")

    assert finished.status == 0, finished.output + finished.complaints
    assert promised.status == 1, promised.output + promised.complaints
    assert "most external addresses of one client" in promised.failed
