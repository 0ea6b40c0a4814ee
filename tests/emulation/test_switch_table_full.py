"""The scenario switch-table-full in a real lab."""

from __future__ import annotations

from tests.emulation.conftest import BROKEN, Run

SIZES = ("flow_limit=12", "strangers=4", "beyond=4", "on_exhaustion=icmp", "clients=2")
SMALL = [word for size in SIZES for word in ("--set", size)]


def test_a_full_table_refuses_and_evicts_only_what_has_a_timeout(run: Run) -> None:
    """Eight connections fit beside four rules of another application. When the switch evicts, four more fit."""
    finished = run("run", "switch-table-full", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 12
    assert finished.result["outcomes"]["icmp"] == 8


def test_a_switch_that_evicts_unasked_is_found_out(run: Run) -> None:
    """Mutation: the tables evict from the start, so that the other application's rules go for connections."""
    finished = run("run", "switch-table-full", *SMALL, "--gateway", f"{BROKEN}:Evicting", "--json")

    assert finished.status == 1
    assert not finished.check("that stay while the switch refuses")["ok"]
    assert not finished.check("beside another application's rules")["ok"]


def test_a_switch_that_never_evicts_is_found_out(run: Run) -> None:
    """Mutation: the switch refuses even when it is set to evict."""
    finished = run("run", "switch-table-full", *SMALL, "--gateway", f"{BROKEN}:Stubborn", "--json")

    assert finished.status == 1
    assert not finished.check("rules that are left when the switch evicts")["ok"]


def test_a_nat_that_does_not_roll_back_is_found_out(run: Run) -> None:
    """Mutation: the NAT ignores what the switch refuses, and the ports stay allocated."""
    finished = run("run", "switch-table-full", *SMALL, "--gateway", f"{BROKEN}:Hoarding", "--json")

    assert finished.status == 1
    assert not finished.check("ports allocated")["ok"]
    assert not finished.check("ports that are left over")["ok"]


def test_a_nat_whose_rules_can_be_evicted_is_found_out(run: Run) -> None:
    """Mutation: the NAT's rules have a timeout, so its connections go, and the other application's rules stay."""
    finished = run("run", "switch-table-full", *SMALL, "--gateway", f"{BROKEN}:Fleeting", "--json")

    assert finished.status == 1
    assert not finished.check("rules that are left when the switch evicts")["ok"]
    assert not finished.check("connections that still carry data")["ok"]
