"""The NAT under every configuration: what must hold whatever is set and whatever happens.

This machine predicts less than the one for the plain NAT (`test_translator_machine.py`): it keeps books of what
the NAT announces, and checks after each step that they add up and that nothing forbidden was in them.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.nat.events import (
    FlowCreated,
    FlowEnded,
    GaveUp,
    LimitReached,
    MappingCreated,
    MappingReleased,
    ReleaseReason,
    Resumed,
)
from controller.nat.model import (
    Answer,
    Dependence,
    Endpoint,
    Flow,
    Limit,
    Mapping,
    Packet,
    Protocol,
    Side,
    TcpFlags,
)
from controller.nat.own_ports import OwnPortsPlan
from controller.nat.port_set import PortSet
from controller.nat.scarcity import RESTS
from controller.nat.scopes import Scope
from controller.nat.settings import NatSettings
from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.verdicts import Drop, DropReason, Hold, Refuse, Translate, Verdict
from controller.nat.waiting import FIRST_REPETITION_S, Ticket
from tests.support.core import ACK, FIN, ICMP, REST, RST, SYN, TCP, UDP, Bench
from tests.unit.controller.nat.test_translator_machine import (
    IDLE_TIMEOUTS,
    Expected,
    flags_sent,
    internal_endpoints,
    remotes,
)

READ_EVERY_S = 1.0
"""How often counts are read where mappings are kept in the order of their last use."""
TENTH_S = 0.1

SEVERAL = PortSet((range(2000, 2001), range(4096, 4099)))
LIMITS: dict[str, tuple[Any, ...]] = {
    "port_quota": (1, 2, 3),
    "port_quotas": ({TCP: 1, UDP: 2, ICMP: 2}, {TCP: 2, UDP: 1, ICMP: None}),
    "limit_port_mappings": (1, 2, 4),
    "limit_sessions": (1, 2, 4),
    "limit_sessions_per_destination": (1, 2, 3),
    "limit_unanswered_inbound_sessions": (1, 2, 16),
    "limit_subscribers": (1, 2),
    "new_mapping_rate_per_subscriber": (0.5, 2.0),
}


OWN_PORTS = (
    OwnPortsPlan(size=1, most=1, threshold=100, delay=0, timeout=3),
    OwnPortsPlan(size=1, most=4, threshold=50, delay=1, timeout=9),
    OwnPortsPlan(size=1, most=2, threshold=100, delay=0, timeout=1),
)


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Return the settings of a small NAT, in any combination that the configuration allows."""
    mapping, filtering = draw(st.sampled_from(Dependence)), draw(st.sampled_from(Dependence))
    policy = draw(st.sampled_from([*POLICIES, "hold", "evict-lru"]))
    limits = draw(st.lists(st.sampled_from(list(LIMITS)), max_size=2, unique=True))
    allocator = draw(st.sampled_from(list(ALLOCATORS)))
    own = st.none() if allocator == "blocks" else st.sampled_from((None, None, None, *OWN_PORTS))
    return {
        "ports": draw(st.sampled_from((1, 2, 2, 5, SEVERAL))),
        "addresses": draw(st.integers(1, 3)),
        "mapping": mapping,
        "filtering": filtering,
        "overlapping": draw(st.sampled_from([d for d in Dependence if d <= min(mapping, filtering)])),
        "pooling": POOLINGS[draw(st.sampled_from(list(POOLINGS)))],
        "allocator": ALLOCATORS[allocator],
        "own_ports": draw(own),
        "on_exhaustion": POLICIES[policy],
        "fallback": draw(st.sampled_from(Answer)),
        "hold_timeout": draw(st.sampled_from((1.0, 3.0, 9.0))),
        "evict_only_idle_for": draw(st.sampled_from((0.0, 0.0, 1.0))),
        "hold_queue": draw(st.sampled_from((0, 2, 4, 4))),
        **{name: draw(st.sampled_from(LIMITS[name])) for name in limits},
        "hold_down": draw(st.sampled_from((0.0, 0.0, 0.25, 3.0))),
        "hold_down_max": draw(st.sampled_from((None, None, 0, 1, 2))),
        "refresh_inbound": draw(st.booleans()),
        "seed": draw(st.integers(0, 3)),
    }


class Book:
    """What the NAT has announced of one flow."""

    def __init__(self, flow: Flow, now: float, by: Packet | None) -> None:
        self.flow = flow
        self.by_stranger = by is not None and by.destination == flow.mapping.external
        self.was_opened_outside = self.by_stranger
        self.created_at = now
        self.seen = Expected(flow.mapping, flow.mapping.external, now, now)
        self.contacts: set[Endpoint] = set()
        """The remote endpoints that the inside has surely sent to."""
        self.may_be_answered = not self.by_stranger
        """Whether the inside has sent anything but resets."""
        if self.by_stranger and flow.mapping.protocol in IDLE_TIMEOUTS:
            self.seen.last_outbound = -1000.0  # he keeps nothing alive
            self.seen.kept_from = now

    @property
    def is_unanswered(self) -> bool:
        """Whether a stranger has opened it, and the inside has surely not answered."""
        return self.by_stranger and not self.may_be_answered


