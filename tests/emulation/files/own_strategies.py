"""An allocator and a policy as a student may write them."""

from __future__ import annotations

from typing import ClassVar

from controller.nat.model import Answer, Endpoint
from controller.nat.strategies.allocators.allocator import PortPlan
from controller.nat.strategies.exhaustion.policy import Decision, Evict, Shortage


class HighestFirst:
    """Gives the highest port that is free."""

    by_subscriber: ClassVar[bool] = False

    def __init__(self, plan: PortPlan) -> None:
        self._free = sorted(plan.ports)

    def __len__(self) -> int:
        return len(self._free)

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a port from the end."""
        return self._free.pop() if self._free else None

    def release(self, port: int, now: float) -> None:
        """Put a port back."""
        self._free.append(port)
        self._free.sort()


class Polite:
    """Tells the sender by ICMP, whatever ran short."""

    evicts: ClassVar[bool] = False

    def decide(self, shortage: Shortage) -> Decision:
        """Answer."""
        return Answer.ICMP


class EvictMru:
    """Ends the mapping that was used last: busy connections break, and the idle ones stay."""

    evicts: ClassVar[bool] = True

    def decide(self, shortage: Shortage) -> Decision:
        """Choose the last of the victims."""
        *_, victim = shortage.victims
        return Evict(victim)


class Twice:
    """Gives every port to two, the one right after the other: what no NAT may do toward one destination."""

    by_subscriber: ClassVar[bool] = False

    def __init__(self, plan: PortPlan) -> None:
        self._free = [port for port in reversed(plan.ports) for _ in range(2)]

    def __len__(self) -> int:
        return len(self._free)

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a port from the end."""
        return self._free.pop() if self._free else None

    def release(self, port: int, now: float) -> None:
        """Put a port back."""
        self._free.append(port)
