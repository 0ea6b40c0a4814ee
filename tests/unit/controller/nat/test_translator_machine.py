"""The plain NAT against a model of it: any packets in any order, time passing, and refusals by the switch.

The model knows what a mapping is, when a port may be given, and when a mapping may and must end; it knows
nothing of timers or tables. Two NATs with the same seed run side by side, and must do the same. The other
configurations have a machine that predicts less, in `test_translator_configurations.py`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.nat.events import FlowEnded, LimitReached, MappingCreated, MappingReleased, ReleaseReason
from controller.nat.model import Answer, Endpoint, Flow, Limit, Mapping, Protocol, Side, TcpFlags
from controller.nat.verdicts import Drop, DropReason, Refuse, Translate, Verdict
from tests.support.core import (
    ACK,
    CLOSING,
    ESTABLISHED,
    FIN,
    FIRST_PORT,
    ICMP,
    ICMP_TIMEOUT,
    OPENING,
    RESET,
    REST,
    RST,
    SYN,
    TCP,
    UDP,
    UDP_TIMEOUT,
    Bench,
)

HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
REMOTES = tuple(Endpoint.parse(text) for text in ("198.51.100.1:7", "198.51.100.1:8", "203.0.113.1:7"))
FLAGS = (*[SYN] * 9, SYN | ACK, ACK, TcpFlags.NONE, FIN, FIN | ACK, RST, RST | ACK, SYN | FIN, SYN | RST)
FOREVER = OPENING + 2 * ESTABLISHED + RESET
"""Longer than any TCP mapping without traffic may live."""
IDLE_TIMEOUTS = {UDP: UDP_TIMEOUT, ICMP: ICMP_TIMEOUT}

internal_endpoints = st.sampled_from([Endpoint.parse(f"{host}:{port}") for host in HOSTS for port in (5, 6)])
remotes = st.sampled_from(REMOTES)
flags_sent = st.sampled_from(FLAGS)
protocols = st.sampled_from((TCP, TCP, UDP, ICMP))
Key = tuple[Protocol, Endpoint]


@dataclass
class Connection:
    """What a bystander sees of a TCP connection. One that a stranger opened waits for the inside."""

    client: Side
    opened_at: float
    last_traffic: float
    awaits_inside: bool
    is_strangers: bool
    may_be_answered: bool = False
    """Whether the inside has sent what no host begins an answer with. The NAT may notice it, or not in time."""
    is_unwanted: bool = False
    """Whether the inside has reset a stranger's, which ends at once unless the inside answers another SYN."""
    answered: bool = False
    fins: set[Side] = field(default_factory=set)
    closed_at: float | None = None
    reset_at: float | None = None
    idle_since: float | None = None
    goes_on: bool = False

    def see(self, sender: Side, flags: TcpFlags, now: float) -> None:
        """Take note of a segment."""
        opens = flags & (SYN | ACK | FIN | RST) == SYN
        if opens and sender is Side.OUTSIDE and self.is_over:
            self.client, self.awaits_inside = sender, True
        if self.awaits_inside and sender is Side.OUTSIDE and not flags & RST:
            return
        if sender is Side.INSIDE and not flags & RST:
            self.awaits_inside, self.may_be_answered = False, True
            self.is_strangers = self.is_strangers and not flags & SYN
        if sender is Side.INSIDE:
            self.is_unwanted = self.is_strangers and bool(self.is_unwanted or flags & RST)
        self.pass_time(now)
        self.answered |= sender is not self.client
        if flags & RST:
            self.reset_at = now if self.reset_at is None else self.reset_at
        elif opens and self.is_over:
            self.client, self.opened_at, self.answered, self.fins = sender, now, False, set()
            self.closed_at = self.reset_at = self.idle_since = None
            self.goes_on = False
        else:
            self.goes_on |= self.is_over or self.idle_since is not None  # RFC 7857 section 2.2
            if flags & FIN:
                self.fins.add(sender)
                if len(self.fins) == 2:
                    self.closed_at = now  # again, if one is sent again: the timer is one of idleness

    @property
    def is_over(self) -> bool:
        """Whether it was closed or reset."""
        return self.closed_at is not None or self.reset_at is not None

    def pass_time(self, now: float) -> None:
        """Take note that it is used."""
        if now - self.last_traffic >= ESTABLISHED:
            self.idle_since = self.last_traffic
        self.last_traffic = now

    def may_be_over(self, now: float) -> bool:
        """Whether a NAT may have forgotten it."""
        idle_since = self.last_traffic if now - self.last_traffic >= ESTABLISHED else self.idle_since
        since = self.opened_at if self.awaits_inside else self.reset_at
        return (
            self.is_unwanted
            or (self.closed_at is not None and now - self.closed_at >= CLOSING)
            or (self.reset_at is not None and since is not None and now - since >= RESET)
            or ((self.is_strangers or self.awaits_inside or not self.answered) and now - self.opened_at >= OPENING)
            or (idle_since is not None and now - idle_since >= ESTABLISHED + RESET)
        )

    def must_be_over(self, now: float, kept_from: float) -> bool:
        """Whether a NAT must have forgotten it, wherever traffic can no longer blur that."""
        if now - max(self.last_traffic, kept_from) > FOREVER:
            return True
        if self.is_strangers and not self.may_be_answered:
            return now - self.opened_at > OPENING + RESET
        if self.idle_since is not None or self.goes_on:
            return False
        if self.reset_at is not None:
            return self.closed_at is None and now - self.reset_at >= RESET
        return self.closed_at is not None and now - self.closed_at >= CLOSING