@dataclass
class Freed:
    """A port that was given back."""

    external: Endpoint
    destination: Endpoint
    at: float
    may_be_held_down: bool
    """Whether it was not evicted: the packet for which it was takes the port after its rest."""


@dataclass
class OutOfUse:
    """The ports of one protocol that rest or are held down, as the settings have it."""

    hold_down: float
    most: int | None
    resting: deque[Freed] = field(default_factory=deque)
    held_down: deque[Freed] = field(default_factory=deque)

    def advance(self, now: float) -> None:
        """Let each port go on that is due."""
        while self.resting and self.resting[0].at + REST <= now:
            freed = self.resting.popleft()
            self._expire(freed.at + REST)
            if self.hold_down > REST and freed.may_be_held_down:
                self.held_down.append(freed)
                if self.most is not None and len(self.held_down) > self.most:
                    self.held_down.popleft()
        self._expire(now)

    def _expire(self, now: float) -> None:
        while self.held_down and self.held_down[0].at + self.hold_down <= now:
            self.held_down.popleft()

    def places(self) -> list[tuple[Endpoint, Endpoint]]:
        """Return the external endpoints that must not be given, each with its destination."""
        return [(freed.external, freed.destination) for freed in (*self.resting, *self.held_down)]


@dataclass
class Waiting:
    """A ticket, as it was when it was issued."""

    ticket: Ticket
    since: float
    scope: Scope
    packets: list[Packet]


