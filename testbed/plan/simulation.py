"""The NAT's core from one arrival to the next: the network, the clock and the switch's counters in one loop.

The core is the one that a lab runs, unchanged. Here is what a lab has around it: hosts that end their
connections, a switch that counts packets, and a controller that calls `due` with its next tick. With a tick of 0
it calls `due` exactly when something is.

A refused attempt is not repeated. One that is held counts as admitted or refused when the core has decided.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush

from controller.nat.connections import EXAMINATIONS
from controller.nat.events import Event, FlowEnded, GaveUp, Resumed
from controller.nat.model import TCP, EndedBy, Flow, Packet, Side, TcpFlags
from controller.nat.recency import recency_interval
from controller.nat.settings import NatSettings
from controller.nat.tcp import TcpTimer
from controller.nat.translator import Nat
from controller.nat.verdicts import Hold, Refuse, Translate, Verdict
from controller.nat.waiting import Ticket
from controller.openflow.ageing import Ageing
from testbed.plan.arrivals import Arrival, Ending
from testbed.plan.tally import Tally

TICK_S = 0.05
"""How often a lab's controller looks for what is due."""
PACKETS_PER_S = 20
"""The packets of a connection in a second, each way: some between any two examinations of their counts."""
MOST_EVENTS = 20_000
"""The events after which those are taken that nobody waits for."""

_FIN_ACK, _RST = TcpFlags.FIN | TcpFlags.ACK, TcpFlags.RST
_RESET, _UNANSWERED = Ending.RESET, Ending.UNANSWERED
_INSIDE, _OUTSIDE = Side.INSIDE, Side.OUTSIDE

Listener = Callable[[Event, float], None]


