"""Paired pooling: all sessions of a subscriber use one external address (RFC 4787 REQ-2, RFC 6888 REQ-2)."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from typing import ClassVar

from controller.nat.model import Limit
from controller.nat.strategies.pooling.pooling import Pooling
from controller.nat.subscribers import Subscriber


class Paired(Pooling):
    """One external address for each subscriber, in turn. No other is used where it is full."""

    # RFC 7857 section 4: when the address is out of ports, new sessions are dropped.
    limit: ClassVar[Limit] = Limit.PORTS

    def __init__(self, addresses: tuple[int, ...], rng: random.Random) -> None:
        self._turns = itertools.cycle(addresses)

    def candidates(self, subscriber: Subscriber) -> Iterable[int]:
        """Return the subscriber's own address, and no other."""
        if subscriber.external_address is None:
            subscriber.external_address = next(self._turns)
        return (subscriber.external_address,)
