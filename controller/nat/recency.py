"""Which mapping was used least recently, among those whose removal would admit a packet.

Rules forward packets that the NAT does not see. So the last use of a mapping, in either direction, is known by
packet counts, and as exactly as they are read: a mapping that was used since its last examination counts as used
then. Mappings with their last use in the same tenth of a second stand in the order in which they came. There is
one order for all mappings, one for the ports that a packet may use, and one for each quota. Each step is O(1), but
for the logarithm of the number of tenths.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.nat.model import Mapping
from controller.nat.scopes import Scope
from controller.nat.settings import NatSettings

TENTH_S = 0.1
EXAMINED_EVERY_S = 1.0
EXAMINED_S_PER_PORT = 60e-6


def recency_interval(settings: NatSettings) -> float:
    """Return the seconds between readings of all counts, where mappings are kept in the order of their last use.

    It is a second, and longer for a pool of more than 16,000 ports, so that reading takes a bounded share of time.
    """
    return max(EXAMINED_EVERY_S, EXAMINED_S_PER_PORT * settings.capacity)


class _Order:
    """The mappings of one scope, by the tenths of their last use.

    A tenth is an ordered dictionary. To find the first entry of an ordinary one takes longer with each that was
    removed before it.
    """

    __slots__ = ("_by_tenth", "_tenths", "scope")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._by_tenth: dict[int, OrderedDict[Mapping, None]] = {}
        self._tenths: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._by_tenth)

    def add(self, mapping: Mapping, tenth: int) -> None:
        mappings = self._by_tenth.get(tenth)
        if mappings is None:
            mappings = self._by_tenth[tenth] = OrderedDict()
            heapq.heappush(self._tenths, tenth)
        mappings[mapping] = None

    def remove(self, mapping: Mapping, tenth: int) -> None:
        mappings = self._by_tenth[tenth]
        del mappings[mapping]
        if not mappings:
            del self._by_tenth[tenth]
            while self._tenths and self._tenths[0] not in self._by_tenth:
                heapq.heappop(self._tenths)  # here, since `oldest` may never be called

    def oldest(self, until: float) -> Iterator[Mapping]:
        if self._tenths and (self._tenths[0] + 1) * TENTH_S <= until:
            yield from self._by_tenth[self._tenths[0]]
            for tenth in sorted(self._by_tenth)[1:]:
                if (tenth + 1) * TENTH_S <= until:
                    yield from self._by_tenth[tenth]


@dataclass(slots=True, eq=False)
class _Standing:
    """The orders in which a mapping stands, and the tenth in all of them."""

    tenth: int
    orders: list[_Order]


class Recency:
    """The orders of mappings, by scope."""

    def __init__(self) -> None:
        self._orders: dict[Scope, _Order] = {}
        self._standings: dict[Mapping, _Standing] = {}

    def add(self, mapping: Mapping, scopes: Iterable[Scope], at: float) -> None:
        """Enter a new mapping, used at `at`."""
        standing = self._standings[mapping] = _Standing(
            int(at / TENTH_S), [self._order(scope) for scope in scopes]
        )
        for order in standing.orders:
            order.add(mapping, standing.tenth)

    def use(self, mapping: Mapping, at: float) -> None:
        """Take note that a mapping was used at `at`, or later."""
        standing, tenth = self._standings[mapping], int(at / TENTH_S)
        if tenth > standing.tenth:
            for order in standing.orders:
                order.remove(mapping, standing.tenth)
                order.add(mapping, tenth)
            standing.tenth = tenth

    def forget(self, mapping: Mapping) -> list[Scope]:
        """Remove a mapping, and return the scopes in whose orders it stood."""
        standing = self._standings.pop(mapping)
        for order in standing.orders:
            order.remove(mapping, standing.tenth)
            if not order:
                del self._orders[order.scope]
        return [order.scope for order in standing.orders]

    def oldest(self, scope: Scope, until: float = math.inf) -> Iterator[Mapping]:
        """Yield the mappings of a scope whose last use was at `until` or before, the least recently used first."""
        return self._orders[scope].oldest(until) if scope in self._orders else iter(())

    def _order(self, scope: Scope) -> _Order:
        order = self._orders.get(scope)
        if order is None:
            order = self._orders[scope] = _Order(scope)
        return order
