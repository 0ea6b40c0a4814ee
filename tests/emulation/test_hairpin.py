"""Two inside hosts by their external endpoints, in a real lab: two kernels, and a switch between them."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

SCENARIO = str(FILES / "hairpin.py")


@pytest.mark.parametrize("topology", ["home", "multi-address", "campus"])
def test_inside_hosts_reach_each_other_by_their_external_endpoints(run: Run, topology: str) -> None:
    """RFC 4787 REQ-9, RFC 5382 REQ-8, RFC 5508 REQ-7: UDP, fragments, TCP and errors."""
    settings = ("--set", "clients=2", "--set", "external_addresses=1")
    finished = run("run", SCENARIO, *settings, "--topology", topology, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert len(finished.own_checks) == 11


@pytest.mark.deep
def test_linux_with_nothing_but_source_nat_does_not(run: Run) -> None:
    """The instrument finds a NAT that lacks it."""
    finished = run("run", SCENARIO, "--set=clients=2", "--set=within=1", "--gateway=netfilter", "--json")

    assert finished.status in (1, 4), finished.output + finished.complaints
    assert not finished.check("a datagram, as bob sees it")["ok"]
