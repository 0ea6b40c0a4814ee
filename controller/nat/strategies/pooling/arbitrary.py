"""Arbitrary pooling: sessions of one subscriber may use different external addresses (RFC 4787 section 4.1)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

from controller.nat.model import Limit
from controller.nat.strategies.pooling.pooling import Pooling
from controller.nat.subscribers import Subscriber


class Arbitrary(Pooling):
    """Any external address for each mapping, at random, and the next one where it is full."""

    limit: ClassVar[Limit] = Limit.POOL

    def __init__(self, addresses: tuple[int, ...], rng: random.Random) -> None:
        self._addresses = addresses
        self._rng = rng

    def candidates(self, subscriber: Subscriber) -> Iterator[int]:
        """Yield every address, from a random one on."""
        first = int(self._rng.random() * len(self._addresses))
        yield from self._addresses[first:]
        yield from self._addresses[:first]