@dataclass
class Expected:
    """What the model knows of a live mapping."""

    mapping: Mapping
    external: Endpoint
    last_outbound: float
    last_traffic: float
    kept_from: float = 0.0
    connections: dict[Endpoint, Connection] = field(default_factory=dict)

    def pass_packet(self, side: Side, remote: Endpoint, flags: TcpFlags, now: float) -> None:
        """Take note of a packet that the mapping let through."""
        self.last_traffic = now
        if side is Side.INSIDE:
            self.last_outbound = now
        if self.mapping.protocol is not TCP:
            return
        if remote in self.connections:
            self.connections[remote].see(side, flags, now)
        else:
            is_strangers = side is Side.OUTSIDE
            self.connections[remote] = Connection(side, now, now, is_strangers, is_strangers)

    def forget_the_counts(self, now: float) -> None:
        """Take note that nobody can tell any more what was idle or unanswered until now."""
        self.kept_from = now
        for connection in self.connections.values():
            connection.answered = True

    def may_end(self, now: float) -> bool:
        """Whether nothing needs it any more."""
        if self.mapping.protocol in IDLE_TIMEOUTS:
            return now - self.last_outbound >= IDLE_TIMEOUTS[self.mapping.protocol]
        return not self.connections

    def may_lose(self, remote: Endpoint, now: float) -> bool:
        """Whether a connection may end: it is over, or no other one keeps the mapping for a stranger's."""
        connection = self.connections[remote]
        is_kept = any(not each.is_strangers for each in self.connections.values())
        return connection.may_be_over(now) or (connection.is_strangers and not is_kept)

    def must_have_ended(self, now: float) -> bool:
        """Whether it is kept although nothing can need it."""
        if self.mapping.protocol in IDLE_TIMEOUTS:
            last = max(self.last_outbound, self.kept_from)
            return now - last > IDLE_TIMEOUTS[self.mapping.protocol] * 1.25
        own = [each for each in self.connections.values() if not each.is_strangers or each.may_be_answered]
        return all(connection.must_be_over(now, self.kept_from) for connection in own)


