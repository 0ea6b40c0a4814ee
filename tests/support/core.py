"""The NAT's core with a clock and the switch's packet counters: what drives it when there is no switch."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterable
from typing import Any

from controller.nat.events import (
    ConnectionReopened,
    Event,
    FlowEnded,
    LimitReached,
    MappingCreated,
    MappingReleased,
    Resumed,
)
from controller.nat.model import (
    Answer,
    Connection,
    Dependence,
    Endpoint,
    Flow,
    Mapping,
    Packet,
    Protocol,
    Side,
    TcpFlags,
)
from controller.nat.port_set import PortSet
from controller.nat.settings import NatSettings
from controller.nat.strategies.allocators.random_ import RandomAllocator
from controller.nat.strategies.exhaustion.drop import DropPolicy
from controller.nat.strategies.pooling.paired import Paired
from controller.nat.tcp import TcpTimer
from controller.nat.translator import Nat
from controller.nat.verdicts import Translate, Verdict

TCP, UDP, ICMP = Protocol.TCP, Protocol.UDP, Protocol.ICMP
SYN, ACK, FIN, RST = TcpFlags.SYN, TcpFlags.ACK, TcpFlags.FIN, TcpFlags.RST

ALICE = Endpoint.parse("10.0.0.1:40000")
BOB = Endpoint.parse("10.0.0.2:40000")
CAROL = Endpoint.parse("10.0.0.3:40000")
SERVER = Endpoint.parse("198.51.100.1:7")
MIRROR = Endpoint.parse("203.0.113.1:7")

UDP_TIMEOUT, ICMP_TIMEOUT = 8.0, 4.0
OPENING, ESTABLISHED, CLOSING, RESET = 4.0, 16.0, 2.0, 1.0
REST = 0.5
HOLD = 2.0
FIRST_PORT = 1024
ROUNDING_S = 1e-5
"""No deadline is met earlier than by this; a token bucket rounds."""


def nat_settings(
    *, ports: int | PortSet = 4, addresses: int = 1, hold_down: float = 0.0, **others: Any
) -> NatSettings:
    """Return settings with short timers, they and their quarters exact in binary; `others` by their names."""
    first = int(ipaddress.IPv4Address("192.0.2.1"))
    defaults: dict[str, Any] = {
        "external_addresses": tuple(range(first, first + addresses)),
        "ports": range(FIRST_PORT, FIRST_PORT + ports) if isinstance(ports, int) else ports,
        "mapping": Dependence.INDEPENDENT,
        "filtering": Dependence.INDEPENDENT,
        "overlapping": Dependence.INDEPENDENT,
        "pooling": Paired,
        "allocator": RandomAllocator,
        "port_set_size": 2,
        "port_set_timeout": 4.0,
        "on_exhaustion": DropPolicy,
        "fallback": Answer.NOTHING,
        "hold_timeout": HOLD,
        "hold_queue": 100,
        "evict_only_idle_for": 0.0,
        "port_quota": None,
        "port_quotas": dict.fromkeys(Protocol),
        "limit_port_mappings": None,
        "limit_sessions": None,
        "limit_unanswered_inbound_sessions": 1000,
        "limit_subscribers": None,
        "new_mapping_rate_per_subscriber": None,
        "pool_usage_low": 50,
        "pool_usage_high": 100,
        "udp_timeout": UDP_TIMEOUT,
        "icmp_timeout": ICMP_TIMEOUT,
        "tcp_timeouts": {
            TcpTimer.OPENING: OPENING,
            TcpTimer.ESTABLISHED: ESTABLISHED,
            TcpTimer.CLOSING: CLOSING,
            TcpTimer.RESET: RESET,
        },
        "hold_down_timeout": hold_down,
        "hold_down_max": None,
        "rest": REST,
        "refresh_inbound": False,
    }
    return NatSettings(**{**defaults, **others})


class Bench:
    """A NAT on the bench. `log` has every event with its time."""

    def __init__(self, *, seed: int = 1, **settings: Any) -> None:
        self.nat = Nat(nat_settings(**settings), random.Random(seed))
        self.now = 0.0
        self.log: list[tuple[float, Event]] = []
        self._counts: dict[Flow, tuple[int, int]] = {}

    # What the controller is asked about

    def outbound(
        self, protocol: Protocol, source: Endpoint, to: Endpoint = SERVER, flags: TcpFlags = TcpFlags.NONE
    ) -> Verdict:
        """Let a packet from inside come to the NAT; where it is translated the switch forwards and counts it."""
        verdict = self.nat.outbound(Packet(protocol, source, to, flags), self.now)
        if isinstance(verdict, Translate):
            self._pass(verdict.flow, outbound=1)
        self._take_events()
        return verdict

    def inbound(
        self, protocol: Protocol, source: Endpoint, to: Endpoint, flags: TcpFlags = TcpFlags.NONE
    ) -> Verdict:
        """Let a packet from outside come to the NAT; where it is translated the switch forwards and counts it."""
        verdict = self.nat.inbound(Packet(protocol, source, to, flags), self.now)
        if isinstance(verdict, Translate):
            self._pass(verdict.flow, inbound=1)
        self._take_events()
        return verdict

    def open(self, source: Endpoint = ALICE, to: Endpoint = SERVER, protocol: Protocol = TCP) -> Mapping:
        """Let an inside endpoint open a connection or flow, and return its mapping."""
        verdict = self.outbound(protocol, source, to, SYN if protocol is TCP else TcpFlags.NONE)
        assert isinstance(verdict, Translate), verdict
        return verdict.mapping

    # What the switch does without asking

    def forward(self, mapping: Mapping, *, outbound: int = 0, inbound: int = 0, remote: Endpoint = SERVER) -> None:
        """Let the switch's rules forward `outbound` packets to a remote endpoint, and `inbound` from it."""
        sent = self.nat.outbound_flow(mapping.protocol, mapping.internal, remote)
        received = self.nat.inbound_flow(mapping.protocol, mapping.external, remote)
        if sent is not None:
            self._pass(sent, outbound=outbound)
        if received is not None:
            self._pass(received, inbound=inbound)

    def copy(self, mapping: Mapping, side: Side, flags: TcpFlags, remote: Endpoint = SERVER) -> None:
        """Let the switch forward a FIN or RST from one side, and send the NAT a copy."""
        if side is Side.INSIDE:
            packet = Packet(mapping.protocol, mapping.internal, remote, flags)
        else:
            packet = Packet(mapping.protocol, remote, mapping.external, flags)
        self.forward(mapping, outbound=side is Side.INSIDE, inbound=side is Side.OUTSIDE, remote=remote)
        self.observe(side, packet)

    def pass_by_rules(self, flow: Flow, *, outbound: int = 0, inbound: int = 0) -> None:
        """Let the rules of one flow forward `outbound` and `inbound` packets."""
        self._pass(flow, outbound=outbound, inbound=inbound)

    def observe(self, side: Side, packet: Packet) -> None:
        """Send the NAT the copy of a FIN or RST that the switch has forwarded."""
        self.nat.observe(side, packet, self.now)
        self._take_events()

    def _pass(self, flow: Flow, *, outbound: int = 0, inbound: int = 0) -> None:
        had = self._counts.get(flow, (0, 0))
        self._counts[flow] = (had[0] + outbound, had[1] + inbound)

    # Time, and what the controller does by itself

    def sleep(self, seconds: float) -> None:
        """Let time pass; each deadline is met when it comes, and not before."""
        until = self.now + seconds
        while (deadline := self.nat.next_deadline) is not None and deadline <= until:
            self._check_nothing_is_due(deadline - ROUNDING_S)
            self._let(max(self.now, deadline))
            after = self.nat.next_deadline
            assert after is None or after > deadline, "what was due is still due"
        self._let(until)

    def roll_back(self, mapping: Mapping, packet: Packet | None = None) -> None:
        """Let the switch have refused the rules of all of a mapping's flows; `packet` made them."""
        for flow in list(mapping.flows):
            self.nat.roll_back(flow, packet, self.now)
        self._take_events()

    def refuse(self, flow: Flow, packet: Packet | None = None) -> Verdict | None:
        """Let the switch have refused the rules of one flow; `packet` made it."""
        verdict = self.nat.roll_back(flow, packet, self.now)
        self._take_events()
        return verdict

    def reconnect(self) -> None:
        """Let the switch connect anew: its rules count from zero."""
        self.nat.counts_restarted(self.now)
        self._counts.clear()

    def change(self, **settings: Any) -> None:
        """Let an operator give the NAT other settings, under which all its mappings can stay."""
        before, self.nat = self.nat, Nat(nat_settings(**settings), random.Random(99))
        assert self.nat.may_adopt(before)
        before.refuse_waiting()
        while before.events:
            self.log.append((self.now, before.events.popleft()))
        self.nat.adopt(before)
        self.nat.count_on(before)

    def _let(self, now: float) -> None:
        self.now = now
        self._count(self.nat.due(now))
        self._take_events()

    def _count(self, flows: Iterable[Flow]) -> None:
        self.nat.examined([(flow, *self._counts.get(flow, (0, 0))) for flow in flows], self.now)

    def _check_nothing_is_due(self, before: float) -> None:
        if before >= self.now:
            free = [self.nat.pool.usage(protocol).free for protocol in Protocol]
            assert self.nat.due(before) == []
            assert all(isinstance(event, LimitReached) for event in self.nat.events)  # seen at any look
            assert free == [self.nat.pool.usage(protocol).free for protocol in Protocol]

    def _take_events(self) -> None:
        while self.nat.events:
            event = self.nat.events.popleft()
            self.log.append((self.now, event))
            match event:
                case FlowEnded(flow):
                    self._counts.pop(flow, None)
                case ConnectionReopened(flow):
                    self._count([flow])
                case Resumed(verdict=Translate(flow)):
                    self._pass(flow, outbound=1)

    # What is to be seen

    def mapping(self, protocol: Protocol, internal: Endpoint, remote: Endpoint = SERVER) -> Mapping | None:
        """Return the mapping that packets from `internal` to `remote` use."""
        flow = self.nat.outbound_flow(protocol, internal, remote)
        return None if flow is None else flow.mapping

    def is_live(self, mapping: Mapping) -> bool:
        """Whether the NAT still has this mapping."""
        return any(self.nat.is_live(flow) for flow in mapping.flows)

    def releases(self) -> list[tuple[float, str]]:
        """Return when mappings ended, and why."""
        return [(at, event.reason.name) for at, event in self.log if isinstance(event, MappingReleased)]

    def created(self) -> int:
        """Return how many mappings were made so far."""
        return sum(isinstance(event, MappingCreated) for _, event in self.log)


def first_packet(protocol: Protocol) -> TcpFlags:
    """Return the flags of a flow's first packet."""
    return SYN if protocol is TCP else TcpFlags.NONE


def connections(mapping: Mapping) -> dict[Endpoint, Connection]:
    """Return the TCP connections of all of a mapping's flows."""
    return {flow.peer: flow.connection for flow in mapping.flows if flow.connection is not None}
