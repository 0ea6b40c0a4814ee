"""The scenario address-pool in a real lab."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import BROKEN, Run

SIZES = ("ports=4", "external_addresses=3", "clients=6", "on_exhaustion=icmp")
SMALL = [word for size in SIZES for word in ("--set", size)]


@pytest.mark.parametrize(
    ("pooling", "alone"), [("paired", 4), ("paired-soft", 12), ("arbitrary", 12), ("roundrobin", 12)]
)
def test_three_addresses_make_three_times_the_ports(run: Run, pooling: str, alone: int) -> None:
    """All clients together get the ports of every address. What one gets alone depends on the pooling."""
    chosen = ("--set", f"address_allocation_type={pooling}")
    finished = run("run", "address-pool", *SMALL, *chosen, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 12
    assert finished.check("connections of the first client alone")["observed"] == alone


def test_a_nat_that_uses_one_address_only_is_found_out(run: Run) -> None:
    """Mutation: the NAT uses only the first of its addresses."""
    finished = run("run", "address-pool", *SMALL, "--gateway", f"{BROKEN}:OneAddress", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("3 addresses make 3 times the ports")["ok"]


def test_a_nat_that_breaks_its_pairs_is_found_out(run: Run) -> None:
    """Mutation: the NAT declares paired pooling, and pools arbitrarily."""
    finished = run("run", "address-pool", *SMALL, "--gateway", f"{BROKEN}:Generous", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("connections of the first client alone")["ok"]
    assert not finished.check("most external addresses of one client")["ok"]
