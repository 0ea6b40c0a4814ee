"""The scenario reuse on the real thing: a port that the server still knows."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

RESET = "old connections that the server's programs learn are reset"
MUFFLING = f"{FILES / 'broken_linux.py'}:Muffling"


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_the_new_client_resets_what_the_server_remembers(run: Run, gateway: str) -> None:
    """Where its RST passes the NAT. Open vSwitch drops that, as it declares, and the client gives up."""
    finished = run("run", "reuse", "--set", "ports=4", "--gateway", gateway, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.check(RESET)["observed"] == (0 if gateway == "ovs-ct" else 2)
    assert finished.result["series"]["remembered"] == [2, 2]
    assert gateway == "ovs-ct" or finished.result["series"]["resets"][0] >= 2


@pytest.mark.deep
def test_a_port_that_rests_for_longer_than_the_server_remembers_meets_nothing(run: Run) -> None:
    """No challenge ACK comes then, so the new client's kernel sends no RST."""
    longer = ("--set", "tcp_trans_close_timeout=65", "--set", "remembered=60")
    finished = run("run", "reuse", "--set", "ports=4", *longer, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["series"]["remembered"] == [0, 0]
    assert finished.check("RSTs that bob's kernel sent")["expected"] == 0


@pytest.mark.deep
def test_a_nat_that_drops_resets_is_found_out(run: Run) -> None:
    """Mutation: the client never ends the old connection, and never gets one of its own."""
    finished = run("run", "reuse", "--set", "ports=4", "--set", "patience=3.0", "--gateway", MUFFLING, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "bob's connections that get through in the end" in finished.failed
