"""The scenario state-exhaustion in a real lab."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import BROKEN, FILES, Run

SIZES = ("ports=32", "limit_sessions=8", "clients=2", "patience=1.5")
SMALL = [word for size in SIZES for word in ("--set", size)]


def test_the_table_runs_out_first_and_ports_are_left(run: Run) -> None:
    """Eight sessions are established. The other attempts are refused, and the counters show why."""
    finished = run("run", "state-exhaustion", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 8
    assert finished.result["counters"]["ports_free"] == 24


def test_a_nat_without_the_limit_is_found_out(run: Run) -> None:
    """Mutation: the NAT's table has no limit."""
    finished = run("run", "state-exhaustion", *SMALL, "--gateway", f"{BROKEN}:Lavish", "--json")

    assert finished.status == 1
    assert not finished.check("as many as the table holds")["ok"]


def test_a_nat_that_lacks_ports_instead_is_found_out(run: Run) -> None:
    """Mutation: the NAT has as few ports as it should have sessions. Only the counters show the difference."""
    finished = run("run", "state-exhaustion", *SMALL, "--gateway", f"{BROKEN}:Cramped", "--json")

    assert finished.status == 1
    assert finished.check("as many as the table holds")["ok"]
    assert not finished.check("ports that are left")["ok"]
    assert not finished.check("for want of a session")["ok"]


def test_a_tracker_that_lacks_ports_instead_is_found_out(run: Run) -> None:
    """Mutation: ovs-ct has as few ports as it should have sessions, so its table is not full."""
    finished = run("run", "state-exhaustion", *SMALL, "--gateway", f"{BROKEN}:CrampedTracked", "--json")

    assert finished.status == 1
    assert finished.check("as many as the table holds")["ok"]
    assert not finished.check("for want of a session")["ok"]


KERNEL = ("--set", "limit_sessions=null", "--set", "attempts=16")


def test_linux_makes_room_at_the_cost_of_entries_that_are_not_assured(run: Run) -> None:
    """The kernel's own table is filled in a namespace of its own. Connections stay, and datagrams' entries go."""
    finished = run("run", "state-exhaustion", "--gateway", "netfilter", *KERNEL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16
    assert finished.result["counters"]["evicted_mappings"] > 0


@pytest.mark.deep
def test_a_table_that_refuses_instead_is_found_out(run: Run) -> None:
    """Mutation: an additional rule lets no more than ten connections begin."""
    narrow = f"{BROKEN}:NarrowLinux"
    finished = run("run", "state-exhaustion", *KERNEL, "--gateway", narrow, "--set", "patience=1.0", "--json")

    assert finished.status == 1
    assert not finished.check("before and after the table was full")["ok"]
    assert not finished.check("was filled")["ok"]


@pytest.mark.deep
def test_a_table_that_throws_out_what_is_assured_is_found_out(run: Run) -> None:
    """Mutation: established connections are removed as well, and no longer carry data."""
    finished = run(
        "run", "state-exhaustion", *KERNEL, "--gateway", f"{FILES}/broken_linux.py:Ungrateful", "--json"
    )

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("connections that still carry data")["ok"]


@pytest.mark.parametrize("protocol", ["udp", "icmp"])
def test_only_tcp_assures_an_entry_by_one_answer(run: Run, protocol: str) -> None:
    """The scenario fills the kernel's table with TCP only, and refuses the other protocols."""
    sets = (*KERNEL, "--set", f"protocol={protocol}")
    finished = run("run", "state-exhaustion", "--gateway", "netfilter", *sets)

    assert finished.status == 2
    assert f"parameter protocol={protocol} is not possible" in finished.complaints
