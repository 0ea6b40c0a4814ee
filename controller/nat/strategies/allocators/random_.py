"""Random port allocation (RFC 6056; RFC 6888 REQ-15): every free port is equally likely.

RFC 6056 Algorithm 1 draws a port and goes on to the next while it is taken. That is slow when the range is nearly
full, and no longer uniform. Here the free ports are a deck without order, from which one is drawn: O(1), uniform,
and exact to the last port.
"""

from __future__ import annotations

from controller.nat.model import Endpoint
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan
from controller.nat.strategies.allocators.deck import Deck


class RandomAllocator(Allocator):
    """Gives any of the free ports with equal probability."""

    def __init__(self, plan: PortPlan) -> None:
        self._free = Deck(plan.ports, plan.rng)

    def __len__(self) -> int:
        return len(self._free)

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a free port, or return None if there is none."""
        return self._free.draw()

    def release(self, port: int, now: float) -> None:
        """Take back a port that was given."""
        self._free.put_back(port)
