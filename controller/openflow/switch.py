"""The router's orders to its switch, which carries them out in their order.

The controller's own is `outbox.Outbox`, which turns them into bytes. A test's is a flow table in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from controller.nat.model import Flow, Packet
from controller.openflow.frames import Ipv4
from controller.openflow.rules import Rule, Stopped, Table

NO_PORT = 0
"""The port that the switch gives for a packet that an outbound rule has just translated."""


@dataclass(slots=True, eq=False)
class Arrival:
    """A packet on its way to the NAT: the frame, the port that it came in by, and what the NAT reads of it.

    A packet from inside to an external address is translated twice. Then the port is NO_PORT.
    """

    frame: bytes
    in_port: int
    packet: Packet

    @property
    def ip(self) -> Ipv4:
        """Where everything is in the frame, read only when it is asked for."""
        ip = Ipv4.parse(self.frame)
        assert ip is not None
        return ip

    @property
    def quoted(self) -> Ipv4:
        """What an ICMP error about it quotes."""
        return self.ip


@dataclass(slots=True, eq=False)
class Datagram(Arrival):
    """A packet that the controller translates and forwards itself: a query, or one that no link has room for.

    `most` is the size of the largest of the fragments in which it came, if it did. `first` is the first of them,
    or the packet itself: what an error about it quotes.
    """

    first: Ipv4
    most: int | None

    @property
    def quoted(self) -> Ipv4:
        """What an ICMP error about it quotes: the first fragment."""
        return self.first


class Switch(Protocol):
    """A switch with the tables of `pipeline`."""

    def clear(self) -> None:
        """Remove every rule, and set the meters up anew."""

    def install(self, rule: Rule) -> None:
        """Add a rule that belongs to no flow."""

    def withdraw(self, rule: Rule) -> None:
        """Remove a rule that belongs to no flow."""

    def add(self, flow: Flow, cookie: int, cause: Arrival | None) -> None:
        """Add a flow's rules. If one is refused, the flow is undone, and so is the packet `cause` that made it."""

    def remove(self, flow: Flow, cookie: int) -> None:
        """Remove a flow's rules, outbound and inbound."""

    def inject(self, frame: bytes, in_port: int, table: Table) -> None:
        """Put a frame back into the table that asked for a decision, marked as decided."""

    def deliver(self, frame: bytes) -> None:
        """Put a frame with an external source before the inbound rules, marked as decided."""

    def forward(self, frame: bytes) -> None:
        """Send a frame on to its next hop, also by the port that it came in by."""

    def send(self, frame: bytes, port: int) -> None:
        """Send a frame of our own out of a port."""

    def then(self, do: Callable[[float], None]) -> None:
        """Call `do` with the time, once the switch has carried out all orders up to now, or refused them."""

    def poll(self, cookie: int) -> None:
        """Ask for the packet counts of all rules with this cookie."""

    def sum_up(self, why: Stopped) -> None:
        """Ask how many packets were dropped for a reason."""
