"""The nouns of a NAT: endpoint, packet, flow, connection, mapping, and what can run short.

A *mapping* ties an internal endpoint to an external one. A *session* is a mapping plus one remote endpoint (RFC
4787 section 4.1, RFC 5508 section 2). A *flow* is what the switch can count: the sessions of a mapping that one
pair of rules carries, at least one. All addresses are IPv4.

What is made for each packet is not frozen, which would double its cost, but nothing changes it. Enums that serve
as keys are hashed by identity, in a third of the time that their names take.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from controller.nat.tcp import TcpState
from controller.nat.timers import Timed


class Protocol(enum.IntEnum):
    """The transport protocols that are translated, by their IP protocol numbers."""

    ICMP = 1
    TCP = 6
    UDP = 17


TCP = Protocol.TCP
"""By a name of its own, like SYN and the two sides: looking up an enum's member takes as long as a call."""


class TcpFlags(enum.IntFlag):
    """The TCP flags that a NAT looks at, by their bits in the header."""

    NONE = 0
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    ACK = 0x10


SYN = TcpFlags.SYN


class Side(enum.Enum):
    """The realm from which a packet comes."""

    __hash__ = object.__hash__

    INSIDE = "inside"
    OUTSIDE = "outside"

    @property
    def other(self) -> Side:
        """The realm on the other side of the NAT."""
        return OUTSIDE if self is INSIDE else INSIDE


INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE


class Endpoint(int):
    """An IPv4 address and a port as one number; for ICMP queries the port is the query identifier.

    A number, not a record: tables of many thousands are keyed by endpoints, and an integer is the smallest key
    that Python has, and the quickest to hash.
    """

    __slots__ = ()

    def __new__(cls, address: int, port: int) -> Endpoint:
        """Join an address and a port."""
        return int.__new__(cls, address << 16 | port)

    @property
    def address(self) -> int:
        """The IPv4 address, as an integer."""
        return self >> 16

    @property
    def port(self) -> int:
        """The port, 0 to 65535."""
        return self & 0xFFFF

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read `10.0.0.1:40000`. Raises ValueError for anything else."""
        address, _, port = text.partition(":")
        return cls(int(ipaddress.IPv4Address(address)), int(port))

    def __str__(self) -> str:
        return f"{ipaddress.IPv4Address(self.address)}:{self.port}"

    __repr__ = __str__


ANYBODY = Endpoint(0, 0)
"""The part of a remote endpoint that matters where something is endpoint-independent: none of it."""


class Dependence(enum.IntEnum):
    """The part of the remote endpoint that something depends on (RFC 4787 sections 4.1 and 5), least first."""

    INDEPENDENT = 0
    ADDRESS = 1
    ADDRESS_AND_PORT = 2

    def part(self, remote: Endpoint) -> Endpoint:
        """Return a remote endpoint with 0 in place of what does not matter."""
        return PARTS[self](remote)


PARTS: dict[Dependence, Callable[[Endpoint], Endpoint]] = {
    Dependence.INDEPENDENT: lambda remote: ANYBODY,
    Dependence.ADDRESS: lambda remote: Endpoint(remote.address, 0),
    Dependence.ADDRESS_AND_PORT: lambda remote: remote,
}
"""The function that returns the part of a remote endpoint that matters, for each dependence."""


class Packet(NamedTuple):
    """What the NAT reads of a packet. The remote endpoint of an ICMP query has port 0."""

    protocol: Protocol
    source: Endpoint
    destination: Endpoint
    flags: TcpFlags = TcpFlags.NONE

    @property
    def opens_connection(self) -> bool:
        """Whether this is the first segment of a TCP connection: SYN, and nothing else that matters."""
        return self.flags == SYN


@dataclass(slots=True, eq=False)
class Mapping:
    """An internal endpoint and the external endpoint that stands for it, for one protocol.

    `toward` is the part of the remote endpoint for which the mapping behaviour made it: ANYBODY, an address, or an
    endpoint. `last_use` is when any of its flows was last refreshed. `flows` is never empty while the mapping
    lives. `kept_by` is the number of them that keep it: all but those of strangers. A static mapping keeps itself,
    also without flows.
    """

    protocol: Protocol
    internal: Endpoint
    external: Endpoint
    toward: Endpoint
    last_use: float
    flows: list[Flow] = field(default_factory=list)
    kept_by: int = 0
    is_static: bool = False


class StaticMapping(NamedTuple):
    """A mapping that an operator has ordered."""

    protocol: Protocol
    external: Endpoint
    internal: Endpoint


@dataclass(slots=True, eq=False)
class Flow(Timed):
    """What one pair of rules carries: a mapping's packets to and from all peers, one address, or one endpoint.

    `peer` is that part of the remote endpoint. Where it is an endpoint, the flow is a session. Otherwise the rules
    hide which sessions there are. A TCP flow is always a session, and has a `connection`, whose SYN the NAT itself
    saw. The packet counts are the rules', as last examined, at `examined_at`.
    """

    mapping: Mapping
    peer: Endpoint
    last_use: float
    examined_at: float
    place: int
    outbound_packets: int = 0
    inbound_packets: int = 0
    connection: Connection | None = None
    is_inbound_only: bool = False
    """Whether another mapping's flow carries what the internal endpoint sends to this peer."""
    is_strangers: bool = False
    """Whether a stranger opened it, to whom the inside has not answered: it keeps no mapping."""
    is_live: bool = True
    """Whether it has not ended."""

    def packets_from(self, side: Side) -> int:
        """Return the number of packets from one side, as last examined."""
        return self.outbound_packets if side is Side.INSIDE else self.inbound_packets


