"""Deadlines without sweeps: one queue for each duration.

Whatever is armed for the same duration comes due in the order in which it was armed. So a queue needs no
sorting: arming, disarming and finding what is due are O(1) each, whatever the number of timers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class TimerQueue(Generic[Item]):
    """Timers of one duration, in seconds; an item stands in the queue at most once."""

    def __init__(self, duration: float) -> None:
        self.duration = duration
        self._deadlines: OrderedDict[Item, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._deadlines)

    def arm(self, item: Item, now: float) -> None:
        """Let `item` be due at `now` plus the duration, instead of any earlier deadline."""
        self._deadlines[item] = now + self.duration
        self._deadlines.move_to_end(item)

    def disarm(self, item: Item) -> None:
        """Forget `item`; one that is not armed is no error."""
        self._deadlines.pop(item, None)

    def due(self, now: float) -> Iterator[Item]:
        """Take out, oldest first, each item whose deadline is not after `now`."""
        while self._deadlines:
            item, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                return
            del self._deadlines[item]
            yield item

    @property
    def next_deadline(self) -> float | None:
        """When the oldest item is due, or None when there is none."""
        return next(iter(self._deadlines.values()), None)
