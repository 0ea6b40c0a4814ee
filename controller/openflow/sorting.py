"""What a frame is about that is not simply a packet to be translated: for each kind who takes it.

ARP, packets to the gateway itself, fragments, what has no route or no time left, what is too large, queries of
ICMP and its errors. Whatever is to be translated in the end goes on to `Decider`.
"""

from __future__ import annotations

from typing import Protocol as Interface

from controller.nat.model import Protocol, Side
from controller.nat.translator import Nat
from controller.openflow.drops import Drops
from controller.openflow.errors import Errors
from controller.openflow.fragmenting import MOST_BYTES, Sender
from controller.openflow.frames import ICMP_ECHO_REQUEST, ICMP_QUERIES, Arp, Ipv4
from controller.openflow.icmp import IcmpError
from controller.openflow.neighbours import Neighbours
from controller.openflow.reassembly import Reassembly, Whole
from controller.openflow.relay import ErrorRelay
from controller.openflow.rules import Table
from controller.openflow.switch import NO_PORT, Arrival, Datagram
from controller.wiring import ControllerConfiguration
from controller.wiring import Interface as Link

INSIDE, ICMP = Side.INSIDE, Protocol.ICMP
CLASSIFY, OUTBOUND, INBOUND = Table.CLASSIFY, Table.OUTBOUND, Table.INBOUND
TRANSLATED = frozenset(map(int, Protocol))


class Decider(Interface):
    """Who takes what is to be translated."""

    nat: Nat
    drops: Drops
    errors: Errors
    neighbours: Neighbours
    reassembly: Reassembly

    def translate(self, table: Table, side: Side, arrival: Arrival, now: float) -> None:
        """Decide on a packet of which the rules of `table` know no flow, or only take a copy."""

    def decide(self, side: Side, datagram: Datagram, now: float) -> None:
        """Decide on a packet that no rule forwards."""

    def hairpinned(self, ip: Ipv4, now: float) -> None:
        """Let a packet in that an outbound rule has translated, and that no inbound rule takes."""

    def follow(self, now: float) -> None:
        """Do what the NAT's events ask for."""


class Sorting:
    """Sorts the frames of one gateway."""

    def __init__(
        self, configuration: ControllerConfiguration, decider: Decider, sender: Sender, relay: ErrorRelay
    ) -> None:
        self._decider = decider
        self._sender = sender
        self._relay = relay
        self.room = configuration.largest_outbound or MOST_BYTES
        self._interfaces = {interface.port: interface for interface in configuration.interfaces}
        self._own = {int(address) for address in configuration.own}
        self._addresses = {int(interface.address.ip) for interface in configuration.interfaces}
        self._external = {int(address) for address in configuration.settings.external_addresses}
        self._ours = self._own | self._external

    def uncommon(self, table: Table, in_port: int, frame: bytes, now: float) -> None:
        """Decide on anything that is not simply a packet to be translated."""
        arp, ip, interface = Arp.parse(frame), Ipv4.parse(frame), self._interfaces.get(in_port)
        if ip is not None and table is Table.FORWARD:
            self._decider.neighbours.resolve(frame, in_port, ip.destination, now)
        elif in_port == NO_PORT and ip is not None:
            self._decider.hairpinned(ip, now)
        elif interface is None:
            return  # the switch's own port
        elif arp is not None:
            self._decider.neighbours.arp(arp, interface, now)
        elif ip is None or not ip.is_sound:
            self._decider.drops.invalid += 1
        elif table is Table.EXPIRED and not self._is_for_us(ip, interface.side):
            self._decider.drops.expired += 1
            self._decider.errors.expired(ip, interface, now)
        elif table is Table.UNROUTED:
            self._decider.drops.unrouted += 1
            self._decider.errors.unrouted(ip, interface, now)
        elif ip.is_fragment:
            self._reassemble(ip, interface, now)
        else:
            self._whole(table, ip, interface, now)

    def _reassemble(self, ip: Ipv4, interface: Link, now: float) -> None:
        """Decide on a packet when all its fragments have come."""
        whole = self._decider.reassembly.add(interface.port, ip, now)
        if whole is None:
            return
        if whole.ip.is_sound:
            table = OUTBOUND if interface.side is INSIDE else INBOUND
            self._whole(table, whole.ip, interface, now, whole)
        else:
            self._decider.drops.invalid += 1

    def _whole(self, table: Table, ip: Ipv4, interface: Link, now: float, came_as: Whole | None = None) -> None:
        """Decide on a whole packet. `came_as` is how it came, if it came in fragments."""
        side, most = interface.side, None if came_as is None else came_as.most
        first = ip if came_as is None else came_as.first
        if self._is_for_us(ip, side):
            self._answer(ip, first, interface, most, now)
        elif ip.protocol not in TRANSLATED:
            self._decider.drops.untranslated += 1
        elif side is INSIDE and table is not CLASSIFY and not self._may_go_on(ip, first, interface, most, now):
            return
        elif (packet := ip.packet()) is not None:
            if packet.protocol is not ICMP and came_as is None and table is not Table.LARGE:
                self._decider.translate(table, side, Arrival(ip.frame, interface.port, packet), now)
            # Queries are asked from inside, and answered from outside.
            elif packet.protocol is not ICMP or (ip.icmp_type in ICMP_QUERIES) == (side is INSIDE):
                self._decider.decide(side, Datagram(ip.frame, interface.port, packet, first, most), now)
        elif (error := IcmpError.parse(ip)) is not None:
            self._relay.relay(side, error, now, most)
            about = error.embedded
            if side is INSIDE and ip.source == about.destination.address:
                self._decider.nat.unwanted(about.protocol, about.destination, about.source, now)
            self._decider.follow(now)

    def _may_go_on(self, ip: Ipv4, first: Ipv4, interface: Link, most: int | None, now: float) -> bool:
        """Whether a packet from inside may get where it is to go. If it may not, it takes no port."""
        if ip.destination in self._external and (packet := ip.packet()) is not None:
            is_mapped = self._decider.nat.is_mapped(packet.protocol, packet.destination)
            self._decider.nat.counters[packet.protocol].dropped_unmapped_packets += not is_mapped
            return is_mapped
        if not self.exceeds(ip, most):
            return True
        if ip.dont_fragment:
            self._decider.errors.too_large(first, interface, self.room, now)
        return not ip.dont_fragment

    def exceeds(self, ip: Ipv4, most: int | None) -> bool:
        """Whether a packet from inside, or its largest fragment, is more than its link has room for."""
        return (most or ip.size) > self.room and ip.destination not in self._ours

    def _is_for_us(self, ip: Ipv4, side: Side) -> bool:
        """Whether a packet is for the gateway itself: also a ping to an address that the NAT has as well.

        The outside reaches the addresses of the gateway's links, and the inside all of the NAT's, too.
        """
        if ip.is_fragment or ip.icmp_type != ICMP_ECHO_REQUEST:
            return ip.destination in self._own
        return ip.destination in (self._ours if side is INSIDE else self._addresses)

    def _answer(self, ip: Ipv4, first: Ipv4, interface: Link, most: int | None, now: float) -> None:
        """Answer a packet to the gateway itself: a ping, at any of its addresses (RFC 1812 section 4.3.3.6)."""
        if ip.icmp_type == ICMP_ECHO_REQUEST:
            self._sender.forward(ip.echo_reply(), most)
        else:
            self._decider.errors.not_served(ip, first, interface, now)
