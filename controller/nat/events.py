"""What happened to the NAT, in the past tense. Names follow RFC 8158 where it has one."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from controller.nat.model import Mapping, Protocol


class ReleaseReason(enum.Enum):
    """Why a mapping ended."""

    CLOSED = "its last session closed"
    IDLE = "it was idle for its timeout"
    ROLLED_BACK = "the switch refused its rules"


@dataclass(frozen=True, slots=True)
class MappingCreated:
    """A mapping was made, and a port given to it."""

    mapping: Mapping


@dataclass(frozen=True, slots=True)
class MappingReleased:
    """A mapping ended; its port rests or is held down, then becomes free."""

    mapping: Mapping
    reason: ReleaseReason


@dataclass(frozen=True, slots=True)
class PortsExhausted:
    """A packet was refused for want of a port, the first since one was last free (RFC 8158 natEvent 12)."""

    protocol: Protocol
    address: int


Event = MappingCreated | MappingReleased | PortsExhausted
