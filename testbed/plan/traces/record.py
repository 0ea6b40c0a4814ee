"""An attempt as a trace has it, and which attempts are a NAT's business: those of inside hosts, TCP and UDP."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network

from controller.nat.model import Endpoint, Protocol
from testbed.plan.arrivals import Ending

INSIDE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
"""The networks whose hosts need a NAT (RFC 1918, RFC 6598)."""
_INSIDE = [(int(each.network_address), int(each.broadcast_address)) for each in INSIDE]


class TraceError(Exception):
    """A trace cannot be read. The message has the line or packet, and the reason."""


@dataclass(frozen=True, slots=True)
class Record:
    """An attempt of an inside endpoint: when its first and its last packet came, and how it ended."""

    at: float
    ends: float
    protocol: Protocol
    source: Endpoint
    destination: Endpoint
    ending: Ending


@dataclass(slots=True)
class Trace:
    """The attempts of a file, and why others were left out."""

    records: list[Record] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Take an attempt, if its source is inside and its destination is not."""
        if not is_inside(record.source.address):
            self.leave_out("not from an inside host")
        elif is_inside(record.destination.address):
            self.leave_out("to an inside host")
        else:
            self.records.append(record)

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Count what is no attempt of an inside host."""
        self.left_out[reason] = self.left_out.get(reason, 0) + count


def is_inside(address: int) -> bool:
    """Whether an address is private or shared."""
    return any(first <= address <= last for first, last in _INSIDE)
