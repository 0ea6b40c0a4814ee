"""Deadlines without sweeps: one queue for each duration.

Timers of the same duration come due in the order in which they were armed, so a queue needs no sorting. Arming,
disarming and finding what is due are O(1) each, whatever the number of timers. The links of the queue are in the
items themselves, which takes a third of the memory of an ordered dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar


@dataclass(slots=True, eq=False)
class Timed:
    """An item that can stand in a queue, in one at a time."""

    deadline: float = field(init=False, repr=False, default=0.0)
    before: Any = field(init=False, repr=False, default=None)
    after: Any = field(init=False, repr=False, default=None)


Item = TypeVar("Item", bound=Timed)


class TimerQueue(Generic[Item]):
    """Timers of one duration, in seconds; an item stands in the queue at most once."""

    __slots__ = ("_ends", "duration")

    def __init__(self, duration: float) -> None:
        self.duration = duration
        # A ring, in which the queue's own link stands between the newest item and the oldest.
        self._ends = Timed()
        self._ends.before = self._ends.after = self._ends

    def __bool__(self) -> bool:
        return self._ends.after is not self._ends

    def arm(self, item: Item, now: float) -> None:
        """Make `item` due at `now` plus the duration, in place of any earlier deadline."""
        if item.before is not None:
            self.disarm(item)
        item.deadline = now + self.duration
        ends = self._ends
        newest = ends.before
        item.before, item.after = newest, ends
        newest.after = ends.before = item

    def adopt(self, other: TimerQueue[Item]) -> None:
        """Take over the items of another queue. Each is due as if it had been armed here when it was there."""
        while (item := other.oldest) is not None:
            self.arm(item, item.deadline - other.duration)

    def disarm(self, item: Item) -> None:
        """Take `item` out of the queue, if it is armed."""
        before, after = item.before, item.after
        if before is not None:
            before.after, after.before = after, before
            item.before = item.after = None

    def due(self, now: float) -> Iterator[Item]:
        """Take out, oldest first, each item whose deadline is not after `now`."""
        while (item := self._ends.after) is not self._ends:
            if item.deadline > now:
                return
            self.disarm(item)
            yield item

    @property
    def oldest(self) -> Item | None:
        """The item that is due first, or None when there is none."""
        oldest = self._ends.after
        return None if oldest is self._ends else oldest

    @property
    def next_deadline(self) -> float | None:
        """When the oldest item is due, or None when there is none."""
        oldest = self._ends.after
        return None if oldest is self._ends else oldest.deadline