class Simulation:
    """A NAT and the world around it. Feed it with arrivals, and read `tally`, which may be replaced meanwhile."""

    def __init__(
        self,
        settings: NatSettings,
        rng: random.Random,
        tally: Tally,
        *,
        tick: float = TICK_S,
        one_at_a_time: bool = False,
        listener: Listener | None = None,
        is_prompt: bool = False,
        reads_together: bool = False,
    ) -> None:
        """Make a NAT. With `one_at_a_time` an inside address that has a mapping makes no other attempt.

        `listener` gets each event of the NAT, and its time. Unless it `is_prompt`, several may come together, and
        somewhat late. With `reads_together` the counts of flows that were made within half a second are read
        together, as a gateway does, whenever one of them is due. So one's time is looked at when another's is.
        """
        self.nat = Nat(settings, rng)
        self.tally = tally
        self._tick = tick
        self._one_at_a_time = one_at_a_time
        self._listener = listener
        self._is_prompt = is_prompt
        self._ageing = Ageing() if reads_together else None
        self._lives: dict[Flow, tuple[float, float, Ending]] = {}
        self._endings: list[tuple[float, int, Flow, TcpFlags]] = []
        self._made = 0
        self._held: dict[Ticket, list[Arrival]] = {}
        self._deadline = math.inf
        """Nothing of the NAT is due before."""
        self._soonest = _soonest(settings)
        self._closing = settings.tcp_timeouts[TcpTimer.CLOSING]
        held_down = settings.hold_down(TCP, EndedBy.FIN)
        self._is_at_once = not tick and not settings.rest and not self._closing and not held_down
        """Whether a port is free when its connection ends: then it is enough to ask before the next attempt."""

    def feed(self, arrivals: Iterable[Arrival]) -> None:
        """Let these attempts arrive, each after whatever is due before it."""
        outbound, events, endings = self.nat.outbound, self.nat.events, self._endings
        offered_by, offered_to = self.tally.offered_by, self.tally.offered_to
        busy = self.nat.limits.subscribers if self._one_at_a_time else ()
        soonest, is_prompt = self._soonest, self._is_prompt
        for arrival in arrivals:
            at, packet, _, _, group, destination = arrival
            if at >= self._deadline or (endings and endings[0][0] <= at):
                self.pass_time(at)
            if packet.source >> 16 in busy:
                continue
            offered_by[group] += 1
            offered_to[destination] += 1
            verdict = outbound(packet, at)
            if type(verdict) is Translate:
                self._lives_on(verdict, arrival)
            else:
                self._not_admitted(verdict, arrival)
            if at + soonest < self._deadline:
                self._deadline = at + soonest
            if is_prompt or self._held or len(events) > MOST_EVENTS:
                self._drain(at)

    def pass_time(self, until: float) -> None:
        """Do what is due until a time, in its order: hosts' endings, and what the NAT ends by time."""
        endings = self._endings
        while True:
            due = self._next_due()
            if endings and endings[0][0] <= (until if self._is_at_once else min(due, until)):
                self._end(*heappop(endings))
            elif due <= until:
                self._examine(until if self._is_at_once else due)
            else:
                return

    def _next_due(self) -> float:
        """Return the time at which the NAT is asked next: its deadline, or the tick after it."""
        if not self._tick or self._deadline == math.inf:
            return self._deadline
        return math.ceil(self._deadline / self._tick) * self._tick

    def _examine(self, now: float) -> None:
        """Let the NAT end what is over, and report the counts that it asks for."""
        nat = self.nat
        examine = nat.due(now)
        if self._is_at_once:
            nat.due(now)  # what ended just now is free already
        if self._ageing is not None:
            examine = [*self._read_together(examine, self._ageing)]
        if examine:
            nat.examined([(flow, *self._counts(flow, now)) for flow in examine], now)
        self._drain(now)
        deadline = nat.next_deadline
        self._deadline = math.inf if deadline is None else deadline

    @staticmethod
    def _read_together(due: Iterable[Flow], ageing: Ageing) -> Iterator[Flow]:
        """Yield the flows whose counts come with those that are due."""
        for cookie in ageing.buckets(flow for flow in due if flow.is_live):
            yield from ageing.members(cookie)

    def _counts(self, flow: Flow, now: float) -> tuple[int, int]:
        """Return what the switch has counted of a flow, outbound and inbound."""
        starts, ends, ending = self._lives[flow]
        packets = 1 + int((min(now, ends) - starts) * PACKETS_PER_S)
        return packets, 0 if ending is _UNANSWERED else packets

    def _lives_on(self, verdict: Translate, arrival: Arrival) -> None:
        """Note how long a flow has packets, and when its connection ends."""
        at, packet, ends, ending, _, _ = arrival
        flow = verdict.flow
        if verdict.created:
            self._lives[flow] = at, ends, ending
            if self._ageing is not None:
                self._ageing.add(flow, at)
        else:
            starts, ended, _ = self._lives[flow]
            self._lives[flow] = starts, max(ends, ended), ending
        if ending <= _RESET and packet.protocol is TCP:
            self._made += 1
            heappush(self._endings, (ends, self._made, flow, _RST if ending is _RESET else _FIN_ACK))

    def _end(self, at: float, _: int, flow: Flow, flags: TcpFlags) -> None:
        """Let both hosts end a connection, or one reset it, unless the NAT has ended it before."""
        if not flow.is_live:
            return
        mapping, peer = flow.mapping, flow.peer
        self.nat.observe(_INSIDE, Packet(TCP, mapping.internal, peer, flags), at)
        if flags is _FIN_ACK:
            self.nat.observe(_OUTSIDE, Packet(TCP, peer, mapping.external, flags), at)
        self._deadline = min(self._deadline, at + self._closing, at + self._soonest)

    def _not_admitted(self, verdict: Verdict, arrival: Arrival) -> None:
        """Count a refusal, or keep an attempt that is held."""
        if isinstance(verdict, Hold):
            self._held.setdefault(verdict.ticket, []).append(arrival)
            self._deadline = arrival[0]  # what it waits for may be due at any time
        else:
            self._refused(verdict, arrival)

    def _refused(self, verdict: Verdict, arrival: Arrival) -> None:
        assert isinstance(verdict, Refuse), f"an attempt from inside was not refused, but {verdict}"
        _, packet, _, _, group, destination = arrival
        self.tally.refuse(verdict.limit, packet.source.address, group, destination)

    def _drain(self, now: float) -> None:
        """Take the NAT's events: forget flows that ended, and decide on what was held."""
        events, listener, lives = self.nat.events, self._listener, self._lives
        again: list[Arrival] = []
        while events:
            event = events.popleft()
            if listener is not None:
                listener(event, now)
            if isinstance(event, FlowEnded):
                lives.pop(event.flow, None)
                if self._ageing is not None:
                    self._ageing.remove(event.flow)
            elif isinstance(event, Resumed):
                again += self._resumed(event)
            elif isinstance(event, GaveUp):
                arrival = self._held[event.ticket].pop(event.place)
                self._refused(Refuse(event.ticket.scope.limit, self.nat.settings.fallback), arrival)
        for arrival in again:
            verdict = self.nat.outbound(arrival[1], now)
            if isinstance(verdict, Translate):
                self._admitted_late(verdict, arrival)
            else:
                self._not_admitted(verdict, arrival)
        if again:
            self._drain(now)

    def _resumed(self, event: Resumed) -> list[Arrival]:
        """Conclude on attempts that were held, and return those that are as if they came only now."""
        first, *others = self._held.pop(event.ticket)
        if isinstance(event.verdict, Translate):
            self._admitted_late(event.verdict, first)
            return others
        for arrival in (first, *others):
            self._refused(event.verdict, arrival)
        return []

    def _admitted_late(self, verdict: Translate, arrival: Arrival) -> None:
        self.tally.held += 1
        self._lives_on(verdict, arrival)


def _soonest(settings: NatSettings) -> float:
    """Return the shortest time after which a packet that came can make something due."""
    examined = (
        settings.udp_timeout,
        settings.icmp_timeout,
        settings.tcp_timeouts[TcpTimer.ESTABLISHED],
        settings.tcp_timeouts[TcpTimer.RESET],
    )
    times = [each / EXAMINATIONS for each in examined] + [settings.tcp_timeouts[TcpTimer.OPENING]]
    if settings.new_mapping_rate_per_subscriber:
        times.append(1 / settings.new_mapping_rate_per_subscriber)
    if settings.on_exhaustion.evicts:
        times.append(recency_interval(settings))
    return min(times)
