"""The subscribers of a carrier: classes of them, what they do, and where each figure comes from.

A class is known by the connections that a subscriber of it has at a time, on average. Connections come in bursts,
as pages do. A burst asks a resolver for names, and opens connections over TCP and QUIC. Some classes also talk to
peers that nobody else talks to.
"""

from __future__ import annotations

from dataclasses import dataclass

VAS = "VAS Experts, CG-NAT FAQ 4: an individual has 50 to 60 sessions at a time, one with a torrent up to 1,000"
ASSUMED = "assumed by lastport"


@dataclass(frozen=True, slots=True)
class Class:
    """Subscribers of one kind: `sessions` at a time on average, a burst of `burst` connections, parts of peers."""

    name: str
    sessions: float
    burst: float
    peers: float
    """The part of the connections that goes to peers, each an endpoint of its own, over UDP."""
    source: str


CLASSES = (
    Class("light", 20, 8, 0.0, ASSUMED),
    Class("typical", 55, 15, 0.0, VAS),
    Class("heavy", 1000, 15, 0.8, VAS),
)
"""From the least to the most connections."""

DNS_LIFE_S = 0.1
"""Seconds from a query to its answer (assumed by lastport; a port of its own for each query: RFC 5452)."""
STEP_S = 0.05
"""Seconds from one connection of a burst to the next, on average (assumed by lastport)."""
SPREAD = 1.0
"""The standard deviation of the logarithm of a connection's life (assumed by lastport: lives are lognormal)."""
PEERS = 1 << 24
"""How many peers there are (assumed by lastport: no two connections meet the same)."""
