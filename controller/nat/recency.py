"""Which mapping was used least recently, among those whose removal would admit a packet.

Rules forward packets unseen, so when a mapping was last used, in either direction, is known by packet counts, and
as exactly as they are read: what has been used since it was last looked at counts as used then. Mappings whose
last uses fall into the same tenth of a second stand in the order in which they came. There is one order for all
mappings, one for the ports that a packet may use, and one for each quota. Each step is O(1), but for the logarithm
of the number of tenths.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from controller.nat.model import Mapping
from controller.nat.scopes import Scope

TENTH_S = 0.1


class _Order:
    """The mappings of one scope, by the tenths of their last use."""

    def __init__(self) -> None:
        self._by_tenth: dict[int, dict[Mapping, None]] = {}
        self._tenths: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._by_tenth)

    def add(self, mapping: Mapping, tenth: int) -> None:
        if tenth not in self._by_tenth:
            self._by_tenth[tenth] = {}
            heapq.heappush(self._tenths, tenth)
        self._by_tenth[tenth][mapping] = None

    def remove(self, mapping: Mapping, tenth: int) -> None:
        del self._by_tenth[tenth][mapping]
        if not self._by_tenth[tenth]:
            del self._by_tenth[tenth]
            while self._tenths and self._tenths[0] not in self._by_tenth:
                heapq.heappop(self._tenths)  # here, lest they pile up where nobody ever asks

    def oldest(self) -> Iterator[Mapping]:
        if self._tenths:
            yield from self._by_tenth[self._tenths[0]]
            for tenth in sorted(self._by_tenth)[1:]:
                yield from self._by_tenth[tenth]


class Recency:
    """Orders of mappings, by scope."""

    def __init__(self) -> None:
        self._orders: dict[Scope, _Order] = {}
        self._tenths: dict[Mapping, int] = {}

    def use(self, mapping: Mapping, scopes: Iterable[Scope], at: float) -> None:
        """Take note that a mapping, new or known, was used at `at`, or later."""
        tenth, before = int(at / TENTH_S), self._tenths.get(mapping)
        if before is not None and tenth <= before:
            return
        for scope in scopes:
            order = self._orders.setdefault(scope, _Order())
            if before is not None:
                order.remove(mapping, before)
            order.add(mapping, tenth)
        self._tenths[mapping] = tenth

    def forget(self, mapping: Mapping, scopes: Iterable[Scope]) -> None:
        """Remove a mapping."""
        tenth = self._tenths.pop(mapping)
        for scope in scopes:
            order = self._orders[scope]
            order.remove(mapping, tenth)
            if not order:
                del self._orders[scope]

    def oldest(self, scope: Scope) -> Iterator[Mapping]:
        """Yield the mappings of a scope, the least recently used first."""
        return self._orders[scope].oldest() if scope in self._orders else iter(())
