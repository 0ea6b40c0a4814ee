"""Round-robin pooling: each new mapping takes the next external address (RFC 8512 address-allocation-type)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

from controller.nat.model import Limit
from controller.nat.strategies.pooling.pooling import Pooling
from controller.nat.subscribers import Subscriber


class RoundRobin(Pooling):
    """The next external address for each mapping, in turn. A full one is passed over."""

    limit: ClassVar[Limit] = Limit.POOL

    def __init__(self, addresses: tuple[int, ...], rng: random.Random) -> None:
        self._addresses = addresses
        self._next = 0

    def candidates(self, subscriber: Subscriber) -> Iterator[int]:
        """Yield every address, from the next one on."""
        first = self._next
        self._next = (first + 1) % len(self._addresses)
        yield from self._addresses[first:]
        yield from self._addresses[:first]
