"""A NAT on the bench: the core of our own NAT, a clock that is turned by hand, and the switch's packet counts.

Nothing here sleeps: 124 minutes pass in a millisecond. The world around the NAT is as simple as it can be. A TCP
server accepts at once, and a host closes only when it is told to.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable, Iterable

from controller.nat.events import ConnectionReopened, Event, FlowEnded, MappingReleased, Resumed
from controller.nat.model import TCP, Answer, Endpoint, Flow, Mapping, Packet, Protocol, Side, TcpFlags
from controller.nat.settings import NatSettings
from controller.nat.translator import Nat
from controller.nat.verdicts import Hold, Refuse, Translate

FIN_ACK = TcpFlags.FIN | TcpFlags.ACK


class Went(enum.StrEnum):
    """What becomes of a packet that is not translated."""

    NOTHING = "nothing"
    ICMP = "icmp"
    RESET = "reset"
    HELD = "held"


ANSWERS = {Answer.NOTHING: Went.NOTHING, Answer.ICMP: Went.ICMP, Answer.RESET: Went.RESET}


class Simulated:
    """A NAT whose time is `now`. `ended` gets each mapping that ends."""

    def __init__(
        self, settings: NatSettings, seed: int, *, ended: Callable[[Mapping], object] | None = None
    ) -> None:
        self.nat = Nat(settings, random.Random(seed))
        self.now = 0.0
        self.resumed: list[Mapping] = []
        """The mappings of packets that were held, and passed later."""
        self._ended = ended
        self._counts: dict[Flow, list[int]] = {}
        self._closed: set[Flow] = set()

    def send(self, source: Endpoint, target: Endpoint, protocol: Protocol) -> Mapping | Went:
        """Send a packet from inside; of TCP, begin a connection if there is none. Return what became of it."""
        flow = self.nat.outbound_flow(protocol, source, target)
        if flow is not None and flow not in self._closed:
            self._count(flow, 1, int(protocol is TCP))  # its rules forward it, and TCP's acknowledgement
            return flow.mapping
        flags = TcpFlags.SYN if protocol is TCP else TcpFlags.NONE
        verdict = self.nat.outbound(Packet(protocol, source, target, flags), self.now)
        self._take_events()
        if isinstance(verdict, Translate):
            self._opened(verdict.flow)
            return verdict.mapping
        if isinstance(verdict, Hold):
            return Went.HELD
        return ANSWERS[verdict.answer] if isinstance(verdict, Refuse) else Went.NOTHING

    def answer(self, external: Endpoint, sender: Endpoint, protocol: Protocol) -> Mapping | Went:
        """Send a packet from outside to an external endpoint. Return what became of it."""
        flow = self.nat.inbound_flow(protocol, external, sender)
        if flow is not None:
            self._count(flow, int(protocol is TCP), 1)
            return flow.mapping
        flags = TcpFlags.SYN if protocol is TCP else TcpFlags.NONE
        verdict = self.nat.inbound(Packet(protocol, sender, external, flags), self.now)
        self._take_events()
        if isinstance(verdict, Translate):
            self._count(verdict.flow, 0, 1)
            return verdict.mapping
        return Went.NOTHING

    def close(self, source: Endpoint, target: Endpoint) -> None:
        """Have both ends of a TCP connection close it, if there is one."""
        flow = self.nat.outbound_flow(TCP, source, target)
        if flow is None:
            return
        external = flow.mapping.external
        self._closed.add(flow)
        self._count(flow, 1, 1)
        self.nat.observe(Side.INSIDE, Packet(TCP, source, target, FIN_ACK), self.now)
        self.nat.observe(Side.OUTSIDE, Packet(TCP, target, external, FIN_ACK), self.now)
        self._take_events()

    def wait(self, seconds: float) -> None:
        """Let time pass: each deadline is met when it comes."""
        until = self.now + seconds
        while (deadline := self.nat.next_deadline) is not None and deadline <= until:
            self._be(max(self.now, deadline))
        self._be(until)

    def read(self) -> None:
        """Read the switch's counts, by which the NAT knows what was used since the last reading."""
        self._examined([*self.nat.flows()])
        self._take_events()

    def _be(self, now: float) -> None:
        self.now = now
        self._examined(self.nat.due(now))
        self._take_events()

    def _opened(self, flow: Flow) -> None:
        self._count(flow, 1, 0)
        if flow.connection is not None:  # the server accepts, and the client acknowledges
            self._count(flow, 1, 1)

    def _count(self, flow: Flow, outbound: int, inbound: int) -> None:
        counts = self._counts.setdefault(flow, [0, 0])
        counts[0] += outbound
        counts[1] += inbound

    def _examined(self, flows: Iterable[Flow]) -> None:
        self.nat.examined([(flow, *self._counts.get(flow, (0, 0))) for flow in flows], self.now)

    def _take_events(self) -> None:
        while self.nat.events:
            self._take(self.nat.events.popleft())

    def _take(self, event: Event) -> None:
        match event:
            case FlowEnded(flow):
                self._counts.pop(flow, None)
                self._closed.discard(flow)
            case MappingReleased(mapping) if self._ended is not None:
                self._ended(mapping)
            case ConnectionReopened(flow):
                self._closed.discard(flow)
                self._examined([flow])
            case Resumed(verdict=Translate(flow)):
                self._opened(flow)
                self.resumed.append(flow.mapping)
