"""The gateway's mind: it takes what the switch reports, asks the NAT, and returns commands.

Only here do the NAT (which knows no switch) and the pipeline (which knows no mappings) meet. Nothing is sent
from here, and the time is an argument; so a test can drive it with frames and an in-memory flow table.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.nat.events import Event, MappingCreated, MappingReleased, PortsExhausted
from controller.nat.model import Mapping, Packet, Protocol, Side, Translate
from controller.nat.translator import Nat
from controller.openflow.ageing import Ageing
from controller.openflow.commands import Clear, Command, Forward, Inject, Install, Poll, Remove
from controller.openflow.frames import ICMP_ECHO_REQUEST, Arp, Ipv4
from controller.openflow.neighbours import Neighbours
from controller.openflow.pipeline import Table, Value, base_rules, mapping_rules, rule_owner
from controller.wiring import ControllerConfiguration, Interface


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How many packets a rule has matched, as the switch reports it."""

    table: Table
    match: dict[str, Value]
    packets: int


class Router:
    """One NAT gateway: NAT, neighbours and ageing behind one switch."""

    def __init__(self, configuration: ControllerConfiguration) -> None:
        self._configuration = configuration
        self.nat = Nat(configuration.settings.for_nat(), random.Random(configuration.seed))
        self.nat_ports_exhausted = 0
        self.packet_ins_known_mappings = 0
        self.dropped_fragments = 0
        self._neighbours = Neighbours(configuration)
        self._ageing = Ageing()
        self._interfaces = {interface.port: interface for interface in configuration.interfaces}
        self._own = {int(interface.address.ip) for interface in configuration.interfaces}

    def connected(self, now: float) -> Iterator[Command]:
        """Fill a switch's tables, whatever it held before."""
        self.nat.counts_restarted(now)
        yield Clear()
        for rule in base_rules(self._configuration):
            yield Install(rule)
        yield from self._neighbours.rules()
        for mapping in self.nat.mappings():
            if mapping.protocol is not Protocol.ICMP:
                yield from self._install(mapping, self._ageing.cookie(mapping))

    def packet_in(self, table: Table, in_port: int, frame: bytes, now: float) -> Iterator[Command]:
        """Decide on a frame that the rules of `table` sent to the controller."""
        arp, ip, interface = Arp.parse(frame), Ipv4.parse(frame), self._interfaces.get(in_port)
        if ip is not None and table is Table.FORWARD:
            yield from self._neighbours.resolve(frame, ip.destination, now)
        elif interface is None:
            return  # the switch's own port
        elif arp is not None:
            yield from self._neighbours.arp(arp, interface)
        elif ip is None:
            return  # too short to be anything
        elif ip.is_fragment:
            self.dropped_fragments += 1
        elif ip.destination in self._own:
            yield from self._answer(ip, interface)
        elif (packet := ip.packet()) is not None:
            if table is Table.CLASSIFY:
                self.nat.observe(interface.side, packet, now)
            else:
                yield from self._translate(interface.side, packet, ip, in_port, now)
            yield from self._follow(now)

    def _answer(self, ip: Ipv4, interface: Interface) -> Iterator[Command]:
        """Answer a ping to the gateway itself, for hosts of the network that it comes from."""
        if ip.icmp_type == ICMP_ECHO_REQUEST and ip.comes_from(interface.address.network):
            yield Forward(ip.echo_reply())

    def _translate(self, side: Side, packet: Packet, ip: Ipv4, in_port: int, now: float) -> Iterator[Command]:
        if packet.protocol is Protocol.ICMP and (ip.icmp_type == ICMP_ECHO_REQUEST) != (side is Side.INSIDE):
            return  # queries are asked from inside, and answered from outside
        decide = self.nat.outbound if side is Side.INSIDE else self.nat.inbound
        verdict = decide(packet, now)
        if not isinstance(verdict, Translate):
            return
        # The rules of a new mapping come first: the injected packet is to meet them.
        yield from self._follow(now)
        mapping = verdict.mapping
        if packet.protocol is not Protocol.ICMP:
            self.packet_ins_known_mappings += not verdict.created and not packet.opens_connection
            yield Inject(ip.frame, in_port)
        elif side is Side.INSIDE:
            frame = ip.query(source=mapping.external.address, identifier=mapping.external.port)
            yield Forward(frame)
        else:
            frame = ip.query(destination=mapping.internal.address, identifier=mapping.internal.port)
            yield Forward(frame)

    def tick(self, now: float) -> Iterator[Command]:
        """Let time pass: end what is over, and ask for the counts of what may be idle."""
        self._neighbours.tick(now)
        if self.nat.next_deadline is None or self.nat.next_deadline > now:
            return
        examine = self.nat.due(now)
        yield from self._follow(now)
        for cookie in self._ageing.buckets(m for m in examine if self._is_live(m)):
            yield Poll(cookie)

    def counted(self, cookie: int, counts: Iterable[RuleCount], now: float) -> Iterator[Command]:
        """Take the packet counts of a bucket's rules; a rule that is missing counts what it last did."""
        outbound: dict[Mapping, int] = {}
        inbound: dict[Mapping, int] = {}
        for count in counts:
            protocol, endpoint = rule_owner(count.table, count.match)
            if count.table is Table.OUTBOUND:
                mapping, packets = self.nat.by_internal(protocol, endpoint), outbound
            else:
                mapping, packets = self.nat.by_external(protocol, endpoint), inbound
            if mapping is not None:
                packets[mapping] = count.packets
        for mapping in self._ageing.members(cookie):
            self.nat.examined(
                mapping,
                outbound.get(mapping, mapping.outbound_packets),
                inbound.get(mapping, mapping.inbound_packets),
                now,
            )
        yield from self._follow(now)

    def refused(self, mapping: Mapping, now: float) -> Iterator[Command]:
        """The switch refused a rule of this mapping: undo it."""
        self.nat.roll_back(mapping, now)
        yield from self._follow(now)

    def _follow(self, now: float) -> Iterator[Command]:
        """Turn what happened to the NAT into rules."""
        while self.nat.events:
            yield from self._after(self.nat.events.popleft(), now)

    def _after(self, event: Event, now: float) -> Iterator[Command]:
        match event:
            case PortsExhausted():
                self.nat_ports_exhausted += 1
            case MappingCreated(mapping) if mapping.protocol is not Protocol.ICMP:
                yield from self._install(mapping, self._ageing.add(mapping, now))
            case MappingReleased(mapping) if mapping.protocol is not Protocol.ICMP:
                for rule in mapping_rules(mapping, self._ageing.remove(mapping)):
                    yield Remove(rule)

    def _install(self, mapping: Mapping, cookie: int) -> Iterator[Command]:
        for rule in mapping_rules(mapping, cookie):
            yield Install(rule, mapping)

    def _is_live(self, mapping: Mapping) -> bool:
        return self.nat.by_internal(mapping.protocol, mapping.internal) is mapping
