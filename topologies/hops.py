"""The number of hops between two hosts: each NAT and each router on the way decrements a packet's TTL by one.

An access switch is no hop, and neither is a gateway for two hosts on one of its LANs, which it then only switches.
"""

from __future__ import annotations

from collections import defaultdict, deque

from topologies.base import Topology
from topologies.network.hosts import Router


def hops(topology: Topology, one: str, other: str) -> int:
    """Return the number of NATs and routers on the shortest way from a host to a host of the other side."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for near, far in topology.links():
        neighbours[near].append(far)
        neighbours[far].append(near)
    before = {one: ""}
    ahead = deque([one])
    while other not in before:
        here = ahead.popleft()
        for node in neighbours[here]:
            if node not in before:
                before[node] = here
                ahead.append(node)
    count, here = 0, before[other]
    while here:
        count += here in topology.wiring or issubclass(topology.nodeInfo(here).get("cls", object), Router)
        here = before[here]
    return count