@dataclass(slots=True, eq=False)
class Connection(Timed):
    """One TCP connection, as far as the NAT can see it (RFC 7857 section 2).

    `client` is the side that opened it. `since` is the time of its last SYN, or the time when it entered its
    state. `packets_before` is a count of its flow's packets. While the connection opens, it counts those from the
    other side, and more of them mean that the other side has answered. After a RST it counts all packets, and more
    of them mean that the connection goes on. `awaits_inside` is whether the outside opened it, and the inside has
    not answered.
    """

    flow: Flow
    client: Side
    since: float
    packets_before: int
    state: TcpState
    awaits_inside: bool
    was_reset: bool = False
    """Whether its last state was entered by a RST, and not because it was idle."""


class Limit(enum.Enum):
    """What can run short. The value is the counter of the packets that it stopped (RFC 8512 where it has one)."""

    __hash__ = object.__hash__

    SUBSCRIBERS = "dropped_subscriber_limit_packets"
    """`limit_subscribers`: active inside addresses."""
    QUOTA = "dropped_port_limit_packets"
    """`port_quota`, `port_quota_tcp` and so on: ports of one subscriber (RFC 6888 REQ-4)."""
    RATE = "dropped_rate_packets"
    """`new_mapping_rate_per_subscriber` (RFC 6888 REQ-4C)."""
    MAPPINGS = "dropped_mapping_limit_packets"
    """`limit_port_mappings` (RFC 7659 natv2InstancePortMapEntryLimitDrops)."""
    SESSIONS = "dropped_state_limit_packets"
    """`limit_sessions`."""
    DESTINATION = "dropped_destination_limit_packets"
    """`limit_sessions_per_destination`: sessions of an external address with one remote endpoint."""
    PORTS = "dropped_port_packets"
    """The ports of the one external address that the subscriber may use (RFC 7857 section 4)."""
    POOL = "dropped_address_packets"
    """The ports of every external address, where any of them would do."""
    SUBSCRIBER_PORTS = "dropped_subscriber_port_packets"
    """`subscriber_ports`: those of one subscriber, toward one destination."""
    RESERVATION = "dropped_reservation_packets"
    """Ports to be reserved for one more subscriber."""
    FLOW_TABLE = "dropped_flow_table_packets"
    """The flow table of the switch: it refused a rule."""
    HOLD_QUEUE = "dropped_hold_packets"
    """`hold_queue`: packets that are held."""


class EndedBy(enum.Enum):
    """The way in which a mapping's last flow ended: its port may come back sooner after one than after another."""

    __hash__ = object.__hash__

    FIN = "hold_down_fin_timeout"
    """The FINs of both sides."""
    RST = "hold_down_rst_timeout"
    """A RST of either side."""
    IDLE = "hold_down_idle_timeout"
    """A timer: it was idle, or never answered."""
    OTHER = "hold_down_timeout"
    """An operator, or a switch without room for its rules."""


class Answer(enum.Enum):
    """What the sender of a refused packet gets: nothing, an ICMP error, or a TCP reset."""

    NOTHING = "drop"
    ICMP = "icmp"
    RESET = "reset"
