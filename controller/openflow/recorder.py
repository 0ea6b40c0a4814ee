"""What the controller records: what becomes of each port, and every packet that is refused.

Whether a mapping is closing is known by its connections: it is when all its flows are.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from controller.nat.events import (
    ConnectionTurned,
    Event,
    FlowCreated,
    FlowEnded,
    MappingReleased,
    PortMoved,
)
from controller.nat.model import INSIDE, Endpoint, Flow, Limit, Mapping, Packet, Protocol, Side
from controller.recording import PROTOCOL_NUMBERS, RECORD, REFUSALS, RELEASES, Batch, Kind, RecordingPlan

_pack, _ALLOCATED = RECORD.pack, int(Kind.ALLOCATED)


class Recorder:
    """Packs the events of one router, until they are taken."""

    def __init__(self, plan: RecordingPlan, external: Iterable[int]) -> None:
        self.batch = Batch(plan)
        self._ticks = plan.ticks
        self._addresses = {address: plan.first_address + place for place, address in enumerate(external)}
        self._subscribers: dict[int, int] = {}
        self._now, self._now_ticks = plan.started, 0
        self.ended: dict[Mapping, set[Flow]] = {}
        """The flows whose connections have ended, of the mappings that have any."""
        self._closing: set[Mapping] = set()

    def note(self, event: Event, now: float) -> None:
        """Record an event of the NAT, if it is about a port."""
        if isinstance(event, FlowCreated):
            self._look(event.flow.mapping, now)
        elif isinstance(event, MappingReleased):
            self.ended.pop(event.mapping, None)
            self._closing.discard(event.mapping)
            self._of(Kind.RELEASED, event.mapping, now, RELEASES[event.reason])
        elif isinstance(event, PortMoved):
            kind_of_move = Kind.HELD_DOWN if event.is_held_down else Kind.FREED
            self._add(kind_of_move, event.protocol, now, external=event.external)
        elif isinstance(event, ConnectionTurned):
            self._turned(event, now)
        elif isinstance(event, FlowEnded) and self.ended:
            self._flow_ended(event.flow, now)

    def allocated(self, mapping: Mapping, now: float) -> None:
        """Record a new mapping. A fill comes here for each, so that this is the same as `_of` in fewer calls."""
        external, inside = mapping.external, mapping.internal >> 16
        if now != self._now:
            self._now, self._now_ticks = now, self._ticks(now)
        subscriber = self._subscribers.get(inside)
        if subscriber is None:
            subscriber = self._subscriber(inside)
        address, port = self._addresses[external >> 16], external & 0xFFFF
        self.batch.append(
            _pack(self._now_ticks, _ALLOCATED, PROTOCOL_NUMBERS[mapping.protocol], address, port, subscriber)
        )

    def refused(self, limit: Limit, packet: Packet, side: Side, now: float) -> None:
        """Record a packet that a limit has refused. A packet from outside is no subscriber's."""
        source = packet.source.address if side is INSIDE else None
        self._add(Kind.REFUSED, packet.protocol, now, reason=REFUSALS[limit], subscriber=source)

    def lost(self, flow: Flow, now: float) -> None:
        """Record a packet that is not known any more, and whose flow the switch has refused."""
        mapping, reason = flow.mapping, REFUSALS[Limit.FLOW_TABLE]
        self._add(Kind.REFUSED, mapping.protocol, now, reason=reason, subscriber=mapping.internal.address)

    def held(self, limit: Limit, packet: Packet, now: float) -> None:
        """Record a packet that waits for what is short."""
        self._add(Kind.HELD, packet.protocol, now, reason=REFUSALS[limit], subscriber=packet.source.address)

    def _turned(self, event: ConnectionTurned, now: float) -> None:
        flow, mapping = event.flow, event.flow.mapping
        if not flow.is_live:
            return
        if event.is_ended:
            self.ended.setdefault(mapping, set()).add(flow)
        elif mapping in self.ended:
            self.ended[mapping].discard(flow)
        self._look(mapping, now)

    def _flow_ended(self, flow: Flow, now: float) -> None:
        ended = self.ended.get(flow.mapping)
        if ended is not None:
            ended.discard(flow)
            if flow.mapping.flows or flow.mapping.is_static:
                self._look(flow.mapping, now)

    def _look(self, mapping: Mapping, now: float) -> None:
        """Record whether a mapping is closing, if that has changed."""
        ended = self.ended.get(mapping)
        if ended is None:
            return
        is_closing = bool(ended) and len(ended) == len(mapping.flows)
        if is_closing is not (mapping in self._closing):
            (self._closing.add if is_closing else self._closing.remove)(mapping)
            self._of(Kind.CLOSING if is_closing else Kind.REOPENED, mapping, now)
        if not ended:
            del self.ended[mapping]

    def _of(self, kind: Kind, mapping: Mapping, now: float, reason: int = 0) -> None:
        external, subscriber = mapping.external, mapping.internal.address
        self._add(kind, mapping.protocol, now, reason=reason, external=external, subscriber=subscriber)

    def _add(
        self,
        kind: Kind,
        protocol: Protocol,
        now: float,
        *,
        reason: int = 0,
        external: Endpoint | None = None,
        subscriber: int | None = None,
    ) -> None:
        self.batch.add(
            self._ticks(now),
            kind,
            PROTOCOL_NUMBERS[protocol],
            reason=reason,
            address=0 if external is None else self._addresses[external.address],
            port=0 if external is None else external.port,
            subscriber=0 if subscriber is None else self._subscriber(subscriber),
        )

    def _subscriber(self, address: int) -> int:
        index = self._subscribers.get(address)
        if index is None:
            index = self._subscribers[address] = self.batch.subscriber(str(ipaddress.IPv4Address(address)))
        return index
