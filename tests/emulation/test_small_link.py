"""A link outside of the NAT with less room than the LAN, in a real lab."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import FILES, Run

SCENARIO = str(FILES / "small_link.py")
SMALL = ("--set", "clients=2", "--set", "outside_mtu=1200")


@pytest.mark.parametrize("topology", ["home", "multi-address"])
def test_what_a_link_has_no_room_for_is_fragmented_or_its_sender_is_told(run: Run, topology: str) -> None:
    """RFC 4787 REQ-13: datagrams, ping, a probe of the path, 30 MB over TCP both ways, and iperf3.

    In multi-address a router is between: a server does not know of the small link, and TCP has to find out.
    """
    finished = run("run", SCENARIO, *SMALL, "--topology", topology, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert len(finished.own_checks) == 14


def test_linux_does_the_same(run: Run) -> None:
    """The instrument is not made for one gateway, and has a second opinion."""
    finished = run("run", SCENARIO, *SMALL, "--gateway", "netfilter", "--json")

    assert finished.status == 0, finished.output + finished.complaints


def test_a_gateway_that_would_lose_packets_is_refused(run: Run) -> None:
    """Open vSwitch's connection tracking neither fragments nor tells."""
    finished = run("run", SCENARIO, *SMALL, "--gateway", "ovs-ct")

    assert finished.status == 2
    assert "outside_mtu=1200 is not possible with this gateway" in finished.complaints
