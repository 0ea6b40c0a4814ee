"""Paired pooling that may spill over: "soft-APP" (RFC 7857 section 4)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import ClassVar

from controller.nat.model import Limit
from controller.nat.strategies.pooling.paired import Paired
from controller.nat.subscribers import Subscriber


class PairedSoft(Paired):
    """The subscriber's own address while it has a free port, then any other."""

    limit: ClassVar[Limit] = Limit.POOL

    def __init__(self, addresses: tuple[int, ...], rng: random.Random) -> None:
        super().__init__(addresses, rng)
        self._addresses = addresses

    def candidates(self, subscriber: Subscriber) -> Iterator[int]:
        """Yield the subscriber's own address, then the others."""
        (own,) = super().candidates(subscriber)
        yield own
        yield from (address for address in self._addresses if address != own)
