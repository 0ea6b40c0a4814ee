"""The number of routers and NATs between a client and a server, in each topology."""

from __future__ import annotations

import pytest

from testbed.registry import ours
from topologies.hops import hops


@pytest.mark.parametrize(
    ("name", "expected"),
    [("home", 1), ("campus", 1), ("two-homes", 2), ("multi-address", 2), ("edge", 2), ("carrier", 2)],
)
def test_the_hops_between_a_client_and_a_server(name: str, expected: int) -> None:
    """Access switches are none. It is the same from each client, and back."""
    topology = ours("topology")[name](clients=6)

    ways = [(client, server) for client in topology.clients for server in topology.servers]
    assert {hops(topology, *way) for way in ways} == {expected}
    assert {hops(topology, server, client) for client, server in ways} == {expected}
