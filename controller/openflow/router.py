"""The decisions of the gateway: what the switch reports goes to the NAT, and orders for the switch come back.

Only here do the NAT (which knows no switch) and the pipeline (which knows no mappings) meet. Nothing is sent from
here, and the time is an argument, so that a test can drive it with frames and an in-memory flow table.

A fill sends its packets through `packet_in` as fast as they are answered, and nearly all are the first of their
flows. For these the code does as little as possible: no object that is not needed, no generator, no `match`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

from controller.nat.events import (
    ConnectionReopened,
    Event,
    FlowCreated,
    FlowEnded,
    GaveUp,
    LimitReached,
    MappingCreated,
    Resumed,
    ThresholdReached,
)
from controller.nat.model import Answer, Flow, Limit, Protocol, Side
from controller.nat.translator import Nat
from controller.nat.unsolicited import Unsolicited
from controller.nat.verdicts import Drop, Hold, Refuse, Translate, Verdict
from controller.nat.waiting import Ticket
from controller.openflow.ageing import Ageing
from controller.openflow.answers import reset
from controller.openflow.drops import Drops
from controller.openflow.errors import Errors
from controller.openflow.fragmenting import MOST_BYTES, Sender
from controller.openflow.frames import ETHERNET_BYTES, ICMP_ECHO_REQUEST, ICMP_QUERIES, Arp, Ipv4, common
from controller.openflow.icmp import IcmpError
from controller.openflow.neighbours import Neighbours
from controller.openflow.pipeline import base_rules
from controller.openflow.reassembly import Reassembly, Whole
from controller.openflow.recorder import Recorder
from controller.openflow.relay import ErrorRelay
from controller.openflow.rewriting import translated
from controller.openflow.rules import Stopped, Table
from controller.openflow.statistics import RuleCount
from controller.openflow.switch import NO_PORT, Arrival, Datagram, Switch
from controller.wiring import ControllerConfiguration, Interface

# By names of their own: looking up an enum's member takes as long as a call.
INSIDE, ICMP = Side.INSIDE, Protocol.ICMP
CLASSIFY, OUTBOUND, INBOUND = Table.CLASSIFY, Table.OUTBOUND, Table.INBOUND
NEITHER_SIDE: tuple[None, set[int]] = (None, set())
NO_CAUSES: dict[Flow, Arrival] = {}
TRANSLATED = frozenset(map(int, Protocol))


class Router:
    """One NAT gateway: NAT, neighbours and ageing behind one switch."""

    def __init__(self, configuration: ControllerConfiguration, switch: Switch) -> None:
        settings = configuration.settings
        self._configuration = configuration
        self._switch = switch
        self.nat = Nat(settings.for_nat(), random.Random(configuration.seed))
        self.limits_reached: Counter[Limit] = Counter()
        self.thresholds_reached = 0
        self.packet_ins_known_mappings = 0
        self.dropped_protocol_packets = 0
        self.drops = Drops()
        self._recorder: Recorder | None = None
        self.neighbours = Neighbours(configuration, switch)
        self.reassembly = Reassembly(settings.fragments_limit, settings.in_force("fragment_min_timeout"))
        routes = self.neighbours.routes
        self.errors = Errors(settings, routes, switch)
        self._sender = Sender(configuration, routes, switch)
        self._relay = ErrorRelay(configuration, self.nat, self.errors, self._sender, routes, switch)
        self._room = configuration.largest_outbound or MOST_BYTES
        self._usual = self._room + ETHERNET_BYTES
        self._unsolicited: Unsolicited[Arrival] = Unsolicited(settings.in_force("tcp_in_syn_timeout"))
        self._ageing = Ageing()
        self._held: dict[Ticket, list[Arrival]] = {}
        self._interfaces = {interface.port: interface for interface in configuration.interfaces}
        self._own = {int(address) for address in configuration.own}
        self._addresses = {int(interface.address.ip) for interface in configuration.interfaces}
        self._external = {int(address) for address in settings.external_addresses}
        self._ours = self._own | self._external
        # By port, its side, and the destinations there that are not simply beyond the NAT.
        apart = {Side.INSIDE: self._ours, Side.OUTSIDE: self._own}
        self._sides = {port: (each.side, apart[each.side]) for port, each in self._interfaces.items()}

    def record(self, recorder: Recorder, now: float) -> None:
        """Record from now on what becomes of ports, and which packets are refused."""
        self._recorder = recorder
        self.nat.report_phases()
        for mapping in self.nat.mappings():
            recorder.allocated(mapping, now)

    def connected(self, now: float) -> None:
        """Fill a switch's tables, whatever it held before."""
        self.nat.counts_restarted(now)
        self._switch.clear()
        self.drops.restarted()
        for rule in base_rules(self._configuration):
            self._switch.install(rule)
        self.neighbours.install()
        for flow in self.nat.flows():
            if flow.mapping.protocol is not Protocol.ICMP:
                self._switch.add(flow, self._ageing.cookie(flow), None)

    def packet_in(self, table: Table, in_port: int, frame: bytes, now: float) -> None:
        """Decide on a frame that the rules of `table` sent to the controller."""
        packet, (side, apart) = common(frame), self._sides.get(in_port, NEITHER_SIDE)
        if packet is None or side is None or table > INBOUND or packet.destination >> 16 in apart:
            self._uncommon(table, in_port, frame, now)
        else:
            self._translate(table, side, Arrival(frame, in_port, packet), now)

    def _uncommon(self, table: Table, in_port: int, frame: bytes, now: float) -> None:
        """Decide on anything that is not simply a packet to be translated."""
        arp, ip, interface = Arp.parse(frame), Ipv4.parse(frame), self._interfaces.get(in_port)
        if ip is not None and table is Table.FORWARD:
            self.neighbours.resolve(frame, in_port, ip.destination, now)
        elif in_port == NO_PORT and ip is not None:
            self._hairpinned(ip, now)
        elif interface is None:
            return  # the switch's own port
        elif arp is not None:
            self.neighbours.arp(arp, interface, now)
        elif ip is None or not ip.is_sound:
            self.drops.invalid += 1
        elif table is Table.EXPIRED and not self._is_for_us(ip, interface.side):
            self.drops.expired += 1
            self.errors.expired(ip, interface, now)
        elif table is Table.UNROUTED:
            self.drops.unrouted += 1
            self.errors.unrouted(ip, interface, now)
        elif ip.is_fragment:
            self._reassemble(ip, interface, now)
        else:
            self._whole(table, ip, interface, now)

    def _reassemble(self, ip: Ipv4, interface: Interface, now: float) -> None:
        """Decide on a packet when all its fragments have come."""
        whole = self.reassembly.add(interface.port, ip, now)
        if whole is None:
            return
        if whole.ip.is_sound:
            table = OUTBOUND if interface.side is INSIDE else INBOUND
            self._whole(table, whole.ip, interface, now, whole)
        else:
            self.drops.invalid += 1

    def _whole(
        self, table: Table, ip: Ipv4, interface: Interface, now: float, came_as: Whole | None = None
    ) -> None:
        """Decide on a whole packet. `came_as` is how it came, if it came in fragments."""
        side, most = interface.side, None if came_as is None else came_as.most
        first = ip if came_as is None else came_as.first
        if self._is_for_us(ip, side):
            self._answer(ip, first, interface, most, now)
        elif ip.protocol not in TRANSLATED:
            self.dropped_protocol_packets += 1
        elif side is INSIDE and table is not CLASSIFY and not self._may_go_on(ip, first, interface, most, now):
            return
        elif (packet := ip.packet()) is not None:
            if packet.protocol is not ICMP and came_as is None and table is not Table.LARGE:
                self._translate(table, side, Arrival(ip.frame, interface.port, packet), now)
            # Queries are asked from inside, and answered from outside.
            elif packet.protocol is not ICMP or (ip.icmp_type in ICMP_QUERIES) == (side is INSIDE):
                self._decide(side, Datagram(ip.frame, interface.port, packet, first, most), now)
        elif (error := IcmpError.parse(ip)) is not None:
            self._relay.relay(side, error, now, most)
            about = error.embedded
            if side is INSIDE and ip.source == about.destination.address:
                self.nat.unwanted(about.protocol, about.destination, about.source, now)
            self._follow(now)

    def _may_go_on(self, ip: Ipv4, first: Ipv4, interface: Interface, most: int | None, now: float) -> bool:
        """Whether a packet from inside may get where it is to go. If it may not, it takes no port."""
        if ip.destination in self._external and (packet := ip.packet()) is not None:
            is_mapped = self.nat.is_mapped(packet.protocol, packet.destination)
            self.nat.counters[packet.protocol].dropped_unmapped_packets += not is_mapped
            return is_mapped
        if not self._exceeds(ip, most):
            return True
        if ip.dont_fragment:
            self.errors.too_large(first, interface, self._room, now)
        return not ip.dont_fragment

    def _exceeds(self, ip: Ipv4, most: int | None) -> bool:
        """Whether a packet from inside, or its largest fragment, is more than its link has room for."""
        return (most or ip.size) > self._room and ip.destination not in self._ours

    def _is_for_us(self, ip: Ipv4, side: Side) -> bool:
        """Whether a packet is for the gateway itself: also a ping to an address that the NAT has as well.

        The outside reaches the addresses of the gateway's links, and the inside all of the NAT's, too.
        """
        if ip.is_fragment or ip.icmp_type != ICMP_ECHO_REQUEST:
            return ip.destination in self._own
        return ip.destination in (self._ours if side is INSIDE else self._addresses)

    def _answer(self, ip: Ipv4, first: Ipv4, interface: Interface, most: int | None, now: float) -> None:
        """Answer a packet to the gateway itself: a ping, at any of its addresses (RFC 1812 section 4.3.3.6)."""
        if ip.icmp_type == ICMP_ECHO_REQUEST:
            self._sender.forward(ip.echo_reply(), most)
        else:
            self.errors.not_served(ip, first, interface, now)

    # Packets

    def _translate(self, table: Table, side: Side, arrival: Arrival, now: float) -> None:
        packet = arrival.packet
        if table is CLASSIFY:
            self._observe(side, arrival, now)
            return
        verdict = self.nat.outbound(packet, now) if side is INSIDE else self.nat.inbound(packet, now)
        if type(verdict) is not Translate:
            self._do(verdict, side, arrival, now)
            return
        # The same as `_do` for nearly all packets, in two calls less.
        if self.nat.events:
            self._follow(now, verdict.flow, arrival if side is INSIDE else None)
        if not verdict.created:
            self.packet_ins_known_mappings += not packet.opens_connection
        self._switch.inject(arrival.frame, arrival.in_port, table)

    def _observe(self, side: Side, arrival: Arrival, now: float) -> None:
        """Take note of the copy of a segment that passes by rules, through both mappings if it stays inside.

        One that its link has no room for comes again.
        """
        packet = arrival.packet
        if side is INSIDE and len(arrival.frame) > self._usual and self._exceeds(arrival.ip, None):
            return
        self.nat.observe(side, packet, now)
        if side is INSIDE and packet.destination.address in self._external:
            flow = self.nat.outbound_flow(packet.protocol, packet.source, packet.destination)
            if flow is not None:
                self.nat.observe(Side.OUTSIDE, packet._replace(source=flow.mapping.external), now)
        self._follow(now)

    def _hairpinned(self, ip: Ipv4, now: float) -> None:
        """Let a packet in that an outbound rule has translated, and that no inbound rule takes."""
        packet = ip.packet()
        if not ip.is_sound:
            self.drops.invalid += 1
        elif packet is not None and packet.protocol is not ICMP:
            self._do(self.nat.inbound(packet, now), Side.OUTSIDE, Arrival(ip.frame, NO_PORT, packet), now)

    def _decide(self, side: Side, datagram: Datagram, now: float) -> None:
        """Decide on a packet that no rule forwards."""
        nat, packet = self.nat, datagram.packet
        self._do(nat.outbound(packet, now) if side is INSIDE else nat.inbound(packet, now), side, datagram, now)

    def _do(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> None:
        """Carry out a verdict, after what else happened, so that an injected packet meets the new rules."""
        if isinstance(verdict, Translate):
            self._follow(now, verdict.flow, arrival if side is INSIDE else None)
        else:
            if isinstance(verdict, Hold):
                held = self._held.setdefault(verdict.ticket, [])
                if verdict.is_new:
                    held.append(arrival)
                    if self._recorder is not None:
                        self._recorder.held(verdict.ticket.scope.limit, arrival.packet, now)
            self._follow(now)
        self._conclude(verdict, side, arrival, now)

    def _conclude(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> None:
        """Send the packet itself on, or send its sender the answer."""
        if isinstance(verdict, Translate):
            flow = verdict.flow
            if not isinstance(arrival, Datagram):
                self._reenter(side, arrival)
            elif arrival.packet.protocol is ICMP:
                self._forward(side, flow, arrival, now)
            else:
                self._switch.then(lambda later: self._forward(side, flow, arrival, later))
        elif isinstance(verdict, Refuse):
            if self._recorder is not None:
                self._recorder.refused(verdict.limit, arrival.packet, side, now)
            self._answer_refused(verdict.answer, arrival, now)
        elif isinstance(verdict, Drop) and side is Side.OUTSIDE and arrival.packet.opens_connection:
            self._unsolicited.remember(arrival.packet.destination, arrival.packet.source, arrival, now)

    def _reenter(self, side: Side, arrival: Arrival) -> None:
        """Put a packet back into the table that has asked for a decision."""
        if arrival.in_port == NO_PORT:
            self._switch.deliver(arrival.frame)
        else:
            self._switch.inject(arrival.frame, arrival.in_port, OUTBOUND if side is INSIDE else INBOUND)

    def _forward(self, side: Side, flow: Flow, datagram: Datagram, now: float) -> None:
        """Translate a packet here and send it on, unless the switch has refused the rules of its flow."""
        mapping = flow.mapping
        if not flow.is_live:
            return
        if side is not INSIDE:
            self._sender.forward(translated(datagram.ip, destination=mapping.internal), datagram.most)
            return
        frame, packet = translated(datagram.ip, source=mapping.external), datagram.packet
        if packet.destination.address not in self._external:
            self._sender.forward(frame, datagram.most)
            return
        packet = packet._replace(source=mapping.external)
        first = Ipv4.parse(translated(datagram.first, source=mapping.external))
        assert first is not None
        self._decide(Side.OUTSIDE, Datagram(frame, NO_PORT, packet, first, datagram.most), now)

    def _answer_refused(self, answer: Answer, arrival: Arrival, now: float) -> None:
        """Send an answer to the sender of a refused packet, where it may be sent."""
        counters = self.nat.counters[arrival.packet.protocol]
        if answer is Answer.ICMP:
            interface = self._interfaces[arrival.in_port]
            counters.icmp_sent += self.errors.refused(arrival.quoted, interface, now)
        elif answer is Answer.RESET:
            frame = reset(arrival.ip)
            if frame is not None:
                counters.resets_sent += 1
                self._switch.forward(frame)

    # Time, and what the switch reports

    def tick(self, now: float) -> None:
        """End what is over by `now`, and ask for the counts of what may be idle."""
        for frame in self.neighbours.tick(now):
            self._relay.answer_unresolved(frame, now)
        self.reassembly.tick(now)
        for arrival in self._unsolicited.due(now):
            self._relay.answer_unsolicited(arrival, now)
        self._follow(now)
        deadline = self.nat.next_deadline
        if deadline is None or deadline > now:
            return
        examine = self.nat.due(now)
        self._follow(now)
        for cookie in self._ageing.buckets(flow for flow in examine if self.nat.is_live(flow)):
            self._switch.poll(cookie)

    def counted(self, cookie: int, counts: Iterable[RuleCount], now: float) -> None:
        """Take the packet counts of a bucket's rules. A rule that is missing keeps its last count."""
        outbound: dict[Flow, int] = {}
        inbound: dict[Flow, int] = {}
        for count in counts:
            owner = (count.protocol, count.endpoint, count.peer)
            if count.table is Table.OUTBOUND:
                flow, packets = self.nat.outbound_flow(*owner), outbound
            else:
                flow, packets = self.nat.inbound_flow(*owner), inbound
            if flow is not None:
                packets[flow] = count.packets
        self.nat.examined(
            (
                (flow, outbound.get(flow, flow.outbound_packets), inbound.get(flow, flow.inbound_packets))
                for flow in self._ageing.members(cookie)
            ),
            now,
        )
        self._follow(now)

    def sum_up(self) -> None:
        """Ask for the counts of what rules drop before the NAT sees it."""
        for why in Stopped:
            self._switch.sum_up(why)

    def flush(self, now: float) -> None:
        """End every mapping, after which packets that wait go on."""
        self.nat.flush(now)
        self._follow(now)

    def refused(self, flow: Flow, cause: Arrival | None, now: float) -> None:
        """Undo a flow of which the switch refused a rule, and refuse the packet that made it."""
        if self._recorder is not None and cause is None and flow.is_live:
            self._recorder.lost(flow, now)
        verdict = self.nat.roll_back(flow, None if cause is None else cause.packet, now)
        if verdict is None or cause is None:
            self._follow(now)
        else:
            self._do(verdict, Side.INSIDE, cause, now)

    # What happened to the NAT

    def _follow(self, now: float, made: Flow | None = None, cause: Arrival | None = None) -> None:
        """Do what the NAT's events ask for. `cause` is the packet from inside that made `made`, if that is new.

        Of packets that were held together, the first goes on by its verdict, the others as if they came only then.
        """
        events = self.nat.events
        others: list[Arrival] = []
        recorder = self._recorder
        causes = self._held_causes(now) if self._held else NO_CAUSES
        unsolicited = self._unsolicited.remembered
        while events:
            event = events.popleft()
            if type(event) is FlowCreated:
                flow = event.flow
                if unsolicited:
                    self._unsolicited.opened(flow)
                if flow.mapping.protocol is not ICMP:
                    of_flow = cause if flow is made else causes.get(flow)
                    self._switch.add(flow, self._ageing.add(flow, now), of_flow)
                if recorder is not None and recorder.ended:
                    recorder.note(event, now)
            elif type(event) is MappingCreated:
                if recorder is not None:
                    recorder.allocated(event.mapping, now)
            elif type(event) is Resumed:
                others += self._resume(event, now)
            else:
                self._note(event)
                if recorder is not None:
                    recorder.note(event, now)
        for arrival in others:
            self._do(self.nat.outbound(arrival.packet, now), INSIDE, arrival, now)

    def _held_causes(self, now: float) -> dict[Flow, Arrival]:
        """Forget the held packets that are wanted no more. Return those that made new flows, by their flows."""
        for event in self.nat.events:
            if isinstance(event, GaveUp):
                self._let_go(event, now)
        return {
            event.verdict.flow: self._held[event.ticket][0]
            for event in self.nat.events
            if isinstance(event, Resumed) and isinstance(event.verdict, Translate)
        }

    def _resume(self, event: Resumed, now: float) -> list[Arrival]:
        """Conclude on packets that were held, and return those that are still to be decided."""
        arrivals, decided = self._held.pop(event.ticket), 1
        if not isinstance(event.verdict, Translate):
            decided = len(arrivals)
        for arrival in arrivals[:decided]:
            self._conclude(event.verdict, Side.INSIDE, arrival, now)
        return arrivals[decided:]

    def _let_go(self, event: GaveUp, now: float) -> None:
        """Forget a packet that was held."""
        held = self._held[event.ticket]
        arrival = held.pop(event.place)
        if self._recorder is not None:
            self._recorder.refused(event.ticket.scope.limit, arrival.packet, INSIDE, now)
        if not held:
            del self._held[event.ticket]

    def _note(self, event: Event) -> None:
        if isinstance(event, FlowEnded):
            if event.flow.mapping.protocol is not Protocol.ICMP:
                self._switch.remove(event.flow, self._ageing.remove(event.flow))
        elif isinstance(event, ConnectionReopened):
            self._switch.poll(self._ageing.cookie(event.flow))
        elif isinstance(event, LimitReached):
            self.limits_reached[event.limit] += 1
        elif isinstance(event, ThresholdReached):
            self.thresholds_reached += 1
