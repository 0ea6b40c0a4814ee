"""The wiring of a topology in a form that tests compare."""

from __future__ import annotations

from controller.nat.model import Side
from topologies.base import Topology


def wired(topology: Topology, gateway: str) -> list[tuple[int, Side, str, str | None]]:
    """Return a gateway's ports: number, side, own address, next hop."""
    return [
        (i.port, i.side, str(i.address), str(i.next_hop) if i.next_hop else None) for i in topology.wiring[gateway]
    ]
