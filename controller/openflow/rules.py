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

    CLASSIFY = 0
    OUTBOUND = 1
    INBOUND = 2
    FORWARD = 3


@dataclass(frozen=True, slots=True)
class SetField:
    """Rewrite a header field or a register, by its OXM name."""

    name: str
    value: int | str


@dataclass(frozen=True, slots=True)
class Output:
    """Send the packet out of a port."""

    port: int


class Act(enum.Enum):
    """The actions that have no argument."""

    TO_CONTROLLER = "controller"
    DECREMENT_TTL = "dec_ttl"
    AS_A_LAN_SWITCH = "normal"


Action = SetField | Output | Act
Value = int | str | tuple[int, int] | tuple[str, str]
Match = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A flow rule. Matched packets take `actions` in order, then go on to the table `goto`.

    `metered` rules pass through the meter that protects the controller.
    """

    table: Table
    priority: int
    match: Match
    actions: tuple[Action, ...] = ()
    goto: Table | None = None
    metered: bool = False
    cookie: int = 0


INJECTED = 1
"""Register 0 of a packet that the controller has already decided on."""

FRESH = ("reg0", 0)
ARP = ("eth_type", 0x0806)
IPV4 = ("eth_type", 0x0800)
TCP = (IPV4, ("ip_proto", int(Protocol.TCP)))
COPY_THEN = (Act.TO_CONTROLLER,)


def masked(network: ipaddress.IPv4Network) -> tuple[str, str]:
    """Return the match of a network's addresses."""
    return (str(network.network_address), str(network.netmask))


def flags(value: TcpFlags, mask: TcpFlags) -> tuple[str, tuple[int, int]]:
    """Return the match of TCP flags: `value` among those of `mask`."""
    return ("tcp_flags", (int(value), int(mask)))
