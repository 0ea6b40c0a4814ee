"""The scenario protocols in a real lab."""

from __future__ import annotations

from tests.emulation.conftest import BROKEN, Run

SIZES = ("ports=8", "beyond=4", "clients=2", "on_exhaustion=icmp")
SMALL = [word for size in SIZES for word in ("--set", size)]


def test_each_protocol_has_all_ports_to_itself(run: Run) -> None:
    """Eight attempts of each protocol are established, and its ninth is refused."""
    finished = run("run", "protocols", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 24
    assert finished.result["outcomes"]["icmp"] == 12
    assert [row["first_to_fail"] for row in finished.result["series"]["protocols"]] == [9, 9, 9]


def test_a_nat_with_one_pool_for_all_protocols_is_found_out(run: Run) -> None:
    """Mutation: a port that TCP has taken is not there for the other protocols."""
    finished = run("run", "protocols", *SMALL, "--gateway", f"{BROKEN}:OneForAll", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.check("TCP: exactly")["ok"]
    assert not finished.check("UDP: exactly")["ok"]
    assert not finished.check("ICMP: exactly")["ok"]
