"""The scenario eviction in a real lab: which connection a full NAT evicts."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import BROKEN, FILES, Run

SMALL = ("--set", "ports=8", "--set", "clients=2")


@pytest.mark.parametrize(
    ("protocol", "filtering", "heard"),
    [("tcp", "eif", "nothing"), ("udp", "eif", "ECONNREFUSED"), ("udp", "edf", "nothing")],
)
def test_idle_connections_go_and_busy_ones_stay(run: Run, protocol: str, filtering: str, heard: str) -> None:
    """The evicted client gets no error. Its server's datagram is rejected by another host, or filtered."""
    chosen = ("--set", f"protocol={protocol}", "--set", f"filtering_type={filtering}")
    finished = run("run", "eviction", *SMALL, *chosen, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["evicted"] == 3  # and the one that was watched
    assert finished.check("the server's next packet")["observed"] == heard


def test_a_nat_that_evicts_the_busy_is_found_out(run: Run) -> None:
    """Mutation: the policy evicts the most recently used mapping."""
    newest = f"{FILES}/own_strategies.py:EvictMru"
    finished = run(
        "run", "eviction", *SMALL, "--gateway", f"{BROKEN}:Perjured", "--set", f"on_exhaustion={newest}", "--json"
    )

    assert finished.status == 1
    assert not finished.check("busy connections that still carry data")["ok"]
    assert not finished.check("whose ports the new ones have")["ok"]
