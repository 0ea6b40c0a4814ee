"""What the NAT has at a time: mappings and flows, how they begin, how they are used, and how they end.

A mapping lives as long as the last flow that keeps it. Whoever decides on packets or on time asks for a beginning
or an end. What that means for tables, ports, limits and timers is here, and each of it is an event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from controller.nat.connections import Connections
from controller.nat.events import Event, FlowCreated, FlowEnded, MappingCreated, MappingReleased, ReleaseReason
from controller.nat.limits import Limits
from controller.nat.model import (
    ANYBODY,
    PARTS,
    TCP,
    EndedBy,
    Endpoint,
    Flow,
    Limit,
    Mapping,
    Packet,
    Protocol,
    StaticMapping,
)
from controller.nat.pool import Pool
from controller.nat.protocols import ProtocolState
from controller.nat.scarcity import Scarcity
from controller.nat.scopes import Scope, Scopes
from controller.nat.settings import NatSettings
from controller.nat.subscribers import Subscriber
from controller.nat.unanswered import Unanswered

_EVICTED, _OTHER = ReleaseReason.EVICTED, EndedBy.OTHER


class Inventory:
    """The mappings and flows of one NAT, with all that they take."""

    def __init__(
        self,
        settings: NatSettings,
        pool: Pool,
        limits: Limits,
        events: deque[Event],
        scopes: Scopes,
        scarcity: Scarcity,
    ) -> None:
        self.pool = pool
        self.limits = limits
        self.events = events
        self.scarcity = scarcity
        self.states = {each: ProtocolState(each, settings, pool.ports[each]) for each in Protocol}
        self.connections = Connections(settings.tcp_timeouts)
        self.unanswered = Unanswered(settings.limit_unanswered_inbound_sessions)
        self._scopes = scopes
        # Read here, for every packet: a call that finds nothing to do takes as long as a look-up.
        self._is_ordered_by_use = settings.on_exhaustion.evicts
        self._destinations = pool.destinations
        self._tells_ends_apart = any(seconds is not None for seconds in settings.hold_down_by_end.values())
        self._scope_of = PARTS[settings.mapping]
        self.static = [self._make_static(each) for each in settings.static_mappings]
        # RFC 4787 REQ-2: what else these subscribers send uses the same external address.
        self._paired = {mapping.internal.address: mapping.external.address for mapping in reversed(self.static)}

    def adopt(self, other: Inventory) -> None:
        """Take over all mappings and flows of another NAT."""
        for protocol, state in self.states.items():
            state.adopt(other.states[protocol])
        self.static, self._paired = other.static, other._paired
        for flow in other.unanswered:
            self.unanswered.add(flow)
        self.connections.adopt(other.connections)
        self.scarcity.adopt(other.scarcity)
        if self._destinations is not None:
            for flow in self.flows():
                if not flow.is_strangers:
                    self._destinations.add(flow)
        if self._is_ordered_by_use:
            used = {flow.mapping for flow in self.flows() if not flow.mapping.is_static}
            for mapping in sorted(used, key=lambda mapping: mapping.last_use):
                self.scarcity.mapping_created(mapping)

    def flows(self) -> Iterator[Flow]:
        """Return all live flows, of every protocol."""
        for state in self.states.values():
            yield from state.tables.flows()

    def new_mapping(self, state: ProtocolState, packet: Packet, now: float) -> Mapping | Scope:
        """Return a new mapping for an outbound packet, or the scope in which it ran short."""
        protocol, internal, remote, _ = packet
        limits = self.limits
        subscriber = limits.subscribers.get(internal.address)
        if subscriber is None:
            paired = self._paired.get(internal.address) or self.scarcity.paired_with(internal.address)
            subscriber = Subscriber(internal.address, paired)
        limit = limits.stops_mapping(subscriber, protocol, now)
        if limit is not None and not (limit is Limit.SESSIONS and self.unanswered):
            return self._scopes.of_shortage(limit, packet, subscriber)
        external = self.pool.allocate(protocol, subscriber, internal, remote, now)
        if external is None:
            return self._scopes.of_shortage(self.pool.limit, packet, subscriber)
        limits.took_mapping(subscriber, protocol, now)
        mapping = Mapping(protocol, internal, external, self._scope_of(remote), now)
        state.tables.add_mapping(mapping)
        state.counters.port_mapping_creations += 1
        self.events.append(MappingCreated(mapping))
        if self._is_ordered_by_use:
            self.scarcity.mapping_created(mapping)
        self._watch_usage(state)
        return mapping

    def _make_static(self, static: StaticMapping) -> Mapping:
        """Return a mapping that is made at the start and never ends. Its port is no other's."""
        protocol, external, internal = static
        mapping = Mapping(protocol, internal, external, ANYBODY, 0.0, kept_by=1, is_static=True)
        self.states[protocol].tables.add_mapping(mapping)
        return mapping

    def add_flow(
        self, state: ProtocolState, mapping: Mapping, remote: Endpoint, now: float, *, is_strangers: bool = False
    ) -> Flow:
        """Return a new flow of a mapping. A stranger's does not keep the mapping until the inside has answered."""
        flow = Flow(mapping, state.peer_of(remote), now, now, len(mapping.flows))
        if is_strangers:
            flow.is_strangers, flow.last_use = True, now if mapping.is_static else mapping.last_use
            self.unanswered.add(flow)
        else:
            mapping.kept_by += 1
            if self._destinations is not None:
                self._destinations.add(flow)
        state.tables.add_flow(flow)
        self.limits.sessions += 1
        if state.idle is not None:
            state.idle.arm(flow, now)
        self.events.append(FlowCreated(flow))
        if self._is_ordered_by_use and not is_strangers:
            self.scarcity.used(mapping, now)
        return flow

    def refresh(self, flow: Flow, now: float) -> None:
        """Take note that a flow is used now. It is the inside's own, or the inside has answered by now."""
        if flow.is_strangers:
            self.answered(flow)
        flow.last_use = flow.mapping.last_use = now
        if self._is_ordered_by_use:
            self.scarcity.used(flow.mapping, now)

    def answered(self, flow: Flow) -> None:
        """Take note that the inside has answered a stranger, whose flow is one like any other from now on."""
        flow.is_strangers = False
        flow.mapping.kept_by += 1
        if self._destinations is not None:
            self._destinations.add(flow)
        self.unanswered.remove(flow)
        self.states[flow.mapping.protocol].tables.answered(flow)

    def make_room(self, now: float) -> bool:
        """End the oldest session of a stranger without an answer, if there is one, and return whether."""
        oldest = self.unanswered.oldest
        if oldest is not None:
            self.give_way(oldest, now)
        return oldest is not None

    def give_way(self, flow: Flow, now: float) -> None:
        """End a stranger's session without an answer, in whose place another is made."""
        self.states[flow.mapping.protocol].counters.evicted_unanswered_sessions += 1
        self.end_flow(flow, ReleaseReason.IDLE, now)

    def end(self, mapping: Mapping, reason: ReleaseReason, now: float) -> None:
        """End a mapping with all its flows."""
        while mapping.flows:
            self.end_flow(mapping.flows[-1], reason, now)

    def end_flow(self, flow: Flow, reason: ReleaseReason, now: float) -> None:
        """End a flow, and its mapping with the last one that keeps it."""
        mapping = flow.mapping
        state = self.states[mapping.protocol]
        # A packet waits for the port of an evicted mapping, and a hold-down would keep the port from it.
        ended_by = (
            None if reason is _EVICTED else self._ended_by(flow, reason) if self._tells_ends_apart else _OTHER
        )
        self._remove(state, flow)
        if not mapping.kept_by and state.protocol is TCP:
            while mapping.flows:  # strangers'
                self._remove(state, mapping.flows[-1])
                self.scarcity.flow_ended(reason)
        if mapping.flows or mapping.is_static:
            self.scarcity.flow_ended(reason)
        else:
            self._release(state, mapping, reason, now, ended_by)

    def _ended_by(self, flow: Flow, reason: ReleaseReason) -> EndedBy:
        """Return what decides how long the port of a flow's mapping is held down, if it ends as well."""
        if reason is ReleaseReason.IDLE:
            return EndedBy.IDLE
        if reason is ReleaseReason.CLOSED and flow.connection is not None:
            return self.connections.ended_by(flow.connection)
        return EndedBy.OTHER

    def _remove(self, state: ProtocolState, flow: Flow) -> None:
        if flow.connection is not None:
            self.connections.forget(flow.connection)
        if state.idle is not None:
            state.idle.disarm(flow)
        state.tables.remove_flow(flow)
        if flow.is_strangers:
            self.unanswered.remove(flow)
        else:
            flow.mapping.kept_by -= 1
            if self._destinations is not None:
                self._destinations.remove(flow)
                self.scarcity.session_ended(flow)
        flow.is_live = False
        self.scarcity.forget(flow)
        self.limits.sessions -= 1
        self.events.append(FlowEnded(flow))

    def _release(
        self,
        state: ProtocolState,
        mapping: Mapping,
        reason: ReleaseReason,
        now: float,
        ended_by: EndedBy | None,
    ) -> None:
        state.tables.remove_mapping(mapping)
        freed = self.pool.release(mapping.protocol, mapping.external, mapping.toward, now, ended_by=ended_by)
        self.limits.gave_mapping(mapping.internal.address, mapping.protocol)
        self.events.append(MappingReleased(mapping, reason))
        self.scarcity.mapping_released(mapping, freed, reason)
        self._watch_usage(state)

    def _watch_usage(self, state: ProtocolState) -> None:
        crossed = state.thresholds.watch(state.ports.allocated)
        if crossed is not None:
            self.events.append(crossed)
