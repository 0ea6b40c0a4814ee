"""The scenario state-exhaustion on the real thing."""

from __future__ import annotations

from tests.emulation.conftest import BROKEN, Run

SIZES = ("ports=32", "limit_sessions=8", "clients=2", "patience=1.5")
SMALL = [word for size in SIZES for word in ("--set", size)]


def test_the_table_runs_out_first_and_ports_are_left(run: Run) -> None:
    """Eight sessions; the others are refused, and the counters say for want of what."""
    finished = run("run", "state-exhaustion", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 8
    assert finished.result["counters"]["ports_free"] == 24


def test_a_nat_without_the_limit_is_found_out(run: Run) -> None:
    """Mutation: its table has no end."""
    finished = run("run", "state-exhaustion", *SMALL, "--gateway", f"{BROKEN}:Lavish", "--json")

    assert finished.status == 1
    assert not finished.check("as many as the table holds")["ok"]


def test_a_nat_that_lacks_ports_instead_is_found_out(run: Run) -> None:
    """Mutation: it has as few ports as it should have sessions; the clients see no difference, the counters do."""
    finished = run("run", "state-exhaustion", *SMALL, "--gateway", f"{BROKEN}:Cramped", "--json")

    assert finished.status == 1
    assert finished.check("as many as the table holds")["ok"]
    assert not finished.check("there were ports left")["ok"]
    assert not finished.check("for want of a session")["ok"]
