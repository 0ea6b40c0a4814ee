"""What an allocator is told, and what it has to look like."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar, Protocol

from controller.nat.model import Endpoint


@dataclass(frozen=True, slots=True)
class PortPlan:
    """What an allocator is told: the ports, a seeded generator, and the size and idle time (s) of port blocks."""

    ports: range
    rng: random.Random
    port_set_size: int
    port_set_timeout: float


class Allocator(Protocol):
    """The free ports of one external address and protocol."""

    by_subscriber: ClassVar[bool]
    """Whether a port that one subscriber gives back is of no use to another."""

    def __init__(self, plan: PortPlan) -> None: ...

    def __len__(self) -> int:
        """Return how many ports are free."""
        ...

    def allocate(self, internal: Endpoint, now: float) -> int | None:
        """Take a free port for a new mapping of `internal`, or return None if there is none for it."""
        ...

    def release(self, port: int, now: float) -> None:
        """Take back a port that was given and has rested."""
        ...
