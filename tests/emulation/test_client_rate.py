"""The scenario client-rate on the real thing: a client's ports in TIME-WAIT."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

ONCE_ONLY = f"{FILES / 'broken_linux.py'}:OnceOnly"
FEW = ("--set", "client_ports=2")


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_a_client_that_closes_first_runs_out_of_its_own_ports(run: Run, gateway: str) -> None:
    """And not of the NAT's, through which the same ports serve again."""
    finished = run("run", "client-rate", "--gateway", gateway, "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.deep
def test_a_nat_that_takes_a_source_port_only_once_is_found_out(run: Run) -> None:
    """Mutation: it drops the SYN of a connection that is opened again (RFC 9293 section 3.6.1)."""
    finished = run("run", "client-rate", *FEW, "--gateway", ONCE_ONLY, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "connections from the same ports a second later" in finished.failed
