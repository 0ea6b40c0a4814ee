"""Packets in fragments, in a real lab: by real kernels, and by raw frames that no kernel would send."""

from __future__ import annotations

from tests.emulation.conftest import FILES, Run

SCENARIO = str(FILES / "fragments.py")


def test_packets_pass_in_fragments_whatever_their_order(run: Run) -> None:
    """RFC 4787 REQ-14: pings, UDP and TCP, both ways, to the gateway itself, and amid a flood of orphans."""
    finished = run("run", SCENARIO, "--set", "clients=2", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert len(finished.own_checks) == 11
    assert finished.result["counters"]["dropped_fragments"] > 0


def test_without_room_for_fragments_none_passes(run: Run) -> None:
    """The limit is the setting `fragments_limit`, and what it stops is counted."""
    chosen = ["clients=2", "fragments_limit=0", "within=0.2", "datagrams=2"]
    finished = run("run", SCENARIO, *(f"--set={each}" for each in chosen), "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.check("pings of 3,000 bytes that the server")["observed"] == 0
    assert finished.result["counters"]["dropped_fragments"] > 9
