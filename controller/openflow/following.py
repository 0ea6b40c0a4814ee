"""What the NAT's events ask for, in their order: rules that come and go, held packets that go on or are forgotten.

Of an event, the switch has to learn first, since a packet that goes on meets the rules that are there by then.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol as Interface

from controller.nat.events import (
    ConnectionReopened,
    Event,
    FlowCreated,
    FlowEnded,
    GaveUp,
    LimitReached,
    MappingCreated,
    Resumed,
    ThresholdReached,
)
from controller.nat.model import Flow, Limit, Protocol, Side
from controller.nat.translator import Nat
from controller.nat.unsolicited import Unsolicited
from controller.nat.verdicts import Hold, Translate, Verdict
from controller.nat.waiting import Ticket
from controller.openflow.ageing import Ageing
from controller.openflow.recorder import Recorder
from controller.openflow.switch import Arrival, Switch

INSIDE, ICMP = Side.INSIDE, Protocol.ICMP
NO_CAUSES: dict[Flow, Arrival] = {}


class Doer(Interface):
    """Who carries out verdicts."""

    def do(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> None:
        """Carry out a verdict, after what else happened."""

    def conclude(self, verdict: Verdict, side: Side, arrival: Arrival, now: float) -> None:
        """Send the packet itself on, or send its sender the answer."""


class Following:
    """Follows the events of one NAT."""

    def __init__(
        self, nat: Nat, switch: Switch, ageing: Ageing, unsolicited: Unsolicited[Arrival], doer: Doer
    ) -> None:
        self._nat = nat
        self._switch = switch
        self._ageing = ageing
        self._unsolicited = unsolicited
        self._doer = doer
        self._held: dict[Ticket, list[Arrival]] = {}
        self.recorder: Recorder | None = None
        self.limits_reached: Counter[Limit] = Counter()
        self.thresholds_reached = 0

    def hold(self, verdict: Hold, arrival: Arrival, now: float) -> None:
        """Keep a packet that is held, unless it is the same one once more."""
        held = self._held.setdefault(verdict.ticket, [])
        if verdict.is_new:
            held.append(arrival)
            if self.recorder is not None:
                self.recorder.held(verdict.ticket.scope.limit, arrival.packet, now)

    def follow(self, now: float, made: Flow | None = None, cause: Arrival | None = None) -> None:
        """Do what the NAT's events ask for. `cause` is the packet from inside that made `made`, if that is new.

        Of packets that were held together, the first goes on by its verdict, the others as if they came only then.
        """
        events = self._nat.events
        others: list[Arrival] = []
        recorder = self.recorder
        causes = self._held_causes(now) if self._held else NO_CAUSES
        unsolicited = self._unsolicited.remembered
        while events:
            event = events.popleft()
            if type(event) is FlowCreated:
                flow = event.flow
                if unsolicited:
                    self._unsolicited.opened(flow)
                if flow.mapping.protocol is not ICMP:
                    of_flow = cause if flow is made else causes.get(flow)
                    self._switch.add(flow, self._ageing.add(flow, now), of_flow)
                if recorder is not None and recorder.ended:
                    recorder.note(event, now)
            elif type(event) is MappingCreated:
                if recorder is not None:
                    recorder.allocated(event.mapping, now)
            elif type(event) is Resumed:
                others += self._resume(event, now)
            else:
                self._note(event)
                if recorder is not None:
                    recorder.note(event, now)
        for arrival in others:
            self._doer.do(self._nat.outbound(arrival.packet, now), INSIDE, arrival, now)

    def _held_causes(self, now: float) -> dict[Flow, Arrival]:
        """Forget the held packets that are wanted no more. Return those that made new flows, by their flows."""
        for event in self._nat.events:
            if isinstance(event, GaveUp):
                self._let_go(event, now)
        return {
            event.verdict.flow: self._held[event.ticket][0]
            for event in self._nat.events
            if isinstance(event, Resumed) and isinstance(event.verdict, Translate)
        }

    def _resume(self, event: Resumed, now: float) -> list[Arrival]:
        """Conclude on packets that were held, and return those that are still to be decided."""
        arrivals, decided = self._held.pop(event.ticket), 1
        if not isinstance(event.verdict, Translate):
            decided = len(arrivals)
        for arrival in arrivals[:decided]:
            self._doer.conclude(event.verdict, INSIDE, arrival, now)
        return arrivals[decided:]

    def _let_go(self, event: GaveUp, now: float) -> None:
        """Forget a packet that was held."""
        held = self._held[event.ticket]
        arrival = held.pop(event.place)
        if self.recorder is not None:
            self.recorder.refused(event.ticket.scope.limit, arrival.packet, INSIDE, now)
        if not held:
            del self._held[event.ticket]

    def _note(self, event: Event) -> None:
        if isinstance(event, FlowEnded):
            if event.flow.mapping.protocol is not ICMP:
                self._switch.remove(event.flow, self._ageing.remove(event.flow))
        elif isinstance(event, ConnectionReopened):
            self._switch.poll(self._ageing.cookie(event.flow))
        elif isinstance(event, LimitReached):
            self.limits_reached[event.limit] += 1
        elif isinstance(event, ThresholdReached):
            self.thresholds_reached += 1
