"""Records of attempts: what is to be made, what became of it, and what a server saw of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from testbed.traffic.wire import Endpoint


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of an attempt, as its own host saw it; times are of the monotonic clock."""

    number: int
    nonce: int
    outcome: str
    detail: str
    source: Endpoint
    seen: Endpoint
    target: Endpoint
    sent_at: float
    done_at: float
    retransmissions: int

    @classmethod
    def from_row(cls, row: list[Any]) -> Attempt:
        """Read a worker's row."""
        number, nonce, outcome, detail, source, seen, target, *measured = row
        return cls(number, nonce, outcome, detail, tuple(source), tuple(seen), tuple(target), *measured)

    @property
    def seconds(self) -> float:
        """From its start to its end."""
        return self.done_at - self.sent_at


@dataclass(frozen=True, slots=True)
class Opening:
    """An attempt to be made: by which client (from 0, in their order), to where, and from which port (0: any)."""

    number: int
    client: int
    target: Endpoint
    source_port: int = 0


@dataclass(frozen=True, slots=True)
class Served:
    """An attempt to be made at `start`, kept open for `holding_time`, and closed again; both are in seconds."""

    opening: Opening
    start: float
    holding_time: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """A client as a server saw it: who (by nonce), from which endpoint, when first and when last, and at which."""

    nonce: int
    address: str
    port: int
    first: float
    last: float
    target: Endpoint
    protocol: str = "tcp"

    @classmethod
    def from_row(cls, row: list[Any], protocol: str) -> Sighting:
        """Read a worker's row."""
        nonce, address, port, first, last, target = row
        return cls(nonce, address, port, first, last, (target[0], target[1]), protocol)

    @property
    def external(self) -> Endpoint:
        """The endpoint that it came from."""
        return self.address, self.port
