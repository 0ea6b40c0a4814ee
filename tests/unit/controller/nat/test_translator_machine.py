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

from controller.nat.events import LimitReached, MappingCreated, MappingReleased, ReleaseReason
from controller.nat.model import Answer, Endpoint, Limit, Mapping, Protocol, Side, TcpFlags
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
FLAGS = (SYN, SYN, SYN, SYN | ACK, ACK, TcpFlags.NONE, FIN, FIN | ACK, RST, RST | ACK, SYN | FIN, SYN | RST)
FOREVER = OPENING + 2 * ESTABLISHED + RESET
"""Longer than any TCP mapping without traffic may live."""
IDLE_TIMEOUTS = {UDP: UDP_TIMEOUT, ICMP: ICMP_TIMEOUT}

internal_endpoints = st.sampled_from([Endpoint.parse(f"{host}:{port}") for host in HOSTS for port in (5, 6)])
remotes = st.sampled_from(REMOTES)
flags_sent = st.sampled_from(FLAGS)
Key = tuple[Protocol, Endpoint]


@dataclass
class Connection:
    """What a bystander sees of a TCP connection."""

    client: Side
    opened_at: float
    answered: bool = False
    fins: set[Side] = field(default_factory=set)
    closed_at: float | None = None
    reset_at: float | None = None
    goes_on: bool = False
    was_idle: bool = False

    def see(self, sender: Side, flags: TcpFlags, now: float) -> None:
        """Take note of a segment."""
        is_over = self.closed_at is not None or self.reset_at is not None
        if flags & RST:
            self.reset_at = now if self.reset_at is None else self.reset_at
        elif flags & FIN:
            self.fins.add(sender)
            if len(self.fins) == 2:
                self.closed_at = now  # again, if one is sent again: the timer is one of idleness
        elif flags & (SYN | ACK) == SYN and sender is self.client and is_over:
            self.opened_at, self.answered, self.fins = now, False, set()
            self.closed_at = self.reset_at = None
            self.was_idle = self.goes_on = False

    def may_be_over(self, now: float, idle_since: float | None) -> bool:
        """Whether a NAT may have forgotten it."""
        return (
            (self.closed_at is not None and now - self.closed_at >= CLOSING)
            or (self.reset_at is not None and now - self.reset_at >= RESET)
            or (not self.answered and now - self.opened_at >= OPENING)
            or (idle_since is not None and now - idle_since >= ESTABLISHED + RESET)
        )

    def must_be_over(self, now: float) -> bool:
        """Whether a NAT must have forgotten it, wherever traffic can no longer blur that."""
        if self.was_idle or self.goes_on:
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
    idle_since: float | None = None
    connections: dict[Endpoint, Connection] = field(default_factory=dict)

    def pass_packet(self, side: Side, remote: Endpoint, flags: TcpFlags, now: float) -> None:
        """Take note of a packet that the mapping let through."""
        if now - self.last_traffic >= ESTABLISHED:
            self.idle_since = self.last_traffic
            for connection in self.connections.values():
                connection.was_idle = True
        self.last_traffic = now
        for connection in self.connections.values():
            if connection.reset_at is not None and not flags & RST:
                connection.goes_on = True  # RFC 7857 section 2.2
        if side is Side.INSIDE:
            self.last_outbound = now
        else:
            for connection in self.connections.values():
                connection.answered = True
        if self.mapping.protocol is TCP:
            if remote not in self.connections and flags & (SYN | ACK | FIN | RST) == SYN:
                self.connections[remote] = Connection(side, now)
            elif remote in self.connections:
                self.connections[remote].see(side, flags, now)

    def forget_the_counts(self, now: float) -> None:
        """Take note that nobody can tell any more what was idle or unanswered until now."""
        self.kept_from = now
        for connection in self.connections.values():
            connection.answered = True

    def may_end(self, now: float) -> bool:
        """Whether nothing needs it any more."""
        if self.mapping.protocol in IDLE_TIMEOUTS:
            return now - self.last_outbound >= IDLE_TIMEOUTS[self.mapping.protocol]
        idle_since = self.last_traffic if now - self.last_traffic >= ESTABLISHED else self.idle_since
        return all(connection.may_be_over(now, idle_since) for connection in self.connections.values())

    def must_have_ended(self, now: float) -> bool:
        """Whether it is kept although nothing can need it."""
        if self.mapping.protocol in IDLE_TIMEOUTS:
            last = max(self.last_outbound, self.kept_from)
            return now - last > IDLE_TIMEOUTS[self.mapping.protocol] * 1.25
        silent = now - max(self.last_traffic, self.kept_from) > FOREVER
        return silent or all(connection.must_be_over(now) for connection in self.connections.values())


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
        self.twins = [Bench(seed=seed, ports=ports, addresses=addresses, hold_down=hold_down) for _ in range(2)]
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

    @rule(protocol=st.sampled_from(Protocol), source=internal_endpoints, to=remotes, flags=flags_sent)
    def packet_from_inside(self, protocol: Protocol, source: Endpoint, to: Endpoint, flags: TcpFlags) -> None:
        """A packet goes out, by the switch's rules where they take it, else by way of the controller."""
        flags = flags if protocol is TCP else TcpFlags.NONE
        expected = self.live.get((protocol, source))
        if expected is None:
            self.new_flow(protocol, source, to, flags)
        elif protocol is ICMP or flags & (SYN | ACK) == SYN:
            verdict = self.both("outbound", protocol, source, to, flags)
            assert verdict == Translate(expected.mapping.flows[0], created=False)
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

    @rule(
        protocol=st.sampled_from(Protocol),
        which=st.integers(0, 23),
        source=remotes,
        flags=flags_sent,
    )
    def packet_from_outside(self, protocol: Protocol, which: int, source: Endpoint, flags: TcpFlags) -> None:
        """A packet comes in to one of the pool's endpoints, whoever sends it."""
        flags = flags if protocol is TCP else TcpFlags.NONE
        pool = [Endpoint(address, port) for address in self.addresses for port in self.ports]
        to = pool[which % len(pool)]
        expected = next((e for (p, _), e in self.live.items() if p is protocol and e.external == to), None)
        if expected is None:
            assert self.both("inbound", protocol, source, to, flags) == Drop(DropReason.NO_MAPPING)
        elif protocol is ICMP or flags & (SYN | ACK) == SYN:
            verdict = self.both("inbound", protocol, source, to, flags)
            assert verdict == Translate(expected.mapping.flows[0], created=False)
            expected.pass_packet(Side.OUTSIDE, source, flags, self.bench.now)
        else:
            self.by_the_rules(expected, Side.OUTSIDE, source, flags)

    def by_the_rules(self, expected: Expected, side: Side, remote: Endpoint, flags: TcpFlags) -> None:
        """The switch forwards a packet, and copies it to the controller where it ends a connection."""
        for bench in self.twins:
            mapping = bench.mapping(expected.mapping.protocol, expected.mapping.internal)
            assert mapping is not None
            if flags & (FIN | RST):
                bench.copy(mapping, side, flags, remote)
            else:
                bench.forward(mapping, outbound=side is Side.INSIDE, inbound=side is Side.OUTSIDE)
        expected.pass_packet(side, remote, flags, self.bench.now)

    @precondition(lambda self: self.live)
    @rule(which=st.integers(0, 100), to=remotes)
    def straggler(self, which: int, to: Endpoint) -> None:
        """A packet of a known mapping comes to the controller all the same: the switch had not its rules yet."""
        expected = self.choose(which)
        verdict = self.both("outbound", expected.mapping.protocol, expected.mapping.internal, to, TcpFlags.NONE)
        assert verdict == Translate(expected.mapping.flows[0], created=False)
        expected.pass_packet(Side.INSIDE, to, TcpFlags.NONE, self.bench.now)

    @rule(seconds=st.sampled_from((0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 9.0, 20.0, 60.0)))
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
            mapping = bench.mapping(expected.mapping.protocol, expected.mapping.internal)
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
            (flow,) = expected.mapping.flows
            assert nat.outbound_flow(protocol, internal, REMOTES[0]) is flow
            assert nat.inbound_flow(protocol, expected.external, REMOTES[0]) is flow

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
TestNat.settings = settings(max_examples=100, stateful_step_count=40)
