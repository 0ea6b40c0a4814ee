"""What the router wants done: values, turned into OpenFlow messages elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from controller.nat.model import Flow, Packet
from controller.openflow.frames import Ipv4
from controller.openflow.pipeline import Rule


@dataclass(frozen=True, slots=True)
class Clear:
    """Remove every rule, and set the meter up anew."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet from inside, on its way to the NAT: the frame, where it came in, and what the NAT reads of it."""

    ip: Ipv4
    in_port: int
    packet: Packet


@dataclass(frozen=True, slots=True)
class Install:
    """Add a rule; `flow` is rolled back if the switch refuses it, and `cause`, which made it, is refused."""

    rule: Rule
    flow: Flow | None = None
    cause: Arrival | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove one rule."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Inject:
    """Put a frame back into the pipeline where it came in, marked as decided."""

    frame: bytes
    in_port: int


@dataclass(frozen=True, slots=True)
class Forward:
    """Send a frame on to its next hop, whichever port that is on: also the one it came from."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame of our own out of a port."""

    frame: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Poll:
    """Ask for the packet counts of all rules with this cookie."""

    cookie: int


Command = Clear | Install | Remove | Inject | Forward | Send | Poll
