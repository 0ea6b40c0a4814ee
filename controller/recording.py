"""What a recording has of one event: 12 bytes, the same from whichever NAT it comes.

Time (units of 100 us since the recording began), kind, detail (the protocol in the low nibble, the reason in the
high one), the index of an external address, a port, and the index of a subscriber. Index 0 is "not known". What
the indexes mean is announced in words. `testbed/recording` has the file that these records end up in.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from controller.nat.events import ReleaseReason
from controller.nat.model import Limit, Protocol

RECORD = struct.Struct("<IBBHHH")
TICKS_PER_S = 10_000
"""Units of time in a second."""
MOST_TICKS = 2**32 - 1
ROUNDING = 1e-6
MOST_IN_BATCH = 20_000
"""The most events between two batches. More are counted as missed."""
BATCH_EVERY_S = 0.1


class Kind(enum.IntEnum):
    """What happened. After a record of the kind TEXT, a text of JSON follows."""

    TEXT = 0
    ALLOCATED = 1
    """A port was given to a new mapping of a subscriber."""
    CLOSING = 2
    """The last connection of a mapping has ended, and its last packets may follow (RFC 7857 section 2)."""
    RELEASED = 3
    """A mapping ended, for a reason. Its port rests."""
    HELD_DOWN = 4
    """A port has rested, and is held down (RFC 6888 REQ-8)."""
    FREED = 5
    """A port can be given again."""
    REFUSED = 6
    """A packet that could begin a connection was refused, by a limit."""
    HELD = 7
    """A packet waits for what is short."""
    ATTEMPT = 8
    """A client learned what became of its attempt. The time is when it did."""
    REOPENED = 9
    """A mapping that was closing is used again."""


class Release(enum.IntEnum):
    """Why a mapping ended: the reason of RELEASED."""

    UNKNOWN = 0
    CLOSED = 1
    IDLE = 2
    ROLLED_BACK = 3
    EVICTED = 4
    FLUSHED = 5


class Refusal(enum.IntEnum):
    """The limit that a packet met: the reason of REFUSED and HELD."""

    UNKNOWN = 0
    SUBSCRIBERS = 1
    QUOTA = 2
    RATE = 3
    MAPPINGS = 4
    SESSIONS = 5
    PORTS = 6
    POOL = 7
    FLOW_TABLE = 8
    HOLD_QUEUE = 9
    DESTINATION = 10
    SUBSCRIBER_PORTS = 11
    RESERVATION = 12


PROTOCOLS = ("tcp", "udp", "icmp")
"""The protocols, each at its number in the detail."""
PROTOCOL_NUMBERS = {Protocol[name.upper()]: number for number, name in enumerate(PROTOCOLS)}
RELEASES = {reason: Release[reason.name] for reason in ReleaseReason}
REFUSALS = {limit: Refusal[limit.name] for limit in Limit}


def ticks_of(seconds: float) -> int:
    """Return the last unit that began by this time. What was a whole number of units stays one."""
    return min(max(0, int(seconds * TICKS_PER_S + ROUNDING)), MOST_TICKS)


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """How a gateway records: when the recording began (monotonic clock), and which indexes are its own."""

    started: float
    first_address: int
    first_subscriber: int
    subscribers: int

    def ticks(self, now: float) -> int:
        """Return a time of the monotonic clock in units of the recording."""
        return ticks_of(now - self.started)


class Batch:
    """Events since the last batch, packed. What does not fit is counted."""

    def __init__(self, plan: RecordingPlan, most: int = MOST_IN_BATCH) -> None:
        self.plan = plan
        self._most_bytes = most * RECORD.size
        self._packed = bytearray()
        self._missed = 0
        self._subscribers: dict[str, int] = {}
        self._new: list[tuple[int, str]] = []

    def add(
        self,
        ticks: int,
        kind: Kind,
        protocol: int,
        *,
        reason: int = 0,
        address: int = 0,
        port: int = 0,
        subscriber: int = 0,
    ) -> None:
        """Add an event."""
        self.append(RECORD.pack(ticks, kind, protocol | reason << 4, address, port, subscriber))

    def append(self, packed: bytes) -> None:
        """Add an event that is packed already."""
        if len(self._packed) >= self._most_bytes:
            self._missed += 1
        else:
            self._packed += packed

    @property
    def is_half_full(self) -> bool:
        """Whether half of the room is used up."""
        return 2 * len(self._packed) >= self._most_bytes

    @property
    def is_full(self) -> bool:
        """Whether the next event would be missed."""
        return len(self._packed) >= self._most_bytes

    def miss(self, events: int) -> None:
        """Count events that nobody could record."""
        self._missed += events

    def subscriber(self, address: str) -> int:
        """Return the index of a subscriber. One that there is no index left for is not known."""
        index = self._subscribers.get(address)
        if index is None:
            place = len(self._subscribers)
            if place >= self.plan.subscribers:
                return 0
            index = self._subscribers[address] = self.plan.first_subscriber + place
            self._new.append((index, address))
        return index

    def take(self) -> tuple[bytes, int, list[tuple[int, str]]]:
        """Return the events since the last time, the number of those that were missed, and the new subscribers."""
        taken = bytes(self._packed), self._missed, self._new
        self._packed, self._missed, self._new = bytearray(), 0, []
        return taken
