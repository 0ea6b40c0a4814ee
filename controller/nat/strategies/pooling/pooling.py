"""What a way of pooling has to look like."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import ClassVar, Protocol

from controller.nat.model import Limit
from controller.nat.subscribers import Subscriber


class Pooling(Protocol):
    """Chooses among the external addresses."""

    limit: ClassVar[Limit]
    """What ran short when no candidate has a free port: the PORTS of a subscriber's one address, or the POOL."""

    def __init__(self, addresses: tuple[int, ...], rng: random.Random) -> None: ...

    def candidates(self, subscriber: Subscriber) -> Iterable[int]:
        """Return the addresses that a new mapping of this subscriber may use, in the order to try them.

        May set `subscriber.external_address`, which stays until the subscriber's last mapping ends.
        """
        ...