class NatMachine(RuleBasedStateMachine):
    """Whatever happens, the NAT keeps its promises."""

    @initialize(
        ports=st.integers(1, 8),
        addresses=st.integers(1, 3),
        hold_down=st.sampled_from((0.0, 0.0, 3.0)),
        seed=st.integers(0, 3),
    )
    def start(self, ports: int, addresses: int, hold_down: float, seed: int) -> None:
        """Make two equal NATs with a small pool."""
        self.settings = {"ports": ports, "addresses": addresses, "hold_down": hold_down}
        self.twins = [Bench(seed=seed, **self.settings) for _ in range(2)]
        self.bench = self.twins[0]
        self.ports = range(FIRST_PORT, FIRST_PORT + ports)
        self.addresses = self.bench.nat.settings.external_addresses
        # RFC 6888 REQ-8(a): a NAT that follows TCP connections need not hold down their ports.
        self.out_of_use_for = {TCP: REST, UDP: max(hold_down, REST), ICMP: max(hold_down, REST)}
        self.live: dict[Key, Expected] = {}
        self.given_back: dict[Key, float] = {}
        self.turns = itertools.cycle(self.addresses)
        self.paired: dict[int, int] = {}
        self.heard = 0
        self.rolling_back = False

    # What happens

    @rule(protocol=protocols, source=internal_endpoints, to=remotes, flags=flags_sent)
    def packet_from_inside(self, protocol: Protocol, source: Endpoint, to: Endpoint, flags: TcpFlags) -> None:
        """A packet goes out, by the switch's rules where they take it, else by way of the controller."""
        flags = flags if protocol is TCP else TcpFlags.NONE
        expected = self.live.get((protocol, source))
        if expected is None:
            self.new_flow(protocol, source, to, flags)
        elif protocol is TCP and to not in expected.connections:
            self.new_connection(expected, Side.INSIDE, to, flags)
        elif protocol is ICMP or flags & (SYN | ACK) == SYN:
            verdict = self.both("outbound", protocol, source, to, flags)
            assert verdict == Translate(self.flow_of(expected, to), created=False)
            expected.pass_packet(Side.INSIDE, to, flags, self.bench.now)
        else:
            self.by_the_rules(expected, Side.INSIDE, to, flags)

    def new_flow(self, protocol: Protocol, source: Endpoint, to: Endpoint, flags: TcpFlags) -> None:
        """A packet without a mapping asks for one."""
        free = self.free_ports(protocol, source) if protocol is not TCP or flags == SYN else set()
        verdict = self.both("outbound", protocol, source, to, flags)
        if protocol is TCP and (not flags & SYN or flags & ACK):
            assert verdict == Drop(DropReason.NOT_A_SYN)
        elif protocol is TCP and flags & (FIN | RST):
            assert not isinstance(verdict, Translate), "this opens no connection"
        elif free:
            assert isinstance(verdict, Translate)
            assert verdict.created
            assert verdict.mapping.external in free
            new = Expected(verdict.mapping, verdict.mapping.external, self.bench.now, self.bench.now)
            new.pass_packet(Side.INSIDE, to, flags, self.bench.now)
            self.live[protocol, source] = new
            self.paired[source.address] = new.external.address
        else:
            assert verdict == Refuse(Limit.PORTS, Answer.NOTHING)

    def new_connection(self, expected: Expected, side: Side, remote: Endpoint, flags: TcpFlags) -> None:
        """A segment of a mapping's endpoint comes, to or from a peer without a connection: only SYNs pass."""
        method = "outbound" if side is Side.INSIDE else "inbound"
        ends = (expected.mapping.internal, remote) if side is Side.INSIDE else (remote, expected.external)
        verdict = self.both(method, TCP, *ends, flags)
        if flags != SYN:
            assert verdict == Drop(DropReason.NOT_A_SYN)
        else:
            assert isinstance(verdict, Translate)
            assert verdict.created
            assert verdict.mapping is expected.mapping
            expected.pass_packet(side, remote, flags, self.bench.now)

    @rule(
        protocol=protocols,
        which=st.integers(0, 23),
        source=remotes,
        flags=flags_sent,
    )
    def packet_from_outside(self, protocol: Protocol, which: int, source: Endpoint, flags: TcpFlags) -> None:
        """A packet comes in to an endpoint in use, or to any of the pool's, whoever sends it."""
        flags = flags if protocol is TCP else TcpFlags.NONE
        in_use = [each.external for (p, _), each in self.live.items() if p is protocol]
        pool = [Endpoint(address, port) for address in self.addresses for port in self.ports]
        pool = in_use if in_use and which % 4 else pool
        self.send_in(protocol, source, pool[which % len(pool)], flags)

    def send_in(self, protocol: Protocol, source: Endpoint, to: Endpoint, flags: TcpFlags) -> None:
        """Let a packet come in."""
        expected = next((e for (p, _), e in self.live.items() if p is protocol and e.external == to), None)
        if expected is None:
            assert self.both("inbound", protocol, source, to, flags) == Drop(DropReason.NO_MAPPING)
        elif protocol is TCP and source not in expected.connections:
            self.new_connection(expected, Side.OUTSIDE, source, flags)
        elif protocol is ICMP or flags & (SYN | ACK) == SYN:
            verdict = self.both("inbound", protocol, source, to, flags)
            assert verdict == Translate(self.flow_of(expected, source), created=False)
            expected.pass_packet(Side.OUTSIDE, source, flags, self.bench.now)
        else:
            self.by_the_rules(expected, Side.OUTSIDE, source, flags)

    @precondition(lambda self: any(protocol is TCP for protocol, _ in self.live))
    @rule(which=st.integers(0, 100), source=remotes, flags=st.sampled_from((SYN, SYN, SYN, ACK, FIN, RST)))
    def segment_for_a_mapping(self, which: int, source: Endpoint, flags: TcpFlags) -> None:
        """A server, or a stranger, sends to a TCP mapping."""
        externals = [expected.external for (protocol, _), expected in self.live.items() if protocol is TCP]
        self.send_in(TCP, source, externals[which % len(externals)], flags)

    @precondition(lambda self: self.opened_from_outside())
    @rule(which=st.integers(0, 100), flags=st.sampled_from((SYN | ACK, RST, RST | ACK, ACK, SYN)))
    def reply_to_the_outside(self, which: int, flags: TcpFlags) -> None:
        """An inside host replies to a connection from outside: it may be answered, or reset."""
        internal, remote = self.opened_from_outside()[which % len(self.opened_from_outside())]
        self.packet_from_inside(TCP, internal, remote, flags)

    def opened_from_outside(self) -> list[tuple[Endpoint, Endpoint]]:
        """Return the internal endpoint and the peer of each connection that the outside opened."""
        return [
            (internal, remote)
            for (_, internal), expected in self.live.items()
            for remote, connection in expected.connections.items()
            if connection.client is Side.OUTSIDE
        ]

    def by_the_rules(self, expected: Expected, side: Side, remote: Endpoint, flags: TcpFlags) -> None:
        """The switch forwards a packet, and copies it to the controller where it ends or answers a connection."""
        is_answer = side is Side.INSIDE and flags & (SYN | ACK) == SYN | ACK
        for bench in self.twins:
            mapping = bench.mapping(expected.mapping.protocol, expected.mapping.internal, remote)
            assert mapping is not None
            if flags & (FIN | RST) or is_answer:
                bench.copy(mapping, side, flags, remote)
            else:
                is_outbound = side is Side.INSIDE
                bench.forward(mapping, outbound=is_outbound, inbound=not is_outbound, remote=remote)
        expected.pass_packet(side, remote, flags, self.bench.now)

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 100), to=remotes)
    def straggler(self, which: int, to: Endpoint) -> None:
        """A packet of a known mapping comes to the controller all the same: the switch had not its rules yet."""
        expected = self.choose(which)
        to = list(expected.connections or [to])[which % len(expected.connections or [to])]
        verdict = self.both("outbound", expected.mapping.protocol, expected.mapping.internal, to, TcpFlags.NONE)
        assert verdict == Translate(self.flow_of(expected, to), created=False)
        expected.pass_packet(Side.INSIDE, to, TcpFlags.NONE, self.bench.now)

    @rule()
    def the_same_settings_again(self) -> None:
        """One of the two is made anew around its mappings, and goes on doing what the other does."""
        self.twins[1].change(**self.settings)

    @rule(seconds=st.sampled_from((0.25, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0, 5.0, 9.0, 20.0)))
    def time_passes(self, seconds: float) -> None:
        """The bench meets each deadline when it comes, and sees to it that nothing is due before."""
        for bench in self.twins:
            bench.sleep(seconds)

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 100))
    def the_switch_refuses(self, which: int) -> None:
        """The rules of a mapping were too many."""
        expected = self.choose(which)
        self.rolling_back = True
        for bench in self.twins:
            peer = next(iter(expected.connections), REMOTES[0])
            mapping = bench.mapping(expected.mapping.protocol, expected.mapping.internal, peer)
            assert mapping is not None
            bench.roll_back(mapping)
        assert not self.bench.is_live(expected.mapping)
        self.follow_the_events()
        self.rolling_back = False

    @rule()
    def the_switch_reconnects(self) -> None:
        """Its rules are made anew, and count from zero."""
        for bench in self.twins:
            bench.reconnect()
        for expected in self.live.values():
            expected.forget_the_counts(self.bench.now)

    # What must hold

    @invariant()
    def every_promise_holds(self) -> None:
        """After whatever happened."""
        self.follow_the_events()
        self.every_live_mapping_is_in_both_tables()
        self.no_mapping_outlives_its_use()
        self.the_ports_add_up()
        self.the_twins_agree()

    def follow_the_events(self) -> None:
        """A mapping is made when the model says so, and ends only by close, idle timeout or roll back."""
        news, self.heard = self.bench.log[self.heard :], len(self.bench.log)
        for at, event in news:
            match event:
                case MappingCreated(mapping):
                    assert self.live[mapping.protocol, mapping.internal].mapping is mapping
                case FlowEnded(flow) if flow.mapping.protocol is TCP:
                    expected = self.live[TCP, flow.mapping.internal]
                    assert self.rolling_back or expected.may_lose(flow.peer, at), (at, expected)
                    del expected.connections[flow.peer]
                case MappingReleased(mapping, reason):
                    expected = self.live.pop((mapping.protocol, mapping.internal))
                    assert expected.mapping is mapping
                    assert (reason is ReleaseReason.ROLLED_BACK) == self.rolling_back
                    assert self.rolling_back or expected.may_end(at), (at, expected)
                    self.given_back[mapping.protocol, expected.external] = at
                case LimitReached(limit, _, address):
                    assert limit is Limit.PORTS
                    assert address in self.addresses
                    assert not self.rolling_back

    def every_live_mapping_is_in_both_tables(self) -> None:
        """It never changes, has an external endpoint of its own, and is found by either endpoint."""
        nat = self.bench.nat
        assert {(m.protocol, m.internal): m.external for m in nat.mappings()} == {
            key: expected.external for key, expected in self.live.items()
        }
        assert len(nat) == len(self.live)
        assert len({(p, e.external) for (p, _), e in self.live.items()}) == len(self.live)
        for (protocol, internal), expected in self.live.items():
            flows = expected.mapping.flows
            assert len(flows) == (len(expected.connections) if protocol is TCP else 1)
            for remote in expected.connections or REMOTES:
                flow = nat.outbound_flow(protocol, internal, remote)
                assert flow in flows
                assert nat.inbound_flow(protocol, expected.external, remote) is flow

    def no_mapping_outlives_its_use(self) -> None:
        """What nothing needs is released in time."""
        for expected in self.live.values():
            assert not expected.must_have_ended(self.bench.now), expected

    def the_ports_add_up(self) -> None:
        """Allocated, free, resting and held down: all of the pool, always, for each protocol."""
        for protocol in Protocol:
            usage = self.bench.nat.pool.usage(protocol)
            allocated = sum(p is protocol for p, _ in self.live)
            waiting = sum(
                p is protocol and self.bench.now - at < self.out_of_use_for[protocol]
                for (p, external), at in self.given_back.items()
                if not self.is_held(p, external)
            )
            assert usage.allocated == allocated
            assert usage.resting + usage.held_down == waiting
            assert usage.free == len(self.addresses) * len(self.ports) - allocated - waiting

    def the_twins_agree(self) -> None:
        """The same seed and the same packets make the same run."""
        first, second = (
            [
                (
                    at,
                    type(event),
                    getattr(getattr(event, "mapping", None), "internal", None),
                    getattr(getattr(event, "mapping", None), "external", None),
                )
                for at, event in bench.log
            ]
            for bench in self.twins
        )
        assert first == second

    # The model's arithmetic

    def both(self, method: str, *arguments: Any) -> Verdict:
        """Ask both NATs, which must answer alike; return the answer of the first."""
        verdicts: list[Verdict] = [getattr(bench, method)(*arguments) for bench in self.twins]
        first, second = verdicts
        assert type(first) is type(second)
        if isinstance(first, Translate):
            assert isinstance(second, Translate)
            assert first.mapping.external == second.mapping.external
        return first

    def choose(self, which: int) -> Expected:
        """Return one of the live mappings."""
        return list(self.live.values())[which % len(self.live)]

    @staticmethod
    def flow_of(expected: Expected, remote: Endpoint) -> Flow:
        """Return the flow of a mapping's packets to and from a remote endpoint."""
        flows = expected.mapping.flows
        return next(flow for flow in flows if flow.peer == remote) if expected.connections else flows[0]

    def is_held(self, protocol: Protocol, external: Endpoint) -> bool:
        """Whether a live mapping has this external endpoint."""
        return any(p is protocol and expected.external == external for (p, _), expected in self.live.items())

    def free_ports(self, protocol: Protocol, source: Endpoint) -> set[Endpoint]:
        """Return what a new flow of `source` may get: paired pooling, RFC 4787 REQ-2."""
        if any(internal.address == source.address for _, internal in self.live):
            address = self.paired[source.address]
        else:
            address = next(self.turns)  # also if it is then refused
        pool = {Endpoint(address, port) for port in self.ports}
        now = self.bench.now
        span = self.out_of_use_for[protocol]
        waiting = {e for (p, e), at in self.given_back.items() if p is protocol and now - at < span}
        held = {expected.external for (p, _), expected in self.live.items() if p is protocol}
        return pool - waiting - held


TestNat = NatMachine.TestCase
TestNat.settings = settings(max_examples=200, stateful_step_count=50)
