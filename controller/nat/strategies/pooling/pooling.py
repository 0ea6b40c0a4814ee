"""The base class of all ways of pooling."""

from __future__ import annotations

import abc
import random
from collections.abc import Iterable
from typing import ClassVar

from controller.nat.model import Limit
from controller.nat.subscribers import Subscriber


class Pooling(abc.ABC):
    """Chooses among the external addresses for each new mapping."""

    limit: ClassVar[Limit]
    """What ran short when no candidate has a free port: the PORTS of a subscriber's one address, or the POOL."""

    @abc.abstractmethod
    def __init__(self, addresses: tuple[int, ...], rng: random.Random) -> None:
        """Take over the external addresses."""

    @abc.abstractmethod
    def candidates(self, subscriber: Subscriber) -> Iterable[int]:
        """Return the addresses that a new mapping of this subscriber may use, in the order to try them.

        It may set `subscriber.external_address`, which stays until the subscriber's last mapping ends.
        """
