"""An allocator and a policy as a student may write them."""

from __future__ import annotations

from typing import ClassVar

from controller.api import Allocator, Answer, Decision, Endpoint, Evict, Policy, PortPlan, Shortage


class HighestFirst(Allocator):
    """Gives the highest port that is free."""

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


class Polite(Policy):
    """Tells the sender by ICMP, whatever ran short."""

    def decide(self, shortage: Shortage) -> Decision:
        """Answer."""
        return Answer.ICMP


class EvictMru(Policy):
    """Ends the mapping that was used last: busy connections break, and the idle ones stay."""

    evicts: ClassVar[bool] = True

    def decide(self, shortage: Shortage) -> Decision:
        """Choose the last of the victims."""
        *_, victim = shortage.victims
        return Evict(victim)


class Twice(Allocator):
    """Gives every port to two, the one right after the other: what no NAT may do toward one destination."""

    def __init__(self, plan: PortPlan) -> None:
        self._free = [port for port in reversed(plan.ports) for _ in range(2)]

    def __len__(self) -> int:
        return len(self._free) // 2

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a port from the end."""
        return self._free.pop() if self._free else None

    def release(self, port: int, now: float) -> None:
        """Put a port back."""
        self._free.append(port)


class Astray(HighestFirst):
    """Gives a port that is none of its own, when it has given half of them."""

    def __init__(self, plan: PortPlan) -> None:
        super().__init__(plan)
        self._half = len(plan.ports) // 2

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a port from the end, or port 80."""
        return 80 if len(self) == self._half else super().allocate(internal, now)
