"""Where the witnesses stand in a network, and what is right there: rightful sources, and hosts' own addresses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, collapse_addresses

from controller.wiring import Side
from testbed.evidence.strays import Exit, Station
from topologies.base import Topology

HOSTS_INTERFACE = "eth0"
"""The interface of every host."""
Pools = Mapping[str, Collection[IPv4Address]]
"""The external addresses of each gateway, by its name."""


def exits(topology: Topology, pools: Pools, netns: Callable[[str], str]) -> list[Exit]:
    """Return the places where packets come out of NATs; `netns` returns a node's network namespace by its name.

    A server at a NAT's own port must see nobody but this NAT. One behind a router may see all that is outside. At
    a NAT's uplink, only this NAT's own addresses may leave.
    """
    at_servers = [
        Exit(netns(name), HOSTS_INTERFACE, _networks(_seen_by(topology, pools, name)), topology.inside)
        for name in topology.servers
    ]
    at_uplinks = [
        Exit(netns(name), interface, _networks(_of_gateway(topology, pools, name)), behind, leaving=True)
        for name, interface, behind in topology.uplinks
    ]
    return at_servers + at_uplinks


def stations(topology: Topology, netns: Callable[[str], str]) -> list[Station]:
    """Return all hosts, with what is their own.

    A client's own are its addresses, and the broadcast address of its LAN. A server is alone on its link, so all
    addresses there are its own: a NAT need not know which of them nobody has.
    """
    links = {each.network for each in _interfaces(topology)}
    found = []
    for place, name in enumerate((*topology.clients, *topology.servers)):
        addresses = topology.addresses[name]
        at = [link for link in links if any(each in link for each in addresses)]
        if is_client := place < len(topology.clients):
            broadcasts = [link.broadcast_address for link in at]
            own = _networks([*addresses, *map(IPv4Address, topology.sources(place)), *broadcasts])
        else:
            own = at
        found.append(Station(netns(name), HOSTS_INTERFACE, own, is_client))
    return found


def _seen_by(topology: Topology, pools: Pools, server: str) -> Collection[IPv4Address]:
    """Return the sources that a server may see."""
    own = topology.addresses[server]
    for name, interfaces in topology.wiring.items():
        if any(own[0] in each.address.network for each in interfaces if each.side is Side.OUTSIDE):
            return _of_gateway(topology, pools, name)
    nats = [_of_gateway(topology, pools, name) for name in topology.wiring]
    hosts = [topology.addresses[name] for name in topology.servers]
    return [*itertools.chain(*nats, *hosts), *(each.ip for each in topology.router_interfaces)]


def _of_gateway(topology: Topology, pools: Pools, name: str) -> list[IPv4Address]:
    own = [each.address.ip for each in topology.wiring[name] if each.side is Side.OUTSIDE]
    return [*pools[name], *own]


def _interfaces(topology: Topology) -> list[IPv4Interface]:
    """Return the addresses of NATs and routers on their links."""
    wired = itertools.chain.from_iterable(topology.wiring.values())
    return [*(each.address for each in wired), *topology.router_interfaces]


def _networks(addresses: Collection[IPv4Address]) -> list[IPv4Network]:
    return list(collapse_addresses(map(IPv4Network, addresses)))
