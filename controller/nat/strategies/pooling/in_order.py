"""Pooling in order: one external address is filled before the next is used, as some cloud load balancers do it."""

from __future__ import annotations

import random
from typing import ClassVar

from controller.nat.model import Limit
from controller.nat.strategies.pooling.pooling import Pooling
from controller.nat.subscribers import Subscriber


class InOrder(Pooling):
    """The first external address that has a free port, in the order in which they are listed."""

    limit: ClassVar[Limit] = Limit.POOL

    def __init__(self, addresses: tuple[int, ...], rng: random.Random) -> None:
        self._addresses = addresses

    def candidates(self, subscriber: Subscriber) -> tuple[int, ...]:
        """Return every address, always in the same order."""
        return self._addresses
