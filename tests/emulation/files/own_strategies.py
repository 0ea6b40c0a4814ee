"""Allocators and policies as students may write them, some with a fault."""

from __future__ import annotations

from typing import ClassVar

from controller.api import Allocator, Answer, Decision, Endpoint, Evict, Policy, PortPlan, Shortage


class HighestFirst(Allocator):
    """An allocator that gives the highest free port."""

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
    """A policy that sends an ICMP error, whatever ran short."""

    def decide(self, shortage: Shortage) -> Decision:
        """Return the same answer for every shortage."""
        return Answer.ICMP


class EvictMru(Policy):
    """A policy that evicts the mapping that was used last, so that busy connections break and idle ones stay."""

    evicts: ClassVar[bool] = True

    def decide(self, shortage: Shortage) -> Decision:
        """Choose the last victim, which was used most recently."""
        *_, victim = shortage.victims
        return Evict(victim)


class Twice(Allocator):
    """An allocator that gives every port to two mappings in a row, which no NAT may do toward one destination."""

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
    """An allocator that gives a port that is not one of its own, when it has given half of them."""

    def __init__(self, plan: PortPlan) -> None:
        super().__init__(plan)
        self._half = len(plan.ports) // 2

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a port from the end, or port 80."""
        return 80 if len(self) == self._half else super().allocate(internal, now)
