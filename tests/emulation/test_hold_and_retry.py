"""The scenario hold-and-retry on the real thing."""

from __future__ import annotations

from tests.emulation.conftest import BROKEN, Run

SMALL = ("--set", "ports=8", "--set", "clients=4")


def test_a_nat_that_holds_lets_the_clients_wait_for_a_moment(run: Run) -> None:
    """All are served, half of them after a hold, and no client sends again."""
    finished = run("run", "hold-and-retry", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["held"] >= 7
    assert sum(finished.result["outcomes"].values()) == 16


def test_a_nat_that_drops_lets_the_clients_try_again(run: Run) -> None:
    """Nobody is held, and who came too early waits for his kernel's retransmission."""
    finished = run("run", "hold-and-retry", *SMALL, "--set", "on_exhaustion=drop", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["series"]["hold_and_retry"]["retransmissions"] > 0


def test_a_nat_whose_hold_never_resumes_is_found_out(run: Run) -> None:
    """Mutation: what is held is let go at once."""
    finished = run("run", "hold-and-retry", *SMALL, "--gateway", f"{BROKEN}:Forgiving", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("the clients sent nothing again")["ok"]
    assert not finished.check("were held, and then let through")["ok"]


def test_a_nat_with_more_ports_than_declared_is_found_out_under_drop(run: Run) -> None:
    """Mutation: twice the ports, so nobody has to send again."""
    sets = (*SMALL, "--set", "on_exhaustion=drop")
    finished = run("run", "hold-and-retry", *sets, "--gateway", f"{BROKEN}:Brisk", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("had to send again")["ok"]
