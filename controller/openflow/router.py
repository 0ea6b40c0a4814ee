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
    Event,
    FlowCreated,
    FlowEnded,
    LimitReached,
    MappingCreated,
    Resumed,
    ThresholdReached,
)
from controller.nat.model import Answer, Flow, Limit, Mapping, Protocol, Side
from controller.nat.translator import Nat
from controller.nat.verdicts import Hold, Refuse, Translate, Verdict
from controller.nat.waiting import Ticket
from controller.openflow.ageing import Ageing
from controller.openflow.answers import reset
from controller.openflow.drops import Drops
from controller.openflow.errors import Errors
from controller.openflow.frames import ICMP_ECHO_REQUEST, Arp, Ipv4, common
from controller.openflow.icmp import IcmpError
from controller.openflow.neighbours import Neighbours
from controller.openflow.pipeline import base_rules
from controller.openflow.rules import Stopped, Table
from controller.openflow.statistics import RuleCount
from controller.openflow.switch import Arrival, Switch
from controller.wiring import ControllerConfiguration

# By names of their own: looking up an enum's member takes as long as a call.
INSIDE, ICMP = Side.INSIDE, Protocol.ICMP
CLASSIFY, OUTBOUND, INBOUND = Table.CLASSIFY, Table.OUTBOUND, Table.INBOUND
NO_CAUSES: dict[Flow, Arrival] = {}


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
        self.dropped_fragments = 0
        self.drops = Drops()
        self.errors = Errors(settings, switch)
        self.neighbours = Neighbours(configuration, switch)
        self._ageing = Ageing()
        self._held: dict[Ticket, list[Arrival]] = {}
        self._interfaces = {interface.port: interface for interface in configuration.interfaces}
        self._sides = {port: interface.side for port, interface in self._interfaces.items()}
        self._own = {int(address) for address in configuration.own}
        self._addresses = {int(interface.address.ip) for interface in configuration.interfaces}

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
        packet, side = common(frame), self._sides.get(in_port)
        if packet is None or side is None or table > INBOUND or packet.destination >> 16 in self._own:
            self._uncommon(table, in_port, frame, now)
        else:
            self._translate(table, side, Arrival(frame, in_port, packet), now)

    def _uncommon(self, table: Table, in_port: int, frame: bytes, now: float) -> None:
        """Decide on anything that is not simply a packet to be translated."""
        arp, ip, interface = Arp.parse(frame), Ipv4.parse(frame), self._interfaces.get(in_port)
        if ip is not None and table is Table.FORWARD:
            self.neighbours.resolve(frame, ip.destination, now)
        elif interface is None:
            return  # the switch's own port
        elif arp is not None:
            self.neighbours.arp(arp, interface, now)
        elif ip is None or not ip.is_sound:
            self.drops.invalid += 1
        elif ip.destination in self._addresses and self._is_for_us(ip):
            self._answer(ip, now)
        elif table is Table.EXPIRED:
            self.drops.expired += 1
            self.errors.expired(ip, interface, now)
        elif table is Table.UNROUTED:
            self.drops.unrouted += 1
            self.errors.unrouted(ip, interface, now)
        elif ip.is_fragment:
            self.dropped_fragments += 1
        elif (packet := ip.packet()) is not None:
            # Queries are asked from inside, and answered from outside.
            is_query, is_inside = ip.icmp_type == ICMP_ECHO_REQUEST, interface.side is Side.INSIDE
            if packet.protocol is not Protocol.ICMP or is_query == is_inside:
                self._translate(table, interface.side, Arrival(frame, in_port, packet), now)
        elif (error := IcmpError.parse(ip)) is not None:
            self._translate_error(interface.side, error)

    def _is_for_us(self, ip: Ipv4) -> bool:
        """Whether a packet to an address of the gateway is for itself, since the NAT may have it as well."""
        return ip.destination in self._own or (ip.icmp_type == ICMP_ECHO_REQUEST and not ip.is_fragment)

    def _answer(self, ip: Ipv4, now: float) -> None:
        """Answer a packet to the gateway itself: a ping, at any of its addresses (RFC 1812 section 4.3.3.6)."""
        if ip.is_fragment:
            self.dropped_fragments += 1
        elif ip.icmp_type == ICMP_ECHO_REQUEST:
            self._switch.forward(ip.echo_reply())
        else:
            self.errors.not_served(ip, now)

    # Packets

    def _translate(self, table: Table, side: Side, arrival: Arrival, now: float) -> None:
        packet = arrival.packet
        if table is CLASSIFY:
            self.nat.observe(side, packet, now)  # the copy of a segment that passes without us
            self._follow(now)
            return
        verdict = self.nat.outbound(packet, now) if side is INSIDE else self.nat.inbound(packet, now)
        if type(verdict) is not Translate or packet.protocol is ICMP:
            self._do(verdict, side, arrival, now)
            return
        # The same as `_do` for nearly all packets, in two calls less.
        if self.nat.events:
            self._follow(now, verdict.flow, arrival if side is INSIDE else None)
        if not verdict.created:
            self.packet_ins_known_mappings += not packet.opens_connection
        self._switch.inject(arrival.frame, arrival.in_port, table)

    def _do(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> None:
        """Carry out a verdict, after what else happened, so that an injected packet meets the new rules."""
        if isinstance(verdict, Translate):
            self._follow(now, verdict.flow, arrival if side is INSIDE else None)
        else:
            if isinstance(verdict, Hold):
                held = self._held.setdefault(verdict.ticket, [])
                if verdict.is_new:
                    held.append(arrival)
            self._follow(now)
        self._conclude(verdict, side, arrival, now)

    def _conclude(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> None:
        """Send the packet itself on, or send its sender the answer."""
        if isinstance(verdict, Translate):
            if arrival.packet.protocol is ICMP:
                self._forward_query(side, verdict.flow.mapping, arrival.ip)
            else:
                self._switch.inject(arrival.frame, arrival.in_port, OUTBOUND if side is INSIDE else INBOUND)
        elif isinstance(verdict, Refuse):
            self._answer_refused(verdict.answer, arrival, now)

    def _forward_query(self, side: Side, mapping: Mapping, ip: Ipv4) -> None:
        """Translate an ICMP query here: OpenFlow cannot set its identifier."""
        if side is Side.INSIDE:
            external = mapping.external
            self._switch.forward(ip.query(source=external.address, identifier=external.port))
        else:
            internal = mapping.internal
            self._switch.forward(ip.query(destination=internal.address, identifier=internal.port))

    def _answer_refused(self, answer: Answer, arrival: Arrival, now: float) -> None:
        """Send an answer to the sender of a refused packet, where it may be sent."""
        counters = self.nat.counters[arrival.packet.protocol]
        if answer is Answer.ICMP:
            interface = self._interfaces[arrival.in_port]
            counters.icmp_sent += self.errors.refused(arrival.ip, interface, now)
        elif answer is Answer.RESET:
            frame = reset(arrival.ip)
            if frame is not None:
                counters.resets_sent += 1
                self._switch.forward(frame)

    def _unresolved(self, frame: bytes, now: float) -> None:
        """Answer a packet whose next hop is silent. The NAT translates the answer back, if it must."""
        ip, routes = Ipv4.parse(frame), self.neighbours.routes
        answer = None if ip is None else self.errors.unresolved(ip, self._configuration.inside, now)
        if ip is None or answer is None:
            return
        if routes.is_inside(ip.source):
            self._switch.forward(answer.frame)
        elif (error := IcmpError.parse(answer)) is not None:
            self._translate_error(Side.INSIDE if routes.is_inside(ip.destination) else Side.OUTSIDE, error)

    def _translate_error(self, side: Side, error: IcmpError) -> None:
        """Pass on an ICMP error about a packet of a known flow (RFC 5508 REQ-4, REQ-5). It changes no mapping."""
        about = error.embedded
        if side is Side.OUTSIDE:
            flow = self.nat.inbound_flow(about.protocol, about.source, about.destination)
            if flow is not None:
                internal = flow.mapping.internal
                self._switch.forward(
                    error.translated(outer_destination=internal.address, embedded_source=internal)
                )
        else:
            flow = self.nat.outbound_flow(about.protocol, about.destination, about.source)
            if flow is not None:
                external = flow.mapping.external
                self._switch.forward(
                    error.translated(outer_source=external.address, embedded_destination=external)
                )

    # Time, and what the switch reports

    def tick(self, now: float) -> None:
        """End what is over by `now`, and ask for the counts of what may be idle."""
        for frame in self.neighbours.tick(now):
            self._unresolved(frame, now)
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
        causes = self._held_causes() if self._held else NO_CAUSES
        while events:
            event = events.popleft()
            if type(event) is FlowCreated:
                flow = event.flow
                if flow.mapping.protocol is not ICMP:
                    of_flow = cause if flow is made else causes.get(flow)
                    self._switch.add(flow, self._ageing.add(flow, now), of_flow)
            elif type(event) is Resumed:
                others += self._resume(event, now)
            elif type(event) is not MappingCreated:
                self._note(event)
        for arrival in others:
            self._do(self.nat.outbound(arrival.packet, now), INSIDE, arrival, now)

    def _held_causes(self) -> dict[Flow, Arrival]:
        """Return the held packets that made new flows, by their flows."""
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

    def _note(self, event: Event) -> None:
        if isinstance(event, FlowEnded):
            if event.flow.mapping.protocol is not Protocol.ICMP:
                self._switch.remove(event.flow, self._ageing.remove(event.flow))
        elif isinstance(event, LimitReached):
            self.limits_reached[event.limit] += 1
        elif isinstance(event, ThresholdReached):
            self.thresholds_reached += 1
