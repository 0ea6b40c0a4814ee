"""Port preservation (RFC 4787 section 4.2.1): the external port is the internal one, where that is possible.

Where the internal port is outside the range or taken, any free port is given, each with equal probability: a NAT
that preserves ports should obfuscate one only if it must be changed (RFC 6056 section 4). A port that is taken is
never given to another host: that would be port overloading, which RFC 4787 REQ-3 forbids.
"""

from __future__ import annotations

from controller.nat.model import Endpoint
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.allocators.deck import Deck


class PreservingAllocator(Allocator):
    """Gives the internal port if it is free, and otherwise any free port with equal probability."""

    def __init__(self, plan: PortPlan) -> None:
        self._free = Deck(plan.ports, plan.rng)

    def __len__(self) -> int:
        return len(self._free)

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take the port of `internal` or another free one, or return None if there is none."""
        return internal.port if self._free.take(internal.port) else self._free.draw()

    def release(self, port: int, now: float) -> None:
        """Take back a port that was given."""
        self._free.put_back(port)
