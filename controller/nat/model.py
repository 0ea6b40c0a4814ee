"""The nouns of a NAT: endpoint, packet, session, mapping, and the verdict on a packet.

A *mapping* ties an internal endpoint to an external one; a *session* is a mapping plus one remote endpoint
(RFC 4787 section 4.1, RFC 5508 section 2). All addresses are IPv4.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass, field
from typing import NamedTuple

from controller.nat.tcp import TcpState


class Protocol(enum.IntEnum):
    """The transport protocols that are translated, by their IP protocol numbers."""

    ICMP = 1
    TCP = 6
    UDP = 17


class TcpFlags(enum.IntFlag):
    """The TCP flags that a NAT looks at, by their bits in the header."""

    NONE = 0
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    ACK = 0x10


class Side(enum.Enum):
    """The realm from which a packet comes."""

    INSIDE = "inside"
    OUTSIDE = "outside"

    @property
    def other(self) -> Side:
        """The side across."""
        return Side.OUTSIDE if self is Side.INSIDE else Side.INSIDE


class Endpoint(NamedTuple):
    """An IPv4 address (as an integer) and a port; for ICMP queries the port is the query identifier.

    A named tuple, not a dataclass: endpoints are hashed for each packet, and a tuple's hash is C code.
    """

    address: int
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read `10.0.0.1:40000`. Raises ValueError for anything else."""
        address, _, port = text.partition(":")
        return cls(int(ipaddress.IPv4Address(address)), int(port))

    def __str__(self) -> str:
        return f"{ipaddress.IPv4Address(self.address)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Packet:
    """What the NAT reads of a packet. The remote endpoint of an ICMP query has port 0."""

    protocol: Protocol
    source: Endpoint
    destination: Endpoint
    flags: TcpFlags = TcpFlags.NONE

    @property
    def opens_connection(self) -> bool:
        """Whether this is the first segment of a TCP connection: SYN, and nothing else that matters."""
        return self.flags == TcpFlags.SYN


@dataclass(slots=True, eq=False)
class Session:
    """One TCP connection through a mapping, as far as the NAT can see it (RFC 7857 section 2).

    `client` is the side that opened it; `answers_before` is the mapping's count of packets from the other side, as
    last examined, when it opened: more than that later on means that the other side has answered.
    """

    mapping: Mapping
    remote: Endpoint
    client: Side
    opened_at: float
    answers_before: int
    state: TcpState = TcpState.CLOSED


@dataclass(slots=True, eq=False)
class Mapping:
    """An internal endpoint and the external endpoint that stands for it, for one protocol.

    `sessions` holds TCP connections only: UDP peers are hidden by the rules of an endpoint-independent
    mapping. The packet counts are those of the rules when they were last examined.
    """

    protocol: Protocol
    internal: Endpoint
    external: Endpoint
    last_use: float
    sessions: dict[Endpoint, Session] = field(default_factory=dict)
    outbound_packets: int = 0
    inbound_packets: int = 0

    def packets_from(self, side: Side) -> int:
        """Return how many packets came from one side, as last examined."""
        return self.outbound_packets if side is Side.INSIDE else self.inbound_packets


class Limit(enum.Enum):
    """What ran short when a packet was refused; the value is its counter's name (RFC 8512)."""

    PORTS = "dropped_port_packets"


class DropReason(enum.Enum):
    """Why a packet was dropped although nothing ran short."""

    NO_MAPPING = "no mapping"
    NOT_A_SYN = "a TCP packet without SYN, and no mapping"


@dataclass(frozen=True, slots=True)
class Translate:
    """Let the packet pass, rewritten by this mapping; `created` says that the mapping is new."""

    mapping: Mapping
    created: bool


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not let the packet pass: `limit` was reached. The sender is told nothing."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class Drop:
    """Do not let the packet pass: it belongs to nothing."""

    reason: DropReason


Verdict = Translate | Refuse | Drop
