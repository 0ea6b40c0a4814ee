"""Where external ports overlap: mappings of one socket that get one port by chance, and how often that may happen.

Endpoint-dependent mapping shows by different ports toward different destinations. Where these may be equal, they
sometimes are, and a prober has to ask with several sockets.
"""

from __future__ import annotations

from scenarios.shared.rendezvous import ENDPOINTS
from testbed.api import Asked, Behaviour, Of, Refusal, Requirement, of_ports

PORTS = len(ENDPOINTS) + 2
"""The ports that a peer may need: one for each server endpoint, for the other peer, and for its second socket."""
SOCKETS = 8
"""Where ports may be the same by chance, this number of a peer's sockets show how its NAT maps."""
OVERLAPPING_PORTS = 2 * SOCKETS
"""The fewest ports there: all sockets then find the same by chance less often than once in 100,000 runs."""
RANDOM = ("random", "preserving", "linux-like")
"""The allocators that draw a port for each mapping, if they cannot keep the source port."""


def by_chance(behaviour: Behaviour) -> bool:
    """Return whether mappings of one socket may get one port by chance, since their destinations differ."""
    return behaviour.mapping.value != "eim" and behaviour.overlapping.value != "off"


def _same_in_order(asked: Asked) -> Refusal | None:
    allocator = asked.settings.port_allocation_type
    if not by_chance(asked.declared) or allocator in RANDOM:
        return None
    why = "where ports overlap, it may give the same port toward each destination, as if they did not matter"
    return Refusal("port_allocation_type", allocator, why, f"port_allocation_type={' or '.join(RANDOM)}")


def _few_ports(asked: Asked) -> Refusal | None:
    ports, needed = asked.settings.port_count, OVERLAPPING_PORTS if by_chance(asked.declared) else PORTS
    if ports >= needed:
        return None
    why = "a peer may take one for each server endpoint, one for the other peer, and one for its second socket"
    if needed == OVERLAPPING_PORTS:
        why = "these may too often be the same by chance"
    return of_ports(asked.settings, why, f"ports={needed} or more")


def ports_for_a_peer() -> Requirement:
    """Require ports for all that one peer takes."""
    return Requirement("ports enough for one peer", _few_ports, Of.GATEWAY)


def drawn_ports() -> Requirement:
    """Require that equal ports toward different destinations are chance."""
    return Requirement(
        "where ports overlap, ports that are drawn for each destination", _same_in_order, Of.GATEWAY
    )
