"""What happened to the NAT, in the past tense. What comes with every flow is not frozen, as in `model.py`."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from controller.nat.model import Endpoint, Flow, Limit, Mapping, Protocol
from controller.nat.verdicts import Refuse, Translate
from controller.nat.waiting import Ticket


class ReleaseReason(enum.Enum):
    """Why a mapping or a flow ended."""

    CLOSED = "its last connection closed"
    IDLE = "it was idle for its timeout"
    ROLLED_BACK = "the switch refused its rules"
    EVICTED = "another needed its place"
    FLUSHED = "an operator ended it"


@dataclass(slots=True)
class MappingCreated:
    """A mapping was made, and a port given to it."""

    mapping: Mapping


@dataclass(slots=True)
class FlowCreated:
    """A mapping, new or not, is used with a new peer from now on."""

    flow: Flow


@dataclass(slots=True)
class ConnectionReopened:
    """A connection that had ended is opened again. Its counts are to be examined before its SYN goes on.

    They include what passed before, and only what comes after them can be the answer.
    """

    flow: Flow


@dataclass(slots=True)
class ConnectionTurned:
    """Both ends of a connection have ended it, or it goes on after all. Only after `Nat.report_phases`."""

    flow: Flow
    is_ended: bool


@dataclass(slots=True)
class PortMoved:
    """A port that rested is held down, or one that rested or was held down can be given again.

    Only after `Nat.report_phases`.
    """

    protocol: Protocol
    external: Endpoint
    is_held_down: bool


@dataclass(slots=True)
class FlowEnded:
    """A mapping is no longer used with this peer."""

    flow: Flow


@dataclass(slots=True)
class MappingReleased:
    """A mapping ended, after all its flows. Its port rests, may be held down, and then becomes free."""

    mapping: Mapping
    reason: ReleaseReason


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit refused a packet, the first time since a packet passed it (RFC 8158 natEvent 3, 12 and 13).

    `subject` is the external address or the subscriber that the limit belongs to, or None for a limit of all.
    """

    limit: Limit
    protocol: Protocol
    subject: int | None


@dataclass(frozen=True, slots=True)
class ThresholdReached:
    """A protocol's use of the pool rose to the high threshold, or fell to the low one (RFC 8158 natEvent 18)."""

    protocol: Protocol
    is_high: bool
    allocated: int


@dataclass(slots=True)
class Resumed:
    """Packets that were held go on or are refused: the first by `verdict`, the others as if they came only now."""

    ticket: Ticket
    verdict: Translate | Refuse


@dataclass(slots=True)
class GaveUp:
    """The sender of a packet that was held no longer waits. `place` is the packet's among those of the ticket."""

    ticket: Ticket
    place: int


Event = (
    MappingCreated
    | FlowCreated
    | ConnectionReopened
    | ConnectionTurned
    | PortMoved
    | FlowEnded
    | MappingReleased
    | LimitReached
    | ThresholdReached
    | Resumed
    | GaveUp
)
