"""Records of attempts: the attempt to make, what became of it, and what a server saw of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from testbed.traffic.wire import Endpoint


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of an attempt, as its own host saw it. Times are of the monotonic clock.

    `sequence` is the number of its SYN, if a TCP connection was made and no answer came on it.
    """

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
    sequence: int | None = None

    @classmethod
    def from_row(cls, row: list[Any]) -> Attempt:
        """Return the record that a worker sent as a row."""
        number, nonce, outcome, detail, source, seen, target, *measured = row
        return cls(number, nonce, outcome, detail, tuple(source), tuple(seen), tuple(target), *measured)

    @property
    def seconds(self) -> float:
        """The seconds from the attempt's start to its end."""
        return self.done_at - self.sent_at


@dataclass(frozen=True, slots=True)
class Opening:
    """An attempt to make: the client's position (from 0), the target, and the source port (0 for any).

    `address` is the place of the source among the client's addresses. None: the client uses them in turn.
    """

    number: int
    client: int
    target: Endpoint
    source_port: int = 0
    address: int | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """An attempt to make at `start`, to keep open for `holding_time`, and to close again; both in seconds."""

    opening: Opening
    start: float
    holding_time: float


class Parting(enum.StrEnum):
    """How a client ends a connection."""

    CLOSE = "close"
    """In an orderly way. Over UDP a last datagram goes out."""
    RESET = "reset"
    """By a RST."""
    VANISH = "vanish"
    """Without a packet."""


@dataclass(frozen=True, slots=True)
class Lived:
    """An attempt to make at `start`, whose connection is used for `lasts` seconds after its answer, and then ends.

    Meanwhile it sends something every `talks` seconds.
    """

    opening: Opening
    start: float
    lasts: float
    talks: float
    parting: Parting


@dataclass(frozen=True, slots=True)
class Sighting:
    """A client (by its nonce) as a server saw it: its endpoint, the first and the last time, and the target."""

    nonce: int
    address: str
    port: int
    first: float
    last: float
    target: Endpoint
    protocol: str = "tcp"

    @classmethod
    def from_row(cls, row: list[Any], protocol: str) -> Sighting:
        """Return the record that a worker sent as a row."""
        nonce, address, port, first, last, target = row
        return cls(nonce, address, port, first, last, (target[0], target[1]), protocol)

    @property
    def external(self) -> Endpoint:
        """The external endpoint that the client came from."""
        return self.address, self.port

    def until(self, last: float) -> Sighting:
        """Return the sighting with another last time; by far quicker than dataclasses.replace."""
        return Sighting(self.nonce, self.address, self.port, self.first, last, self.target, self.protocol)


@dataclass(frozen=True, slots=True)
class Sent:
    """A transfer on an attempt's connection as its client saw it: the bytes that came back wrong, or did not.

    `size` has the bytes that were to come back.
    `passes` is whether a few bytes got through after a transfer that went wrong.
    """

    protocol: str
    attempt: Attempt
    size: int
    wrong_back: int
    seconds: float
    passes: bool
