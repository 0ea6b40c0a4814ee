"""The NAT's core with a clock and the switch's packet counters: what drives it when there is no switch."""

from __future__ import annotations

import ipaddress
import math
import random

from controller.nat.allocators.random_ import RandomAllocator
from controller.nat.events import Event, MappingReleased
from controller.nat.exhaustion.drop import Drop
from controller.nat.model import Endpoint, Mapping, Packet, Protocol, Side, TcpFlags, Translate, Verdict
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from controller.nat.translator import Nat

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
FIRST_PORT = 1024


def nat_settings(*, ports: int = 4, addresses: int = 1, hold_down: float = 0.0) -> NatSettings:
    """Return settings with short timers, all of them and their quarters exact in binary."""
    first = int(ipaddress.IPv4Address("192.0.2.1"))
    return NatSettings(
        external_addresses=tuple(range(first, first + addresses)),
        ports=range(FIRST_PORT, FIRST_PORT + ports),
        allocator=RandomAllocator,
        on_exhaustion=Drop(),
        udp_timeout=UDP_TIMEOUT,
        icmp_timeout=ICMP_TIMEOUT,
        tcp_timeouts={
            TcpTimer.OPENING: OPENING,
            TcpTimer.ESTABLISHED: ESTABLISHED,
            TcpTimer.CLOSING: CLOSING,
            TcpTimer.RESET: RESET,
        },
        hold_down_timeout=hold_down,
        rest=REST,
    )


class Bench:
    """A NAT on the bench. `log` has every event with its time."""

    def __init__(self, *, seed: int = 1, ports: int = 4, addresses: int = 1, hold_down: float = 0.0) -> None:
        self.nat = Nat(nat_settings(ports=ports, addresses=addresses, hold_down=hold_down), random.Random(seed))
        self.now = 0.0
        self.log: list[tuple[float, Event]] = []
        self._counts: dict[Mapping, tuple[int, int]] = {}

    # What the controller is asked about

    def outbound(
        self, protocol: Protocol, source: Endpoint, to: Endpoint = SERVER, flags: TcpFlags = TcpFlags.NONE
    ) -> Verdict:
        """Let a packet from inside come to the NAT; where it is translated the switch forwards and counts it."""
        verdict = self.nat.outbound(Packet(protocol, source, to, flags), self.now)
        if isinstance(verdict, Translate):
            self.forward(verdict.mapping, outbound=1)
        self._take_events()
        return verdict

    def inbound(
        self, protocol: Protocol, source: Endpoint, to: Endpoint, flags: TcpFlags = TcpFlags.NONE
    ) -> Verdict:
        """Let a packet from outside come to the NAT; where it is translated the switch forwards and counts it."""
        verdict = self.nat.inbound(Packet(protocol, source, to, flags), self.now)
        if isinstance(verdict, Translate):
            self.forward(verdict.mapping, inbound=1)
        self._take_events()
        return verdict

    def open(self, source: Endpoint = ALICE, to: Endpoint = SERVER, protocol: Protocol = TCP) -> Mapping:
        """Let an inside endpoint open a connection or flow, and return its mapping."""
        verdict = self.outbound(protocol, source, to, SYN if protocol is TCP else TcpFlags.NONE)
        assert isinstance(verdict, Translate), verdict
        return verdict.mapping

    # What the switch does without asking

    def forward(self, mapping: Mapping, *, outbound: int = 0, inbound: int = 0) -> None:
        """Let the switch's rules forward so many packets."""
        had = self._counts.get(mapping, (0, 0))
        self._counts[mapping] = (had[0] + outbound, had[1] + inbound)

    def copy(self, mapping: Mapping, side: Side, flags: TcpFlags, remote: Endpoint = SERVER) -> None:
        """Let the switch forward a FIN or RST from one side, and send the NAT a copy."""
        if side is Side.INSIDE:
            packet = Packet(mapping.protocol, mapping.internal, remote, flags)
        else:
            packet = Packet(mapping.protocol, remote, mapping.external, flags)
        self.forward(mapping, outbound=side is Side.INSIDE, inbound=side is Side.OUTSIDE)
        self.nat.observe(side, packet, self.now)
        self._take_events()

    # Time, and what the controller does by itself

    def sleep(self, seconds: float) -> None:
        """Let time pass; each deadline is met when it comes, and not before."""
        until = self.now + seconds
        while (deadline := self.nat.next_deadline) is not None and deadline <= until:
            self._check_nothing_is_due(math.nextafter(deadline, -math.inf))
            self._let(max(self.now, deadline))
            after = self.nat.next_deadline
            assert after is None or after > deadline, "what was due is still due"
        self._let(until)

    def roll_back(self, mapping: Mapping) -> None:
        """Let the switch have refused a mapping's rules."""
        self.nat.roll_back(mapping, self.now)
        self._take_events()

    def reconnect(self) -> None:
        """Let the switch connect anew: its rules count from zero."""
        self.nat.counts_restarted(self.now)
        self._counts.clear()

    def _let(self, now: float) -> None:
        self.now = now
        for mapping in self.nat.due(now):
            self.nat.examined(mapping, *self._counts.get(mapping, (0, 0)), now)
        self._take_events()

    def _check_nothing_is_due(self, before: float) -> None:
        if before >= self.now:
            free = [self.nat.pool.usage(protocol).free for protocol in Protocol]
            assert self.nat.due(before) == []
            assert not self.nat.events
            assert free == [self.nat.pool.usage(protocol).free for protocol in Protocol]

    def _take_events(self) -> None:
        while self.nat.events:
            event = self.nat.events.popleft()
            self.log.append((self.now, event))
            if isinstance(event, MappingReleased):
                self._counts.pop(event.mapping, None)

    # What is to be seen

    def is_live(self, mapping: Mapping) -> bool:
        """Whether the NAT still has this mapping."""
        return self.nat.by_internal(mapping.protocol, mapping.internal) is mapping

    def releases(self) -> list[tuple[float, str]]:
        """Return when mappings ended, and why."""
        return [(at, event.reason.name) for at, event in self.log if isinstance(event, MappingReleased)]
