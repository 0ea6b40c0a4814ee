"""Sequential port allocation: upward through the ports, then again in the order in which ports came back.

Ports that were never given go out first, the lowest first. After that the ports stand in a queue: the one that has
been free the longest goes out next, so that each port rests for as long as possible.

Deviation: RFC 6056 section 2 and RFC 6888 REQ-15 ask for ports that are hard to guess. These are not: one port
that was seen gives away the next. The strategy is here for comparison.
"""

from __future__ import annotations

from collections import deque

from controller.nat.model import Endpoint
from controller.nat.strategies.allocators.allocator import Allocator, PortPlan


class SequentialAllocator(Allocator):
    """Gives the lowest port that was never given, and later the one that has been free the longest."""

    def __init__(self, plan: PortPlan) -> None:
        self._ports = plan.ports
        self._ever_given = 0
        self._returned: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._ports) - self._ever_given + len(self._returned)

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take the next port, or return None if there is none."""
        if self._ever_given < len(self._ports):
            self._ever_given += 1
            return self._ports[self._ever_given - 1]
        return self._returned.popleft() if self._returned else None

    def release(self, port: int, now: float) -> None:
        """Take back a port that was given: it goes to the end of the queue."""
        self._returned.append(port)