class ConfigurationMachine(RuleBasedStateMachine):
    """Whatever is set and whatever happens, the books add up."""

    @initialize(configuration=configurations())
    def start(self, configuration: dict[str, Any]) -> None:
        """Make two equal NATs."""
        self.twins = [Bench(**configuration) for _ in range(2)]
        self.bench = self.twins[0]
        self.settings: NatSettings = self.bench.nat.settings
        evicts = self.settings.on_exhaustion.evicts
        self.patience = max(self.settings.hold_timeout, RESTS * REST if evicts else 0.0)
        self.books: dict[Flow, Book] = {}
        self.live: dict[Mapping, float] = {}
        self.used_at: dict[Mapping, float] = {}
        """When the NAT itself last saw a packet of a mapping."""
        self.out_of_use = {
            protocol: OutOfUse(
                0.0
                if protocol is TCP or self.settings.filtering is not Dependence.INDEPENDENT
                else self.settings.hold_down_timeout,
                self.settings.hold_down_max,
            )
            for protocol in Protocol
        }
        self.tokens: dict[int, tuple[float, float]] = {}
        self.tickets: dict[int, Waiting] = {}
        self.asked_at: dict[Packet, float] = {}
        """When a packet was last sent."""
        self.released: Counter[Protocol] = Counter()
        self.evicted: Counter[Protocol] = Counter()
        self.created: Counter[Protocol] = Counter()
        self.stopped: Counter[tuple[Protocol, str]] = Counter()
        self.held: Counter[Protocol] = Counter()
        self.heard = 0
        self.packet: Packet | None = None
        self.rolling_back = False
        self.pairs_of_rollback = 0

    # What happens

    @rule(protocol=st.sampled_from(Protocol), source=internal_endpoints, to=remotes, flags=flags_sent)
    def packet_from_inside(self, protocol: Protocol, source: Endpoint, to: Endpoint, flags: TcpFlags) -> None:
        """A packet goes out, by the switch's rules where they take it, else by way of the controller."""
        packet = Packet(protocol, source, to, flags if protocol is TCP else TcpFlags.NONE)
        flow = self.bench.nat.outbound_flow(protocol, source, to)
        if flow is None or protocol is ICMP or packet.opens_connection:
            self.ask_outbound(packet)
        else:
            self.by_the_rules(flow, Side.INSIDE, packet)

    @rule(
        protocol=st.sampled_from(Protocol),
        which=st.integers(0, 14),
        source=remotes,
        flags=flags_sent,
    )
    def packet_from_outside(self, protocol: Protocol, which: int, source: Endpoint, flags: TcpFlags) -> None:
        """A packet comes in to one of the endpoints in use, or to one of the pool's."""
        pool = [mapping.external for mapping in self.live if mapping.protocol is protocol]
        pool += [Endpoint(a, p) for a in self.settings.external_addresses[:1] for p in self.settings.ports[:1]]
        packet = Packet(protocol, source, pool[which % len(pool)], flags if protocol is TCP else TcpFlags.NONE)
        flow = self.bench.nat.inbound_flow(protocol, packet.destination, source)
        if flow is None or protocol is ICMP or packet.opens_connection:
            self.ask_inbound(packet)
        else:
            self.by_the_rules(flow, Side.OUTSIDE, packet)

    @precondition(lambda self: any(flow.connection for flow in self.books))
    @rule(which=st.integers(0, 100), flags=st.sampled_from((RST, FIN, FIN)))
    def connection_closes(self, which: int, flags: TcpFlags) -> None:
        """Both sides close, or one resets."""
        open_flows = [flow for flow in self.books if flow.connection]
        flow = open_flows[which % len(open_flows)]
        mapping, remote = flow.mapping, flow.peer
        outward = Packet(TCP, mapping.internal, remote, flags)
        sent_by = self.bench.nat.outbound_flow(TCP, mapping.internal, remote)
        if sent_by is not None:
            self.by_the_rules(sent_by, Side.INSIDE, outward)
        if flags & FIN:
            self.by_the_rules(flow, Side.OUTSIDE, Packet(TCP, remote, mapping.external, flags))

    @rule(seconds=st.sampled_from((0.25, 0.5, 0.5, 1.0, 2.0, 3.0, 5.0, 9.0, 20.0)))
    def time_passes(self, seconds: float) -> None:
        """The bench meets each deadline when it comes, and sees to it that nothing is due before."""
        for bench in self.twins:
            bench.sleep(seconds)

    @precondition(lambda self: self.books)
    @rule(which=st.integers(0, 100), has_packet=st.booleans())
    def the_switch_refuses(self, which: int, has_packet: bool) -> None:
        """The rules of a flow were too many; perhaps the packet that made it is still known."""
        book = list(self.books.values())[which % len(self.books)]
        flow, mapping = book.flow, book.flow.mapping
        packet = None
        if has_packet and not book.by_stranger and not flow.is_inbound_only and book.contacts:
            flags = SYN if mapping.protocol is TCP else TcpFlags.NONE
            packet = Packet(mapping.protocol, mapping.internal, min(book.contacts), flags)
        self.rolling_back, self.packet = True, packet
        verdicts = []
        for bench in self.twins:
            same = bench.nat.inbound_flow(mapping.protocol, mapping.external, flow.peer)
            assert same is not None
            verdicts.append(bench.refuse(same, packet))
        if packet is not None and verdicts[0] is not None:
            self.wait(packet, verdicts[0])
        self.listen()
        self.rolling_back = False
        if packet is None:
            assert verdicts == [None, None]
            self.stopped[mapping.protocol, Limit.FLOW_TABLE.value] += 1
        else:
            assert verdicts[0] is not None
            self.note(packet, verdicts[0])
            if isinstance(verdicts[0], Translate):  # in place of a stranger's
                self.passed(verdicts[0].flow, Side.INSIDE, packet, self.bench.now)

    @rule()
    def the_switch_reconnects(self) -> None:
        """Its rules are made anew, and count from zero."""
        for bench in self.twins:
            bench.reconnect()
        for book in self.books.values():
            book.seen.forget_the_counts(self.bench.now)

    # Packets, and what must become of them

    def ask_outbound(self, packet: Packet) -> None:
        """Let the NAT decide on a packet from inside."""
        now, flow = (
            self.bench.now,
            self.bench.nat.outbound_flow(packet.protocol, packet.source, packet.destination),
        )
        waiting = self.waits_with(packet)
        stops = self.limit_for(packet) if flow is None else set()
        is_known = packet.protocol is TCP and waiting is not None and packet in waiting.packets
        is_full = self.packets_waiting() == self.settings.hold_queue
        self.packet = packet
        verdict = self.both("outbound", packet)
        self.asked_at[packet] = now
        self.listen()
        if flow is not None:
            assert verdict == Translate(flow, created=False)
        elif packet.protocol is TCP and not packet.opens_connection:
            assert verdict == Drop(DropReason.NOT_A_SYN)
        elif waiting is not None:
            self.check_joining(packet, verdict, waiting, is_known=is_known, is_full=is_full)
        else:
            self.check_new(packet, verdict, stops)
        self.note(packet, verdict)
        if isinstance(verdict, Translate):
            is_answer = self.books[verdict.flow].by_stranger
            self.passed(verdict.flow, Side.INSIDE, packet, now)
            assert verdict.mapping.internal == packet.source
            assert is_answer or verdict.mapping.toward == self.settings.mapping.part(packet.destination)

    def check_joining(
        self, packet: Packet, verdict: Verdict, waiting: Waiting, *, is_known: bool, is_full: bool
    ) -> None:
        """A packet whose like waits does not overtake it."""
        if is_known:
            assert verdict == Hold(waiting.ticket, is_new=False)
        elif is_full:
            assert verdict == Refuse(Limit.HOLD_QUEUE, self.fallback(packet))
        else:
            assert verdict == Hold(waiting.ticket, is_new=True)

    def check_new(self, packet: Packet, verdict: Verdict, stops: set[Limit | None]) -> None:
        """A packet without a flow gets one, unless a limit is reached; and the first of them is named."""
        policy = self.settings.on_exhaustion
        match verdict:
            case Translate(created=created):
                assert created
                assert None in stops, stops
            case Refuse(Limit.HOLD_QUEUE, answer):
                assert policy in (POLICIES["hold"], POLICIES["evict-lru"])
                assert answer is self.fallback(packet)
                assert self.packets_waiting() == self.settings.hold_queue
                assert stops != {None}
            case Refuse(limit, answer):
                assert limit in stops, (limit, stops)
                assert answer is self.expected_answer(packet)
                assert policy is not POLICIES["hold"]
            case Hold(ticket, is_new):
                assert is_new
                assert stops != {None}
                assert policy is POLICIES["evict-lru"] or ticket.scope.limit in stops
                assert policy in (POLICIES["hold"], POLICIES["evict-lru"])
            case _:
                raise AssertionError(verdict)

    def expected_answer(self, packet: Packet) -> Answer:
        """Return what the sender of a refused packet is told."""
        answers = {"drop": Answer.NOTHING, "icmp": Answer.ICMP, "reset": Answer.RESET}
        for name, answer in answers.items():
            if self.settings.on_exhaustion is POLICIES[name]:
                return self.as_sent(answer, packet)
        return self.fallback(packet)

    def fallback(self, packet: Packet) -> Answer:
        """Return what the sender of a packet is told that could not be held, or not for longer."""
        return self.as_sent(self.settings.fallback, packet)

    @staticmethod
    def as_sent(answer: Answer, packet: Packet) -> Answer:
        """Only TCP can be reset."""
        return Answer.ICMP if answer is Answer.RESET and packet.protocol is not TCP else answer

    def ask_inbound(self, packet: Packet) -> None:
        """Let the NAT decide on a packet from outside."""
        now, source, to = self.bench.now, packet.source, packet.destination
        flow = self.bench.nat.inbound_flow(packet.protocol, to, source)
        destination = self.settings.overlapping.part(source)
        owners = [
            mapping
            for mapping in self.live
            if (mapping.protocol, mapping.external) == (packet.protocol, to)
            and self.settings.overlapping.part(mapping.toward) == destination
        ]
        filtering = self.settings.filtering
        books = [book for book in self.books.values() if book.flow.mapping in owners]
        contacts = {filtering.part(remote) for book in books for remote in book.contacts}
        perhaps = {filtering.part(book.flow.peer) for book in books if book.may_be_answered and book.by_stranger}
        is_idle = any(
            mapping.protocol in IDLE_TIMEOUTS and now - mapping.last_use >= IDLE_TIMEOUTS[mapping.protocol]
            for mapping in owners
        )
        stops = self.session_for()
        self.packet = packet
        verdict = self.both("inbound", packet)
        self.listen()
        if flow is not None:
            assert verdict == Translate(flow, created=False)
        elif not owners or is_idle:
            assert verdict == Drop(DropReason.NO_MAPPING)
        elif verdict == Drop(DropReason.FILTERED):
            assert filtering
            assert filtering.part(source) not in contacts
        elif filtering and filtering.part(source) not in contacts | perhaps:
            raise AssertionError(verdict)
        elif packet.protocol is TCP and not packet.opens_connection:
            assert verdict == Drop(DropReason.NOT_A_SYN)
        elif isinstance(verdict, Refuse):
            assert verdict == Refuse(Limit.SESSIONS, Answer.NOTHING)
            assert Limit.SESSIONS in stops
        else:
            assert None in stops
            assert isinstance(verdict, Translate)
            assert verdict.created
            assert verdict.mapping is owners[0]
        self.note(packet, verdict)
        if isinstance(verdict, Translate):
            assert verdict.mapping.external == to
            self.passed(verdict.flow, Side.OUTSIDE, packet, now)

    def by_the_rules(self, flow: Flow, side: Side, packet: Packet) -> None:
        """The switch forwards a packet, and copies it to the controller where it ends or answers a connection."""
        mapping, outbound = flow.mapping, side is Side.INSIDE
        is_copied = packet.flags & (FIN | RST) or (outbound and packet.flags & (SYN | ACK) == SYN | ACK)
        for bench in self.twins:
            same = bench.nat.inbound_flow(mapping.protocol, mapping.external, flow.peer)
            assert same is not None
            bench.pass_by_rules(same, outbound=outbound, inbound=not outbound)
            if is_copied:
                bench.observe(side, packet)
        self.passed(flow, side, packet, self.bench.now, by_rules=not is_copied)
        assert self.bench.nat.is_live(flow)

    def passed(self, flow: Flow, side: Side, packet: Packet, now: float, *, by_rules: bool = False) -> None:
        """Note a packet that was translated: by a live flow that both tables have."""
        book, mapping = self.books[flow], flow.mapping
        remote = packet.destination if side is Side.INSIDE else packet.source
        if self.bench.nat.is_live(flow):  # it may have been long ago
            found = self.bench.nat.outbound_flow(mapping.protocol, mapping.internal, remote)
            assert self.bench.nat.inbound_flow(mapping.protocol, mapping.external, remote) is flow
            assert (found is flow) == (not flow.is_inbound_only)
            assert side is Side.OUTSIDE or found is flow
        book.seen.pass_packet(side, remote, packet.flags, now)
        if side is Side.INSIDE and not packet.flags & RST:
            book.may_be_answered = True
            if not by_rules and (mapping.protocol is not TCP or packet.flags & SYN):
                book.by_stranger = False
        if self.settings.refresh_inbound and book.may_be_answered:
            book.seen.last_outbound = now
        if not book.by_stranger:
            book.contacts.add(remote)
        waits = flow.connection is not None and flow.connection.awaits_inside
        if not by_rules and not book.by_stranger and not waits:
            self.used_at[mapping] = now

    def note(self, packet: Packet, verdict: Verdict) -> None:
        """Count what was decided."""
        protocol = packet.protocol
        match verdict:
            case Refuse(limit, _):
                self.stopped[protocol, limit.value] += 1
            case Drop(DropReason.FILTERED):
                self.stopped[protocol, "dropped_filtered_packets"] += 1
            case Drop():
                self.stopped[protocol, "dropped_unmapped_packets"] += 1
            case Hold(_, True):
                self.held[protocol] += 1

    # What the NAT announces

    def listen(self) -> None:
        """Enter all news into the books."""
        news, self.heard = self.bench.log[self.heard :], len(self.bench.log)
        for at, event in news:
            for out_of_use in self.out_of_use.values():
                out_of_use.advance(at)
            match event:
                case MappingCreated(mapping):
                    self.mapping_created(mapping, at)
                case FlowCreated(flow):
                    self.books[flow] = Book(flow, at, self.packet)
                case FlowEnded(flow):
                    self.books.pop(flow)
                case MappingReleased(mapping, reason):
                    self.mapping_released(mapping, reason, at)
                case GaveUp(ticket, place):
                    self.gave_up(ticket, place)
                case Resumed(ticket, decided):
                    self.resumed(ticket, decided, at)
                case LimitReached():
                    pass
        for out_of_use in self.out_of_use.values():
            out_of_use.advance(self.bench.now)

    def mapping_created(self, mapping: Mapping, at: float) -> None:
        """It must be its endpoint's only one for its scope, and its port must be free."""
        place = (mapping.external, self.settings.overlapping.part(mapping.toward))
        assert place not in self.places(mapping.protocol)
        assert place not in self.out_of_use[mapping.protocol].places()
        assert mapping.external.address in self.settings.external_addresses
        assert mapping.external.port in self.settings.ports
        self.live[mapping] = self.used_at[mapping] = at
        self.created[mapping.protocol] += 1
        rate = self.settings.new_mapping_rate_per_subscriber
        if rate is not None:
            tokens = self.tokens_of(mapping.internal.address, at)
            assert tokens >= 1 - 1e-5
            self.tokens[mapping.internal.address] = (tokens - 1, at)

    def mapping_released(self, mapping: Mapping, reason: ReleaseReason, at: float) -> None:
        """Each ending has its reason."""
        assert not mapping.flows
        assert all(book.flow.mapping is not mapping for book in self.books.values())
        if reason is ReleaseReason.EVICTED:
            assert self.settings.on_exhaustion is POLICIES["evict-lru"]
            self.evicted[mapping.protocol] += 1
            self.check_victim(mapping)
        else:
            assert (reason is ReleaseReason.ROLLED_BACK) <= self.rolling_back
        del self.live[mapping]
        del self.used_at[mapping]
        self.released[mapping.protocol] += 1
        destination = self.settings.overlapping.part(mapping.toward)
        freed = Freed(mapping.external, destination, at, reason is not ReleaseReason.EVICTED)
        self.out_of_use[mapping.protocol].resting.append(freed)

    def check_victim(self, victim: Mapping) -> None:
        """Nobody who could have gone as well was surely used longer ago."""
        sources = [self.packet.source] if self.packet is not None else []
        sources += [waiting.ticket.packet.source for waiting in self.tickets.values()]
        for other in self.live:
            comparable = (
                other is not victim
                and other.protocol is victim.protocol
                and other.external.address == victim.external.address
                and self.settings.overlapping.part(other.toward) == self.settings.overlapping.part(victim.toward)
                and other.internal.address == victim.internal.address
                and other.internal not in sources
            )
            assert not comparable or self.used_at[victim] <= self.last_packet(other) + TENTH_S

    def last_packet(self, mapping: Mapping) -> float:
        """Return when a packet of a mapping last passed, whoever has seen it."""
        traffic = [book.seen.last_traffic for book in self.books.values() if book.flow.mapping is mapping]
        return max([self.used_at[mapping], *traffic])

    def gave_up(self, ticket: Ticket, place: int) -> None:
        """A packet waits no more, of which the NAT has seen a sign."""
        waiting = self.tickets[id(ticket)]
        packet = waiting.packets.pop(place)
        self.stopped[packet.protocol, ticket.scope.limit.value] += 1
        is_its_own = self.packet is not None and self.packet[:3] == packet[:3] and self.packet.flags != SYN
        assert packet.protocol is TCP
        assert is_its_own or self.bench.now - self.asked_at[packet] > FIRST_REPETITION_S
        if not waiting.packets:
            del self.tickets[id(ticket)]

    def resumed(self, ticket: Ticket, verdict: Translate | Refuse, at: float) -> None:
        """Packets that wait are served in order, and within their patience."""
        waiting = self.tickets.pop(id(ticket))
        assert ticket.held == waiting.packets
        assert at - waiting.since <= self.patience
        if isinstance(verdict, Refuse):
            self.stopped[ticket.packet.protocol, verdict.limit.value] += len(ticket.held)
            assert verdict.limit is ticket.scope.limit
            assert verdict.answer is self.fallback(ticket.packet)
            return
        if verdict.flow in self.books:
            self.passed(verdict.flow, Side.INSIDE, ticket.packet, at)
        if verdict.created:
            for other in self.tickets.values():
                unmoved = other.scope == other.ticket.scope == waiting.scope == ticket.scope
                assert not unmoved or other.since >= waiting.since, "overtaken"
        self.again = [*getattr(self, "again", []), *ticket.held[1:]]

    # What must hold

    @invariant()
    def every_promise_holds(self) -> None:
        """After whatever happened."""
        self.listen()
        self.packet = None
        again, self.again = getattr(self, "again", []), []
        for packet in again:  # they come as if only now
            self.ask_outbound(packet)
        self.no_two_share_an_external_tuple()
        self.no_limit_is_exceeded()
        self.nothing_outlives_its_use()
        self.counts_add_up()
        self.ports_add_up()
        self.who_waits_waits_for_something()
        self.the_twins_agree()

    def no_two_share_an_external_tuple(self) -> None:
        """Toward one destination an external endpoint serves one internal endpoint; RFC 4787 REQ-3."""
        for protocol in Protocol:
            places = self.places(protocol)
            assert len(set(places)) == len(places)
        flows = [
            (book.flow.mapping.protocol, book.flow.mapping.external, book.flow.peer)
            for book in self.books.values()
        ]
        assert len(set(flows)) == len(flows)
        wanted = [(mapping.protocol, mapping.internal, mapping.toward) for mapping in self.live]
        assert len(set(wanted)) == len(wanted)
        assert set(self.bench.nat.flows()) == set(self.books)
        assert set(self.bench.nat.mappings()) == set(self.live)
        for flow in self.books:
            assert self.bench.nat.is_live(flow)

    def no_limit_is_exceeded(self) -> None:
        """Whatever came first."""
        limits, settings_ = self.bench.nat.limits, self.settings
        assert len(self.live) <= (settings_.limit_port_mappings or 1000)
        assert len(self.books) <= (settings_.limit_sessions or 1000)
        assert len(limits.subscribers) <= (settings_.limit_subscribers or 1000)
        own = [book.flow for book in self.books.values() if not book.was_opened_outside]
        with_one = Counter((flow.mapping.protocol, flow.mapping.external.address, flow.peer) for flow in own)
        if settings_.limit_sessions_per_destination is not None:
            assert max(with_one.values(), default=0) <= settings_.limit_sessions_per_destination
        unanswered = Counter(book.flow.mapping for book in self.books.values() if book.is_unanswered)
        most = settings_.limit_unanswered_inbound_sessions
        assert unanswered.total() <= most
        assert max(unanswered.values(), default=0) <= max(1, most // 8)
        for subscriber in limits.subscribers.values():
            assert subscriber.total <= (settings_.port_quota or 1000)
            for protocol in Protocol:
                assert subscriber.mappings[protocol] <= (settings_.port_quotas[protocol] or 1000)

    def nothing_outlives_its_use(self) -> None:
        """What nothing needs is released in time."""
        for book in self.books.values():
            if book.flow.mapping.protocol in IDLE_TIMEOUTS:
                assert not book.seen.must_have_ended(self.bench.now)
        kept = {book.flow.mapping for book in self.books.values() if book.may_be_answered}
        assert all(mapping in kept for mapping in self.live if mapping.protocol is TCP)

    def counts_add_up(self) -> None:
        """Creations, releases, packets, sessions, subscribers."""
        nat = self.bench.nat
        for protocol in Protocol:
            counters = nat.counters[protocol]
            live = sum(mapping.protocol is protocol for mapping in self.live)
            assert counters.port_mapping_creations == self.created[protocol] == live + self.released[protocol]
            assert counters.evicted_mappings == self.evicted[protocol]
            assert counters.held_packets == self.held[protocol]
            names = [limit.value for limit in Limit] + ["dropped_unmapped_packets", "dropped_filtered_packets"]
            for name in names:
                assert getattr(counters, name) == self.stopped[protocol, name], name
        assert len(nat) == len(self.live)
        assert nat.limits.sessions == len(self.books)
        per_subscriber = {
            subscriber.address: {p: n for p, n in subscriber.mappings.items() if n}
            for subscriber in nat.limits.subscribers.values()
        }
        counted: dict[int, dict[Protocol, int]] = {}
        for mapping in self.live:
            of = counted.setdefault(mapping.internal.address, {})
            of[mapping.protocol] = of.get(mapping.protocol, 0) + 1
        assert per_subscriber == counted

    def ports_add_up(self) -> None:
        """Allocated, free, resting and held down: all ports, of all addresses, toward each destination in use."""
        for protocol in Protocol:
            usage, out_of_use = self.bench.nat.pool.usage(protocol), self.out_of_use[protocol]
            places = {*self.places(protocol), *out_of_use.places()}
            destinations = sum(
                max(1, len({destination for external, destination in places if external.address == address}))
                for address in self.settings.external_addresses
            )
            assert usage.allocated == len(self.places(protocol)) == self.bench.nat.pool.allocated(protocol)
            assert usage.resting == len(out_of_use.resting)
            assert usage.held_down == len(out_of_use.held_down)
            assert usage.free == destinations * len(self.settings.ports) - len(places)

    def who_waits_waits_for_something(self) -> None:
        """Not for too long, not in too great a number, and not while what it waits for is there."""
        assert self.packets_waiting() <= self.settings.hold_queue
        first: set[Scope] = set()
        for waiting in self.tickets.values():
            assert self.bench.now - waiting.since < self.patience
            assert waiting.ticket.held == waiting.packets
            scope = waiting.ticket.scope
            if (scope not in first or scope.limit is Limit.SUBSCRIBERS) and scope == waiting.scope:
                first.add(scope)
                subscriber = self.bench.nat.limits.subscribers.get(waiting.ticket.packet.source.address)
                is_inexact = (
                    self.settings.is_by_subscriber
                    or scope.limit is Limit.FLOW_TABLE
                    # It may have been paired anew, by another packet.
                    or (scope.limit is Limit.PORTS and subscriber and subscriber.external_address != scope.subject)
                )
                stops = self.limit_for(waiting.ticket.packet)
                assert is_inexact or stops != {None}, (waiting, stops)

    def the_twins_agree(self) -> None:
        """The same seed and the same packets make the same run."""
        first, second = (
            [
                (at, type(event), getattr(getattr(event, "mapping", None), "external", None))
                for at, event in bench.log
            ]
            for bench in self.twins
        )
        assert first == second

    # The model's arithmetic

    def both(self, method: str, packet: Packet) -> Verdict:
        """Ask both NATs, which must answer alike; return the answer of the first."""
        arguments = (packet.protocol, packet.source, packet.destination, packet.flags)
        verdicts: list[Verdict] = [getattr(bench, method)(*arguments) for bench in self.twins]
        first, second = verdicts
        assert type(first) is type(second)
        self.wait(packet, first)
        return first

    def wait(self, packet: Packet, verdict: Verdict) -> None:
        """Note a packet that is held."""
        if isinstance(verdict, Hold) and verdict.is_new:
            ticket = verdict.ticket
            new = Waiting(ticket, self.bench.now, ticket.scope, [])
            self.tickets.setdefault(id(ticket), new).packets.append(packet)

    def waits_with(self, packet: Packet) -> Waiting | None:
        """Return the ticket of packets that wait for the same mapping or session."""
        part = self.settings.mapping.part
        for waiting in self.tickets.values():
            first = waiting.ticket.packet
            waits_for = (first.protocol, first.source, part(first.destination))
            if waits_for == (packet.protocol, packet.source, part(packet.destination)):
                return waiting
        return None

    def packets_waiting(self) -> int:
        """Return how many packets are held."""
        return sum(len(waiting.packets) for waiting in self.tickets.values())

    def places(self, protocol: Protocol) -> list[tuple[Endpoint, Endpoint]]:
        """Return the external endpoints in use, each with the destination for which it is."""
        part = self.settings.overlapping.part
        return [(mapping.external, part(mapping.toward)) for mapping in self.live if mapping.protocol is protocol]

    def limit_for(self, packet: Packet) -> set[Limit | None]:
        """Return which limits may be named for a packet without a flow; None where it may pass."""
        settings_, protocol, subscriber = self.settings, packet.protocol, packet.source.address
        scope = settings_.mapping.part(packet.destination)
        own = [mapping for mapping in self.live if mapping.internal.address == subscriber]
        is_full = self.session_for()
        mine = [m for m in own if (m.protocol, m.internal, m.toward) == (protocol, packet.source, scope)]
        if mine:
            least, most = self.rooms_toward(packet, mine[0].external.address)
            can, must = None in is_full and most > 0, least > 0
            return is_full - {None} | ({None} if can else set()) | (set() if must else {Limit.DESTINATION})
        active = {mapping.internal.address for mapping in self.live}
        if subscriber not in active and self.is_reached(len(active), settings_.limit_subscribers):
            return {Limit.SUBSCRIBERS}
        of_protocol = sum(mapping.protocol is protocol for mapping in own)
        if self.is_reached(len(own), settings_.port_quota):
            return {Limit.QUOTA}
        if self.is_reached(of_protocol, settings_.port_quotas[protocol]):
            return {Limit.QUOTA}
        if settings_.new_mapping_rate_per_subscriber and self.tokens_of(subscriber, self.bench.now) < 1 - 1e-6:
            return {Limit.RATE}
        if self.is_reached(len(self.live), settings_.limit_port_mappings):
            return {Limit.MAPPINGS}
        return is_full - {None} | self.port_for(packet) if None in is_full else is_full

    def session_for(self) -> set[Limit | None]:
        """Return whether there may be a session, also in place of a stranger's, and whether there may be none."""
        strangers = [book for book in self.books.values() if book.by_stranger]
        if not self.is_reached(len(self.books), self.settings.limit_sessions):
            return {None}
        if any(book.is_unanswered for book in strangers):
            return {None}
        return {None, Limit.SESSIONS} if strangers else {Limit.SESSIONS}

    def sessions(self, protocol: Protocol, address: int, remote: Endpoint) -> tuple[int, int]:
        """Return how many sessions an external address surely has with a remote endpoint, and perhaps has."""
        found = [
            book
            for book in self.books.values()
            if (book.flow.mapping.protocol, book.flow.mapping.external.address, book.flow.peer)
            == (protocol, address, remote)
        ]
        least = sum(not book.by_stranger for book in found)
        return least, least + sum(book.by_stranger and book.may_be_answered for book in found)

    def rooms_toward(self, packet: Packet, address: int) -> tuple[float, float]:
        """Return for how many sessions with a destination there surely is room at an address, and perhaps."""
        most = self.settings.limit_sessions_per_destination
        if most is None:
            return math.inf, math.inf
        least, highest = self.sessions(packet.protocol, address, packet.destination)
        return most - highest, most - least

    def port_for(self, packet: Packet) -> set[Limit | None]:
        """Return whether there may be a port, and whether there may be none."""
        protocol, pooling = packet.protocol, self.settings.pooling
        destination = self.settings.overlapping.part(packet.destination)
        taken = Counter(
            external.address
            for external, toward in [*self.places(protocol), *self.out_of_use[protocol].places()]
            if toward == destination
        )
        size = len(self.settings.ports)
        rooms = {address: size - taken[address] for address in self.settings.external_addresses}
        paired = {m.external.address for m in self.live if m.internal.address == packet.source.address}
        if paired and (pooling.limit is Limit.PORTS or self.settings.own_ports):
            rooms = {address: room for address, room in rooms.items() if address in paired}
        sure, perhaps = (
            {address: min(room, self.rooms_toward(packet, address)[place]) for address, room in rooms.items()}
            for place in (0, 1)
        )
        can = any(room > 0 for room in perhaps.values())
        every = all if pooling.limit is Limit.PORTS else any
        must = every(room > 0 for room in sure.values())
        limits: set[Limit | None] = {pooling.limit}
        if any(self.rooms_toward(packet, address)[0] <= 0 for address in rooms):
            limits.add(Limit.DESTINATION)
        if self.settings.own_ports is not None:
            limits = limits - {pooling.limit} | {Limit.SUBSCRIBER_PORTS, Limit.RESERVATION}
        if self.settings.is_by_subscriber:
            must = False
        return ({None} if can else set()) | (set() if must else limits)

    def tokens_of(self, subscriber: int, now: float) -> float:
        """Return how many mappings a subscriber may make at once."""
        rate = self.settings.new_mapping_rate_per_subscriber or 0.0
        burst = max(1.0, rate)
        tokens, at = self.tokens.get(subscriber, (burst, now))
        return min(burst, tokens + (now - at) * rate)

    @staticmethod
    def is_reached(value: int, limit: int | None) -> bool:
        """Whether a limit is set and reached."""
        return limit is not None and value >= limit


TestConfigurations = ConfigurationMachine.TestCase
TestConfigurations.settings = settings(max_examples=200, stateful_step_count=40)
