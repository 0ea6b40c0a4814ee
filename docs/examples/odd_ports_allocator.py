"""An allocator of one's own: it gives odd ports only, the one first that has been free the longest.

So it gives half of what `ports` says. Its length is what the NAT can give, and scenarios expect no more:

    ./lastport run port-exhaustion --allocator docs/examples/odd_ports_allocator.py
"""

from __future__ import annotations

from collections import deque

from controller.api import Allocator, Endpoint, PortPlan


class OddPorts(Allocator):
    """Gives odd ports, in the order in which they came back."""

    def __init__(self, plan: PortPlan) -> None:
        self._free = deque(port for port in plan.ports if port % 2)

    def __len__(self) -> int:
        return len(self._free)

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take the port that has been free the longest, or return None if none is."""
        return self._free.popleft() if self._free else None

    def release(self, port: int, now: float) -> None:
        """Put a port back, behind the others."""
        self._free.append(port)
