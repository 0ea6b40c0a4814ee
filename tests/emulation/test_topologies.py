"""Real labs with more than one gateway or with a next hop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.conftest import Run

TWO_NATS = Path(__file__).parent / "files" / "two_nats.py"


@pytest.mark.parametrize("topology", ["carrier", "multi-address", pytest.param("edge", marks=pytest.mark.deep)])
def test_a_pool_behind_a_next_hop_or_in_front_of_other_nats_runs_out_like_any(run: Run, topology: str) -> None:
    """The carrier's ports run out first, since each home has as many for half of the clients."""
    sizes = ("--set", "ports=16", "--set", "clients=4", "--set", "external_addresses=1")
    finished = run("run", "port-exhaustion", "--topology", topology, *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


def test_a_pool_in_front_of_access_switches_runs_out_like_any(run: Run) -> None:
    """There are two clients behind each of four switches."""
    sizes = ("--set", "ports=16", "--set", "clients=8")
    finished = run("run", "port-exhaustion", "--topology", "campus", *sizes, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


@pytest.mark.parametrize(("scenario", "topology"), [("CarrierRefuses", "carrier"), ("PeersMeet", "two-homes")])
def test_packets_find_their_way_through_two_nats(run: Run, scenario: str, topology: str) -> None:
    """ICMP errors and the datagrams of two peers arrive. The questions are in the scenarios' file."""
    finished = run("run", f"{TWO_NATS}:{scenario}", "--topology", topology, "--json")

    assert finished.status == 0, finished.output + finished.complaints
