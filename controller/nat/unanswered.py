"""The sessions that strangers have opened and that the inside has not answered: few, and the first to give way.

Where filtering lets strangers in, they open sessions that no inside host has asked for. These must not take what
the inside needs. So they have a bound of their own, in all and for each mapping. Beyond it the oldest ends for the
newest, since an inside host that wants a session answers at once. The oldest also ends when the inside needs a
session or a rule that is not there. A session that the inside has answered is one like any other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from controller.nat.model import Flow, Mapping

PART_OF_MAPPING = 8
"""A mapping may have an eighth of all unanswered sessions, so that no flood to one ends those of the others."""


class Unanswered:
    """The flows of strangers, oldest first, in all and for each mapping. Each step is O(1)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_of_mapping = max(1, most // PART_OF_MAPPING)
        # To find the first entry of an ordinary dictionary takes longer with each that was removed before it.
        self._flows: OrderedDict[Flow, None] = OrderedDict()
        self._by_mapping: dict[Mapping, OrderedDict[Flow, None]] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def __iter__(self) -> Iterator[Flow]:
        return iter(self._flows)

    def add(self, flow: Flow) -> None:
        """Enter a new flow, which is the newest."""
        self._flows[flow] = None
        self._by_mapping.setdefault(flow.mapping, OrderedDict())[flow] = None

    def remove(self, flow: Flow) -> None:
        """Remove a flow that has ended, or that the inside has answered."""
        del self._flows[flow]
        of_mapping = self._by_mapping[flow.mapping]
        del of_mapping[flow]
        if not of_mapping:
            del self._by_mapping[flow.mapping]

    @property
    def oldest(self) -> Flow | None:
        """The flow that gives way first, or None if there is none."""
        return next(iter(self._flows), None)

    def in_the_way(self, mapping: Mapping) -> Flow | None:
        """Return the flow that has to end before the mapping may have another one, or None."""
        of_mapping = self._by_mapping.get(mapping, ())
        if len(of_mapping) >= self._most_of_mapping:
            return next(iter(of_mapping))
        return self.oldest if len(self._flows) >= self._most else None
