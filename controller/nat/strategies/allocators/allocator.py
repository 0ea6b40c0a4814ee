"""What an allocator gets, and the base class of all of them, whose first lines are the whole contract."""

from __future__ import annotations

import abc
import random
from dataclasses import dataclass
from typing import ClassVar

from controller.nat.model import Endpoint
from controller.nat.port_set import Ports


@dataclass(frozen=True, slots=True)
class PortPlan:
    """What an allocator gets: the ports, a seeded generator, and the size and idle time (s) of port blocks.

    `ports` are a sequence of numbers, the lowest first: a `range`, or several ranges together.
    """

    ports: Ports
    rng: random.Random
    port_set_size: int
    port_set_timeout: float


class Allocator(abc.ABC):
    """The free ports of one external address and one protocol (and of one destination, where ports may overlap).

    Derive from it and write the four methods; each takes constant time. The length of a new allocator is its
    capacity: the number of ports of the plan that it can have given at once. `allocate` returns ports of the plan
    only, and a given port again only after `release`. All randomness comes from the plan's generator, so that a
    seed repeats a run.
    """

    by_subscriber: ClassVar[bool] = False
    """Whether a port that one subscriber gives back is of no use to another."""

    @abc.abstractmethod
    def __init__(self, plan: PortPlan) -> None:
        """Take over the ports of `plan`, all of them free."""

    def leave_out(self, port: int) -> bool:
        """Never give this port, nor count it as free; or return False. This is called before any port is given.

        A port that is not left out is not used when it is given, and never released. Write this method where that
        has a price, such as a block that always has a port in use.
        """
        return False

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of free ports."""

    @abc.abstractmethod
    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a free port for a new mapping of `internal`, or return None if there is none for it."""

    @abc.abstractmethod
    def release(self, port: int, now: float) -> None:
        """Take back a port that was given and has rested since."""
