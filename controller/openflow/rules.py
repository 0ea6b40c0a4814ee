"""The words in which the switch's rules are written: tables, matches, actions, rules.

Nothing here knows Ryu or sockets. Matches use OpenFlow's OXM names, as the framework spells them.
"""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass

from controller.nat.model import Protocol, TcpFlags


class Table(enum.IntEnum):
    """The tables, in the order in which a packet meets them."""

    ADMIT = 0
    CLASSIFY = 1
    OUTBOUND = 2
    INBOUND = 3
    FORWARD = 4
    EXPIRED = 5
    UNROUTED = 6
    LARGE = 7


class Meter(enum.IntEnum):
    """The meters that protect the controller, by what they let pass.

    A flood of fragments stops no whole packets, and a flood from outside stops nothing that the inside opens. Two
    inside hosts, and two outside, share a meter.
    """

    PACKETS = 1
    FRAGMENTS = 2
    STRANGERS = 3
    """What comes from outside, and no rule takes."""


class Stopped(enum.IntEnum):
    """Why a rule drops packets: the cookie of such rules, by which the switch counts what they drop."""

    MARTIAN = 1 << 63 | 1
    """An address that no host has (RFC 1812 section 5.3.7)."""
    SPOOFED = 1 << 63 | 2
    """A source that is not on that side or at that port (RFC 2827)."""
    PROTOCOL = 1 << 63 | 3
    """A protocol that is not translated."""


@dataclass(frozen=True, slots=True)
class SetField:
    """Rewrite a header field or a register, by its OXM name."""

    name: str
    value: int | str


@dataclass(frozen=True, slots=True)
class Output:
    """Send the packet out of a port."""

    port: int


@dataclass(frozen=True, slots=True)
class CheckLarger:
    """Set register 1 to 1 if the IPv4 packet has more than this number of bytes, else to 0."""

    most: int


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Send the packet through another table, which may be an earlier one."""

    table: Table


class Act(enum.Enum):
    """The actions that have no argument."""

    TO_CONTROLLER = "controller"
    DECREMENT_TTL = "dec_ttl"
    AS_A_LAN_SWITCH = "normal"
    MAY_RETURN = "in_port=0"
    """Let the packet leave also by the port that it came in by."""


Action = SetField | Output | CheckLarger | Resubmit | Act
Value = int | str | tuple[int, int] | tuple[str, str]
Match = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A flow rule. Matched packets take `actions` in order, then go on to the table `goto`.

    The packets of `metered` rules pass through the `meter`, which protects the controller.
    """

    table: Table
    priority: int
    match: Match
    actions: tuple[Action, ...] = ()
    goto: Table | None = None
    metered: bool = False
    cookie: int = 0
    meter: Meter = Meter.PACKETS


INJECTED = 1
"""Register 0 of a packet that the controller has already decided on."""

FRESH = ("reg0", 0)
TOO_LARGE = ("reg1", 1)
"""Of a packet with more bytes than `CheckLarger` allows."""
ARP = ("eth_type", 0x0806)
IPV4 = ("eth_type", 0x0800)
TCP = (IPV4, ("ip_proto", int(Protocol.TCP)))
COPY_THEN = (Act.TO_CONTROLLER,)
# The framework puts Nicira's fields first, and what they presuppose must come before them: so Nicira's as well.
NICIRA_IPV4 = ("eth_type_nxm", 0x0800)
LAST_HOP = tuple((NICIRA_IPV4, ("nw_ttl", ttl)) for ttl in (0, 1))
"""Packets that may not be forwarded (RFC 1812 section 5.3.1)."""


def masked(network: ipaddress.IPv4Network) -> tuple[str, str]:
    """Return the value of a match: all addresses of a network."""
    return (str(network.network_address), str(network.netmask))


def flags(value: TcpFlags, mask: TcpFlags) -> tuple[str, tuple[int, int]]:
    """Return the match of TCP flags: `value` among those of `mask`."""
    return ("tcp_flags", (int(value), int(mask)))
