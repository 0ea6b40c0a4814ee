"""The scenario race on the real thing: first packets that come at the same instant."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

CLUMSY, FORGETFUL = (f"{FILES / 'broken_linux.py'}:{name}" for name in ("Clumsy", "Forgetful"))


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["openflow", "netfilter", "ovs-ct"])
def test_every_flow_gets_a_port_and_ours_loses_no_first_packet(run: Run, gateway: str) -> None:
    """Linux may lose some, by its own count."""
    finished = run("run", "race", "--gateway", gateway, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 128


@pytest.mark.deep
def test_a_nat_that_loses_first_packets_is_found_out(run: Run) -> None:
    """Mutation: it drops some, and neither declares nor counts that."""
    finished = run("run", "race", "--set", "ports=32", "--gateway", CLUMSY, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "first packets that are lost" in finished.failed


@pytest.mark.deep
def test_one_lost_packet_is_enough(run: Run) -> None:
    """Mutation: it drops one of 128, which gets through when it is sent again."""
    finished = run("run", "race", "--gateway", FORGETFUL, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.check("first packets that are lost")["observed"] == 1
