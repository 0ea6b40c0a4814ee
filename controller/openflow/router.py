"""The gateway's mind: it takes what the switch reports, asks the NAT, and returns commands.

Only here do the NAT (which knows no switch) and the pipeline (which knows no mappings) meet. Nothing is sent
from here, and the time is an argument; so a test can drive it with frames and an in-memory flow table.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator

from controller.nat.events import (
    Event,
    FlowCreated,
    FlowEnded,
    LimitReached,
    Resumed,
    ThresholdReached,
)
from controller.nat.model import (
    Answer,
    Flow,
    Hold,
    Limit,
    Mapping,
    Protocol,
    Refuse,
    Side,
    Translate,
    Verdict,
)
from controller.nat.tokens import TokenBucket
from controller.nat.translator import Nat
from controller.nat.waiting import Ticket
from controller.openflow.ageing import Ageing
from controller.openflow.answers import reset, unreachable
from controller.openflow.commands import Arrival, Clear, Command, Forward, Inject, Install, Poll, Remove
from controller.openflow.frames import ICMP_ECHO_REQUEST, Arp, Ipv4
from controller.openflow.icmp import IcmpError
from controller.openflow.neighbours import Neighbours
from controller.openflow.pipeline import Rule, Table, base_rules, flow_rules
from controller.openflow.statistics import RuleCount
from controller.wiring import ControllerConfiguration, Interface

ICMP_BURST = 65_536
"""ICMP errors that may be sent at once: one for each packet that a whole pool's worth of attempts gets refused."""


