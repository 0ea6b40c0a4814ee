"""The decisions of the gateway: what the switch reports goes to the NAT, and orders for the switch come back.

Only here do the NAT (which knows no switch) and the pipeline (which knows no mappings) meet. Nothing is sent from
here, and the time is an argument, so that a test can drive it with frames and an in-memory flow table.

A fill sends its packets through `packet_in` as fast as they are answered, and nearly all are the first of their
flows. For these the code does as little as possible: no object that is not needed, no generator, no `match`.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable

from controller.nat.model import Answer, Flow, Mapping, Protocol, Side
from controller.nat.translator import Nat
from controller.nat.unsolicited import Unsolicited
from controller.nat.verdicts import Drop, Hold, Refuse, Translate, Verdict
from controller.openflow.ageing import Ageing
from controller.openflow.answers import reset
from controller.openflow.drops import Drops
from controller.openflow.errors import Errors
from controller.openflow.following import Following
from controller.openflow.fragmenting import Sender
from controller.openflow.frames import ETHERNET_BYTES, Ipv4, common
from controller.openflow.neighbours import Neighbours
from controller.openflow.pipeline import base_rules
from controller.openflow.reassembly import Reassembly
from controller.openflow.recorder import Recorder
from controller.openflow.relay import ErrorRelay
from controller.openflow.rewriting import translated
from controller.openflow.rules import Stopped, Table
from controller.openflow.sorting import Sorting
from controller.openflow.statistics import RuleCount
from controller.openflow.switch import NO_PORT, Arrival, Datagram, Switch
from controller.settings import Settings
from controller.wiring import ControllerConfiguration

# By names of their own: looking up an enum's member takes as long as a call.
INSIDE, ICMP = Side.INSIDE, Protocol.ICMP
CLASSIFY, OUTBOUND, INBOUND = Table.CLASSIFY, Table.OUTBOUND, Table.INBOUND
RULED = ("source_validation", "untranslated_destinations")
"""The settings that are made of rules which stand for no mapping."""
NEITHER_SIDE: tuple[None, set[int]] = (None, set())


class Router:
    """One NAT gateway: NAT, neighbours and ageing behind one switch."""

    def __init__(self, configuration: ControllerConfiguration, switch: Switch) -> None:
        self._switch = switch
        self.nat = Nat(configuration.settings.for_nat(), random.Random(configuration.seed))
        self.packet_ins_known_mappings = 0
        self.drops = Drops()
        self._recorder: Recorder | None = None
        self.neighbours = Neighbours(configuration, switch)
        self._ageing = Ageing()
        self._configure(configuration)

    def _configure(self, configuration: ControllerConfiguration) -> None:
        """Make what depends on the settings, and has nothing to remember but counts."""
        settings, switch, routes = configuration.settings, self._switch, self.neighbours.routes
        self.configuration = configuration
        self.reassembly = Reassembly(settings.fragments_limit, settings.in_force("fragment_min_timeout"))
        self.errors = Errors(settings, routes, switch)
        self._sender = Sender(configuration, routes, switch)
        self._relay = ErrorRelay(configuration, self.nat, self.errors, self._sender, routes, switch)
        self._sorting = Sorting(configuration, self, self._sender, self._relay)
        self._usual = self._sorting.room + ETHERNET_BYTES
        self._unsolicited: Unsolicited[Arrival] = Unsolicited(settings.in_force("tcp_in_syn_timeout"))
        self.following = Following(self.nat, switch, self._ageing, self._unsolicited, self)
        self.follow = self.following.follow
        self._interfaces = {interface.port: interface for interface in configuration.interfaces}
        self._external = {int(address) for address in settings.external_addresses}
        # By port, its side, and the destinations there that are not simply beyond the NAT.
        own = {int(address) for address in configuration.own}
        apart = {Side.INSIDE: own | self._external, Side.OUTSIDE: own}
        self._sides = {port: (each.side, apart[each.side]) for port, each in self._interfaces.items()}

    def change(self, settings: Settings, now: float) -> bool:
        """Follow other settings from now on, and return whether all mappings stay.

        Where they cannot, the NAT begins anew, and its switch with it. Packets that wait are refused.
        """
        before, was, counted = self.nat, self.configuration, (self.errors, self.reassembly, self.following)
        changed = settings.for_nat()
        if settings.port_allocation_type == was.settings.port_allocation_type:  # a file's class is made anew
            changed = dataclasses.replace(changed, allocator=before.settings.allocator)
        nat = Nat(changed, random.Random(was.seed))
        stays = nat.may_adopt(before) and all(
            getattr(settings, key) == getattr(was.settings, key) for key in RULED
        )
        before.refuse_waiting()
        self.follow(now)
        if stays:
            nat.adopt(before)
        else:
            self.flush(now)
            before.due(math.inf)  # the ports that rest are free with the NAT that gave them
            self.follow(now)
        nat.count_on(before)
        self.nat = nat
        self._configure(was.model_copy(update={"settings": settings}))
        self._keep_counts(*counted)
        if self._recorder is not None:
            self.following.recorder = self._recorder
            nat.report_phases()
        if not stays:
            self.connected(now)
        return stays

    def _keep_counts(self, errors: Errors, reassembly: Reassembly, following: Following) -> None:
        """Go on counting where others have stopped."""
        self.errors.sent += errors.sent
        self.reassembly.dropped += reassembly.dropped + reassembly.waiting
        self.reassembly.times_full += reassembly.times_full
        self.following.limits_reached += following.limits_reached
        self.following.thresholds_reached += following.thresholds_reached

    def record(self, recorder: Recorder, now: float) -> None:
        """Record from now on what becomes of ports, and which packets are refused."""
        self._recorder = self.following.recorder = recorder
        self.nat.report_phases()
        for mapping in self.nat.mappings():
            recorder.allocated(mapping, now)

    def connected(self, now: float) -> None:
        """Fill a switch's tables, whatever it held before."""
        self.nat.counts_restarted(now)
        self._switch.clear()
        self.drops.restarted()
        for rule in base_rules(self.configuration):
            self._switch.install(rule)
        self.neighbours.install()
        for flow in self.nat.flows():
            if flow.mapping.protocol is not Protocol.ICMP:
                self._switch.add(flow, self._ageing.cookie(flow), None)

    def packet_in(self, table: Table, in_port: int, frame: bytes, now: float) -> None:
        """Decide on a frame that the rules of `table` sent to the controller."""
        packet, (side, apart) = common(frame), self._sides.get(in_port, NEITHER_SIDE)
        if packet is None or side is None or table > INBOUND or packet.destination >> 16 in apart:
            self._sorting.uncommon(table, in_port, frame, now)
        else:
            self.translate(table, side, Arrival(frame, in_port, packet), now)

    # Packets

    def translate(self, table: Table, side: Side, arrival: Arrival, now: float) -> None:
        """Decide on a packet of which the rules of `table` know no flow, or take note of a copy."""
        packet = arrival.packet
        if table is CLASSIFY:
            self._observe(side, arrival, now)
            return
        verdict = self.nat.outbound(packet, now) if side is INSIDE else self.nat.inbound(packet, now)
        if type(verdict) is not Translate:
            self.do(verdict, side, arrival, now)
            return
        # The same as `do` for nearly all packets, in two calls less.
        if self.nat.events:
            self.follow(now, verdict.flow, arrival if side is INSIDE else None)
        if not verdict.created:
            self.packet_ins_known_mappings += not packet.opens_connection
        self._switch.inject(arrival.frame, arrival.in_port, table)

    def _observe(self, side: Side, arrival: Arrival, now: float) -> None:
        """Take note of the copy of a segment that passes by rules, through both mappings if it stays inside.

        One that its link has no room for comes again.
        """
        packet = arrival.packet
        if side is INSIDE and len(arrival.frame) > self._usual and self._sorting.exceeds(arrival.ip, None):
            return
        self.nat.observe(side, packet, now)
        if side is INSIDE and packet.destination.address in self._external:
            flow = self.nat.outbound_flow(packet.protocol, packet.source, packet.destination)
            if flow is not None:
                self.nat.observe(Side.OUTSIDE, packet._replace(source=flow.mapping.external), now)
        self.follow(now)

    def hairpinned(self, ip: Ipv4, now: float) -> None:
        """Let a packet in that an outbound rule has translated, and that no inbound rule takes."""
        packet = ip.packet()
        if not ip.is_sound:
            self.drops.invalid += 1
        elif packet is not None and packet.protocol is not ICMP:
            self.do(self.nat.inbound(packet, now), Side.OUTSIDE, Arrival(ip.frame, NO_PORT, packet), now)

    def decide(self, side: Side, datagram: Datagram, now: float) -> None:
        """Decide on a packet that no rule forwards."""
        nat, packet = self.nat, datagram.packet
        self.do(nat.outbound(packet, now) if side is INSIDE else nat.inbound(packet, now), side, datagram, now)

    def do(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> None:
        """Carry out a verdict, after what else happened, so that an injected packet meets the new rules."""
        if isinstance(verdict, Translate):
            self.follow(now, verdict.flow, arrival if side is INSIDE else None)
        else:
            if isinstance(verdict, Hold):
                self.following.hold(verdict, arrival, now)
            self.follow(now)
        self.conclude(verdict, side, arrival, now)

    def conclude(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> None:
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
        elif isinstance(verdict, Drop) and verdict.answer is Answer.RESET and arrival.in_port != NO_PORT:
            sent = self.errors.late(arrival.ip, side, now)
            self.nat.counters[arrival.packet.protocol].late_resets_sent += sent
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
        self.decide(Side.OUTSIDE, Datagram(frame, NO_PORT, packet, first, datagram.most), now)

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
        self.follow(now)
        deadline = self.nat.next_deadline
        if deadline is None or deadline > now:
            return
        examine = self.nat.due(now)
        self.follow(now)
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
        self.follow(now)

    def sum_up(self) -> None:
        """Ask for the counts of what rules drop before the NAT sees it."""
        for why in Stopped:
            self._switch.sum_up(why)

    def flush(self, now: float) -> None:
        """End every mapping, after which packets that wait go on."""
        self.release(self.nat.mappings(), now)

    def release(self, mappings: Iterable[Mapping], now: float) -> None:
        """End these mappings, after which packets that wait for what they had go on."""
        self.nat.release(mappings, now)
        self.follow(now)

    def refused(self, flow: Flow, cause: Arrival | None, now: float) -> None:
        """Undo a flow of which the switch refused a rule, and refuse the packet that made it."""
        if self._recorder is not None and cause is None and flow.is_live:
            self._recorder.lost(flow, now)
        verdict = self.nat.roll_back(flow, None if cause is None else cause.packet, now)
        if verdict is None or cause is None:
            self.follow(now)
        else:
            self.do(verdict, Side.INSIDE, cause, now)
