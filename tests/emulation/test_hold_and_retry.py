"""The scenario hold-and-retry on the real thing."""

from __future__ import annotations

from tests.emulation.conftest import BROKEN, Run

SMALL = ("--set", "ports=32", "--set", "clients=4")
"""The scenario forgives a tenth of the attempts: of fewer, one stall of a busy machine would spoil more."""


def test_holding_and_dropping_stand_side_by_side(run: Run) -> None:
    """Where the NAT holds, half are held and no client sends again. Where it drops, clients do."""
    finished = run("run", "hold-and-retry", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert sum(finished.result["outcomes"].values()) == 128
    hold, drop = (finished.result["series"]["hold_and_retry"][policy] for policy in ("hold", "drop"))
    assert hold["held"] >= 26
    assert drop["held"] <= 6
    assert drop["retransmissions"] > hold["retransmissions"]
    assert drop["longest_wait_s"] > hold["longest_wait_s"]


def test_a_nat_that_cannot_hold_is_tried_by_itself(run: Run) -> None:
    """Linux drops: its clients try again."""
    finished = run("run", "hold-and-retry", *SMALL, "--gateway", "netfilter", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["series"]["hold_and_retry"].keys() == {"drop"}
    assert finished.result["series"]["hold_and_retry"]["drop"]["retransmissions"] > 0


def test_a_nat_whose_hold_never_resumes_is_found_out(run: Run) -> None:
    """Mutation: what is held is let go at once."""
    finished = run("run", "hold-and-retry", *SMALL, "--gateway", f"{BROKEN}:Forgiving", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("clients that sent again where the NAT holds")["ok"]
    assert not finished.check("were not held and then let through")["ok"]


def test_a_nat_with_more_ports_than_declared_is_found_out_under_drop(run: Run) -> None:
    """Mutation: twice the ports, so no client has to send again."""
    sets = (*SMALL, "--set", "on_exhaustion=drop")
    finished = run("run", "hold-and-retry", *sets, "--gateway", f"{BROKEN}:Brisk", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("clients that sent again where the NAT drops")["ok"]