class Router:
    """One NAT gateway: NAT, neighbours and ageing behind one switch."""

    def __init__(self, configuration: ControllerConfiguration) -> None:
        settings = configuration.settings
        self._configuration = configuration
        self.nat = Nat(settings.for_nat(), random.Random(configuration.seed))
        self.limits_reached: Counter[Limit] = Counter()
        self.thresholds_reached = 0
        self.packet_ins_known_mappings = 0
        self.dropped_fragments = 0
        self._icmp_tokens = TokenBucket(settings.icmp_rate, max(ICMP_BURST, settings.icmp_rate), now=0.0)
        self._neighbours = Neighbours(configuration)
        self._ageing = Ageing()
        self._held: dict[Ticket, list[Arrival]] = {}
        self._interfaces = {interface.port: interface for interface in configuration.interfaces}
        self._own = {int(address) for address in configuration.own}

    def connected(self, now: float) -> Iterator[Command]:
        """Fill a switch's tables, whatever it held before."""
        self.nat.counts_restarted(now)
        yield Clear()
        for rule in base_rules(self._configuration):
            yield Install(rule)
        yield from self._neighbours.rules()
        for flow in self.nat.flows():
            if flow.mapping.protocol is not Protocol.ICMP:
                yield from self._install(flow, self._ageing.cookie(flow), None)

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
                yield from self._follow(now)
            else:
                yield from self._translate(interface.side, Arrival(ip, in_port, packet), now)
        elif (error := IcmpError.parse(ip)) is not None:
            yield from self._translate_error(interface.side, error)

    def _answer(self, ip: Ipv4, interface: Interface) -> Iterator[Command]:
        """Answer a ping to the gateway itself, for hosts of the network that it comes from."""
        if ip.icmp_type == ICMP_ECHO_REQUEST and ip.comes_from(interface.address.network):
            yield Forward(ip.echo_reply())

    # Packets

    def _translate(self, side: Side, arrival: Arrival, now: float) -> Iterator[Command]:
        packet = arrival.packet
        if packet.protocol is Protocol.ICMP and (arrival.ip.icmp_type == ICMP_ECHO_REQUEST) != (
            side is Side.INSIDE
        ):
            return  # queries are asked from inside, and answered from outside
        verdict = (self.nat.outbound if side is Side.INSIDE else self.nat.inbound)(packet, now)
        if isinstance(verdict, Translate) and packet.protocol is not Protocol.ICMP:
            self.packet_ins_known_mappings += not verdict.created and not packet.opens_connection
        yield from self._do(verdict, side, arrival, now)

    def _do(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> Iterator[Command]:
        """Carry out a verdict, and before it what else happened."""
        causes = {}
        match verdict:
            case Hold(ticket, is_new):
                held = self._held.setdefault(ticket, [])
                if is_new:
                    held.append(arrival)
            case Translate(flow) if side is Side.INSIDE:
                causes[flow] = arrival
        # The rules of a new flow come first: the injected packet is to meet them.
        yield from self._follow(now, causes)
        yield from self._conclude(verdict, side, arrival, now)

    def _conclude(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> Iterator[Command]:
        """Let the packet itself go on, or tell its sender why not."""
        match verdict:
            case Translate(flow):
                yield self._pass_on(side, flow.mapping, arrival)
            case Refuse(answer=answer):
                yield from self._tell(answer, arrival, now)

    def _pass_on(self, side: Side, mapping: Mapping, arrival: Arrival) -> Command:
        if mapping.protocol is not Protocol.ICMP:
            return Inject(arrival.ip.frame, arrival.in_port)
        if side is Side.INSIDE:
            external = mapping.external
            return Forward(arrival.ip.query(source=external.address, identifier=external.port))
        internal = mapping.internal
        return Forward(arrival.ip.query(destination=internal.address, identifier=internal.port))

    def _tell(self, answer: Answer, arrival: Arrival, now: float) -> Iterator[Command]:
        """Tell the sender of a refused packet."""
        counters, ip = self.nat.counters[arrival.packet.protocol], arrival.ip
        if answer is Answer.ICMP and self._icmp_tokens.take(now):
            own = int(self._interfaces[arrival.in_port].address.ip)
            frame = unreachable(ip, code=self._configuration.settings.icmp_code, source=own)
            if frame is not None:
                counters.icmp_sent += 1
                yield Forward(frame)
        elif answer is Answer.RESET:
            frame = reset(ip)
            if frame is not None:
                counters.resets_sent += 1
                yield Forward(frame)

    def _translate_error(self, side: Side, error: IcmpError) -> Iterator[Command]:
        """Pass on an ICMP error about a packet of a known flow (RFC 5508 REQ-4, REQ-5); it changes nothing."""
        about = error.embedded
        if side is Side.OUTSIDE:
            flow = self.nat.inbound_flow(about.protocol, about.source, about.destination)
            if flow is not None:
                internal = flow.mapping.internal
                yield Forward(error.translated(outer_destination=internal.address, embedded_source=internal))
        else:
            flow = self.nat.outbound_flow(about.protocol, about.destination, about.source)
            if flow is not None:
                external = flow.mapping.external
                yield Forward(error.translated(outer_source=external.address, embedded_destination=external))

    # Time, and what the switch reports

    def tick(self, now: float) -> Iterator[Command]:
        """Let time pass: end what is over, and ask for the counts of what may be idle."""
        self._neighbours.tick(now)
        if self.nat.next_deadline is None or self.nat.next_deadline > now:
            return
        examine = self.nat.due(now)
        yield from self._follow(now)
        for cookie in self._ageing.buckets(flow for flow in examine if self.nat.is_live(flow)):
            yield Poll(cookie)

    def counted(self, cookie: int, counts: Iterable[RuleCount], now: float) -> Iterator[Command]:
        """Take the packet counts of a bucket's rules; a rule that is missing counts what it last did."""
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
        yield from self._follow(now)

    def refused(self, install: Install, now: float) -> Iterator[Command]:
        """The switch refused a rule of a flow: undo the flow, and refuse the packet that made it."""
        assert install.flow is not None
        cause = install.cause
        verdict = self.nat.roll_back(install.flow, None if cause is None else cause.packet, now)
        if verdict is None or cause is None:
            yield from self._follow(now)
        else:
            yield from self._do(verdict, Side.INSIDE, cause, now)

    # What happened to the NAT

    def _follow(self, now: float, causes: dict[Flow, Arrival] | None = None) -> Iterator[Command]:
        """Turn what happened to the NAT into commands; `causes` are the packets that made new flows.

        Of packets that were held together, the first goes on by its verdict, the others as if they came only then.
        """
        events = self.nat.events
        others: list[Arrival] = []
        causes = {**(causes or {}), **self._held_causes()}
        while events:
            event = events.popleft()
            if isinstance(event, Resumed):
                arrivals = self._held.pop(event.ticket)
                if isinstance(event.verdict, Translate):
                    others += arrivals[1:]
                    del arrivals[1:]
                for arrival in arrivals:
                    yield from self._conclude(event.verdict, Side.INSIDE, arrival, now)
            else:
                yield from self._after(event, now, causes)
        for arrival in others:
            yield from self._do(self.nat.outbound(arrival.packet, now), Side.INSIDE, arrival, now)

    def _held_causes(self) -> dict[Flow, Arrival]:
        """Return the held packets that made new flows, by these."""
        if not self._held:
            return {}
        return {
            event.verdict.flow: self._held[event.ticket][0]
            for event in self.nat.events
            if isinstance(event, Resumed) and isinstance(event.verdict, Translate)
        }

    def _after(self, event: Event, now: float, causes: dict[Flow, Arrival]) -> Iterator[Command]:
        match event:
            case FlowCreated(flow) if flow.mapping.protocol is not Protocol.ICMP:
                yield from self._install(flow, self._ageing.add(flow, now), causes.get(flow))
            case FlowEnded(flow) if flow.mapping.protocol is not Protocol.ICMP:
                for rule in self._rules(flow, self._ageing.remove(flow)):
                    yield Remove(rule)
            case LimitReached(limit):
                self.limits_reached[limit] += 1
            case ThresholdReached():
                self.thresholds_reached += 1

    def _install(self, flow: Flow, cookie: int, cause: Arrival | None) -> Iterator[Command]:
        for rule in self._rules(flow, cookie):
            yield Install(rule, flow, cause)

    def _rules(self, flow: Flow, cookie: int) -> tuple[Rule, ...]:
        outbound, inbound = flow_rules(flow, self.nat.settings.flows, cookie)
        return (inbound,) if flow.is_inbound_only else (outbound, inbound)
