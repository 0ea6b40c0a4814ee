"""Port allocators: which free port a new mapping gets. One file and one line here for each.

An allocator owns the free ports of one external address and one protocol. It is O(1) per call, never gives
the same port twice without a release between, and says None exactly when it has none left.
"""

from __future__ import annotations

import random
from typing import Protocol

from controller.nat.allocators.random_ import RandomAllocator
from controller.nat.model import Endpoint


class Allocator(Protocol):
    """The free ports of one external address and protocol."""

    def __init__(self, ports: range, rng: random.Random) -> None: ...

    def __len__(self) -> int:
        """Return how many ports are free."""
        ...

    def allocate(self, internal: Endpoint) -> int | None:
        """Take a free port for a new mapping of `internal`, or return None if there is none."""
        ...

    def release(self, port: int) -> None:
        """Take back a port that was given and has rested."""
        ...


ALLOCATORS: dict[str, type[Allocator]] = {
    "random": RandomAllocator,
}
"""By the names of the setting `port_allocation_type`."""
