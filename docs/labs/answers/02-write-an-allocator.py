"""Lab 2: an allocator that meets every requirement, with the sheet's own quota."""

from __future__ import annotations

from collections import Counter

from controller.api import Allocator, Endpoint, PortPlan

QUOTA = 16
"""The ports that one subscriber may have at once."""


class Reference(Allocator):
    """Draws any of the free ports, which are a list without order."""

    def __init__(self, plan: PortPlan) -> None:
        self._free = list(plan.ports)
        self._rng = plan.rng
        self._owner: dict[int, int] = {}
        self._taken: Counter[int] = Counter()

    def __len__(self) -> int:
        """Return the number of free ports."""
        return len(self._free)

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a free port, or return None if there is none, or if the subscriber has its quota."""
        if not self._free or self._taken[internal.address] == QUOTA:
            return None
        place = self._rng.randrange(len(self._free))
        self._free[place], self._free[-1] = self._free[-1], self._free[place]
        port = self._free.pop()
        self._owner[port] = internal.address
        self._taken[internal.address] += 1
        return port

    def release(self, port: int, now: float) -> None:
        """Take back a port, which no longer counts against its subscriber's quota."""
        self._taken[self._owner.pop(port)] -= 1
        self._free.append(port)
