"""The NAT itself: mapping and filtering behaviour (RFC 4787 sections 4 and 5), timers, release.

A packet goes in with `outbound` or `inbound`, and a verdict comes out. Time passes by `due`, which ends what is
over and returns the flows that may be idle. The NAT cannot know whether they are, since flow rules forward the
packets. The caller reads the rules' packet counts and reports them with `examined`, and only that ends an idle
flow. Counts are examined EXAMINATIONS times within an idle timeout. So a flow lives for its timeout after its last
use, never less, and at most a quarter more (two, where the counts come late). A mapping lives as long as its last
flow.

What happens when something runs short is in `scarcity.py`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator

from controller.nat.connections import Connections
from controller.nat.events import (
    ConnectionReopened,
    ConnectionTurned,
    Event,
    FlowCreated,
    FlowEnded,
    MappingCreated,
    MappingReleased,
    PortMoved,
    ReleaseReason,
)
from controller.nat.limits import Limits
from controller.nat.model import (
    ANYBODY,
    INSIDE,
    OUTSIDE,
    PARTS,
    SYN,
    TCP,
    Answer,
    Connection,
    Dependence,
    Endpoint,
    Flow,
    Limit,
    Mapping,
    Packet,
    Protocol,
    Side,
    StaticMapping,
    TcpFlags,
)
from controller.nat.pool import Pool
from controller.nat.protocols import ProtocolState
from controller.nat.scarcity import Scarcity
from controller.nat.scopes import Scope, Scopes
from controller.nat.settings import NatSettings
from controller.nat.subscribers import Subscriber
from controller.nat.tcp import TcpState
from controller.nat.unanswered import Unanswered
from controller.nat.verdicts import Drop, DropReason, Refuse, Translate, Verdict


class Nat:
    """A network address and port translator: the single owner of its mappings."""

    def __init__(self, settings: NatSettings, rng: random.Random) -> None:
        self.settings = settings
        self.pool = Pool(settings, rng)
        self.limits = Limits(settings)
        self.events: deque[Event] = deque()
        self._states = {each: ProtocolState(each, settings, self.pool.ports[each]) for each in Protocol}
        self._idle = [(state, state.idle) for state in self._states.values() if state.idle is not None]
        self.counters = {protocol: state.counters for protocol, state in self._states.items()}
        self._scopes = Scopes(settings)
        self._scarcity = Scarcity(self, self._scopes)
        self._connections = Connections(settings.tcp_timeouts)
        self._reports_phases = False
        self._unanswered = Unanswered(settings.limit_unanswered_inbound_sessions)
        self._refresh_inbound = settings.refresh_inbound
        # Read here, for every packet: a call that finds nothing to do takes as long as a look-up.
        self._is_ordered_by_use = settings.on_exhaustion.evicts
        self._scope_of = PARTS[settings.mapping]
        self._static = [self._make_static(each) for each in settings.static_mappings]
        # RFC 4787 REQ-2: what else these subscribers send uses the same external address.
        self._paired = {mapping.internal.address: mapping.external.address for mapping in reversed(self._static)}

    def __len__(self) -> int:
        return self.limits.mappings

    @property
    def total_sessions(self) -> int | None:
        """The number of sessions, or None where the rules hide them."""
        hidden = [each for each in Protocol if self.settings.flows(each) is not Dependence.ADDRESS_AND_PORT]
        return None if any(len(self._states[each].tables) for each in hidden) else self.limits.sessions

    def report_phases(self) -> None:
        """Report from now on what else becomes of ports: that they are closing, held down, and free again."""
        self._reports_phases = True
        self._connections.turned = lambda flow, is_ended: self.events.append(ConnectionTurned(flow, is_ended))

    def flows(self) -> Iterator[Flow]:
        """Return all live flows, of every protocol."""
        for state in self._states.values():
            yield from state.tables.flows()

    def mappings(self) -> Iterator[Mapping]:
        """Return all live mappings, of every protocol."""
        return iter(dict.fromkeys([*self._static, *(flow.mapping for flow in self.flows())]))

    def outbound_flow(self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `internal` to `remote`, if there is one."""
        return self._states[protocol].tables.outbound(internal, remote)

    def inbound_flow(self, protocol: Protocol, external: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `remote` to `external`, if there is one."""
        return self._states[protocol].tables.inbound(external, remote)

    def is_mapped(self, protocol: Protocol, external: Endpoint) -> bool:
        """Whether an external endpoint belongs to a mapping."""
        return self._states[protocol].tables.is_mapped(external)

    def is_live(self, flow: Flow) -> bool:
        """Whether a flow has not ended."""
        return flow.is_live

    # Packets

    def outbound(self, packet: Packet, now: float) -> Verdict:
        """Decide on a packet from inside. The mapping behaviour says which mapping it uses (RFC 4787 REQ-1)."""
        protocol, internal, remote, flags = packet
        state = self._states[protocol]
        flow = state.tables.outbound(internal, remote)
        if flow is not None:
            if flow.connection is not None:
                self._track(flow, flow.connection, INSIDE, flags, now)
            else:
                self._refresh(flow, now)  # RFC 4787 REQ-6
            return Translate(flow, created=False)
        if protocol is TCP and flags != SYN:
            state.counters.dropped_unmapped_packets += 1
            self._scarcity.gave_up(protocol, internal, remote)
            return Drop(DropReason.NOT_A_SYN)
        verdict = self._scarcity.known(packet, now)
        if verdict is not None:
            return verdict
        opened = self.open(packet, now)
        if isinstance(opened, Flow):
            return Translate(opened, created=True)
        return self._scarcity.refuse(opened, packet, now)

    def inbound(self, packet: Packet, now: float) -> Verdict:
        """Decide on a packet from outside: it needs a mapping, and to pass its filtering (RFC 4787 REQ-8)."""
        protocol, remote, external, flags = packet
        state = self._states[protocol]
        flow = state.tables.inbound(external, remote)
        created = flow is None
        if flow is None:
            stranger = self._stranger(state, packet, now)
            if not isinstance(stranger, Flow):
                return stranger
            flow = stranger
        if flow.connection is not None:
            self._track(flow, flow.connection, OUTSIDE, flags, now)
        elif not flow.is_strangers:
            if self._refresh_inbound:
                self._refresh(flow, now)  # RFC 4787 REQ-6A
            else:
                self._scarcity.used(flow.mapping, now)
        return Translate(flow, created)

    def _stranger(self, state: ProtocolState, packet: Packet, now: float) -> Flow | Verdict:
        """Return a new flow for an outside endpoint without one, or the verdict if it may not have one."""
        tables, counters = state.tables, state.counters
        mapping = tables.by_external(packet.destination, packet.source)
        is_static = mapping is not None and mapping.is_static
        if mapping is None or (not is_static and now - mapping.last_use >= state.idle_timeout):
            counters.dropped_unmapped_packets += 1
            return Drop(DropReason.NO_MAPPING)
        if not is_static and not tables.lets_in(mapping, packet.source):
            counters.dropped_filtered_packets += 1
            return Drop(DropReason.FILTERED)
        if packet.protocol is TCP and not packet.opens_connection:
            counters.dropped_unmapped_packets += 1
            return Drop(DropReason.NOT_A_SYN)
        is_full = self.limits.stops_session() is not None
        rival = self._unanswered.in_the_way(mapping) or (self._unanswered.oldest if is_full else None)
        if is_full and rival is None:
            # Its sender gets no answer, and nothing else is evicted for it: no inside host has asked for it.
            counters.dropped_state_limit_packets += 1
            return Refuse(Limit.SESSIONS, Answer.NOTHING)
        # RFC 7857 section 7: a stranger's session keeps no mapping alive, however often it sends.
        flow = self._add_flow(state, mapping, packet.source, now, is_strangers=True)
        if packet.protocol is TCP:
            self._connections.open(flow, OUTSIDE, now)
        if rival is not None:
            self._give_way(rival, now)
        self._scarcity.let_in(flow, now)
        return flow

    def observe(self, side: Side, packet: Packet, now: float) -> None:
        """Take note of a segment that a rule has forwarded: the copy of a FIN, a RST, or a SYN/ACK from inside."""
        protocol, source, destination, flags = packet
        tables = self._states[protocol].tables
        flow = tables.outbound(source, destination) if side is INSIDE else tables.inbound(destination, source)
        if flow is not None and flow.connection is not None:
            self._track(flow, flow.connection, side, flags, now)

    def _track(self, flow: Flow, connection: Connection, side: Side, flags: TcpFlags, now: float) -> None:
        if self._connections.track(connection, side, flags, now):
            self.events.append(ConnectionReopened(flow))
        if not connection.awaits_inside:
            self._refresh(flow, now)

    def unwanted(self, protocol: Protocol, internal: Endpoint, remote: Endpoint, now: float) -> None:
        """Take note that an inside host has answered a packet with an ICMP error: a stranger's session ends."""
        flow = self._states[protocol].tables.outbound(internal, remote)
        if flow is not None and flow.is_strangers:
            self._end_flow(flow, ReleaseReason.CLOSED, now)

    def gave_up(self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> None:
        """Take note that an inside endpoint no longer waits for packets from a remote one."""
        self._scarcity.gave_up(protocol, internal, remote)

    def open(self, packet: Packet, now: float) -> Flow | Scope:
        """Make what an outbound packet without a flow needs, or return the scope in which it ran short."""
        protocol, internal, remote, _ = packet
        state = self._states[protocol]
        mapping = state.tables.by_internal(internal, remote)
        if mapping is None:
            made = self._new_mapping(state, packet, now)
            if not isinstance(made, Mapping):
                return made
            mapping = made
        elif self.limits.stops_session() and not self._unanswered:
            return Scope(Limit.SESSIONS)
        flow = self._add_flow(state, mapping, remote, now)
        if protocol is TCP:
            self._connections.open(flow, INSIDE, now)
        if self.limits.sessions > self.limits.most_sessions:
            self._make_room(now)  # it was made in the place of a stranger's
        if self._scarcity.announced:
            self._scarcity.admitted(mapping)
        return flow

    def _make_room(self, now: float) -> bool:
        """End the oldest session of a stranger without an answer, if there is one, and return whether."""
        oldest = self._unanswered.oldest
        if oldest is not None:
            self._give_way(oldest, now)
        return oldest is not None

    def _give_way(self, flow: Flow, now: float) -> None:
        self.counters[flow.mapping.protocol].evicted_unanswered_sessions += 1
        self._end_flow(flow, ReleaseReason.IDLE, now)

    def _new_mapping(self, state: ProtocolState, packet: Packet, now: float) -> Mapping | Scope:
        protocol, internal, remote, _ = packet
        limits = self.limits
        subscriber = limits.subscribers.get(internal.address)
        if subscriber is None:
            paired = self._paired.get(internal.address) or self._scarcity.paired_with(internal.address)
            subscriber = Subscriber(internal.address, paired)
        limit = limits.stops_mapping(subscriber, protocol, now)
        if limit is not None and not (limit is Limit.SESSIONS and self._unanswered):
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
            self._scarcity.mapping_created(mapping)
        self._watch_usage(state)
        return mapping

    def _make_static(self, static: StaticMapping) -> Mapping:
        """Return a mapping that is made at the start and never ends. Its port is no other's."""
        protocol, external, internal = static
        mapping = Mapping(protocol, internal, external, ANYBODY, 0.0, kept_by=1, is_static=True)
        self._states[protocol].tables.add_mapping(mapping)
        return mapping

    def _add_flow(
        self, state: ProtocolState, mapping: Mapping, remote: Endpoint, now: float, *, is_strangers: bool = False
    ) -> Flow:
        flow = Flow(mapping, state.peer_of(remote), now, now, len(mapping.flows))
        if is_strangers:
            flow.is_strangers, flow.last_use = True, now if mapping.is_static else mapping.last_use
            self._unanswered.add(flow)
        else:
            mapping.kept_by += 1
        state.tables.add_flow(flow)
        self.limits.sessions += 1
        if state.idle is not None:
            state.idle.arm(flow, now)
        self.events.append(FlowCreated(flow))
        if self._is_ordered_by_use and not is_strangers:
            self._scarcity.used(mapping, now)
        return flow

    def _refresh(self, flow: Flow, now: float) -> None:
        """Take note that a flow is used now. It is the inside's own, or the inside has answered by now."""
        if flow.is_strangers:
            self._answered(flow)
        flow.last_use = flow.mapping.last_use = now
        if self._is_ordered_by_use:
            self._scarcity.used(flow.mapping, now)

    def _answered(self, flow: Flow) -> None:
        """Take note that the inside has answered a stranger, whose flow is one like any other from now on."""
        flow.is_strangers = False
        flow.mapping.kept_by += 1
        self._unanswered.remove(flow)
        self._states[flow.mapping.protocol].tables.answered(flow)

    # Time

    def due(self, now: float) -> list[Flow]:
        """End what is over by `now`, and return the flows whose packet counts are to be examined."""
        for protocol, freed in self.pool.reclaim(now):
            if not freed.is_held_down:
                self._scarcity.port_freed(protocol, freed)
            if self._reports_phases:
                self.events.append(PortMoved(protocol, freed.external, freed.is_held_down))
        self.limits.forget_rates(now)
        closed, examine = self._connections.due(now)
        for connection in closed:
            self._end_flow(connection.flow, ReleaseReason.CLOSED, now)
        for state, idle in self._idle:
            for flow in list(idle.due(now)):
                idle.arm(flow, now)
                if state.protocol is Protocol.ICMP:
                    self._end_if_idle(state, flow, now)  # each query passes the NAT itself: its last use is known
                else:
                    examine.append(flow)
        self._scarcity.due(now)
        return [flow for flow in examine if flow.is_live]

    def examined(self, counts: Iterable[tuple[Flow, int, int]], now: float) -> None:
        """Take note of flows' counts, outbound and inbound. A flow that was idle ends, and an unanswered opening.

        RFC 4787 REQ-6: inbound packets alone do not keep a UDP flow, unless `refresh_inbound`. For TCP both
        directions count.
        """
        for flow, outbound_packets, inbound_packets in counts:
            if flow.is_live:  # or it ended before the counts came
                self._examine(flow, outbound_packets, inbound_packets, now)
        self._scarcity.wake(now)

    def _examine(self, flow: Flow, outbound_packets: int, inbound_packets: int, now: float) -> None:
        state = self._states[flow.mapping.protocol]
        sent, received = outbound_packets != flow.outbound_packets, inbound_packets != flow.inbound_packets
        examined_at, connection = flow.examined_at, flow.connection
        flow.outbound_packets, flow.inbound_packets, flow.examined_at = outbound_packets, inbound_packets, now
        if state.idle is not None:
            state.idle.arm(flow, now)  # so that a bucket's flows come due together
        awaited = connection is not None and connection.awaits_inside
        if connection is None:
            is_use = sent or (received and not flow.is_strangers)
            refreshes = sent or (is_use and self._refresh_inbound)
        else:
            is_use = refreshes = (sent or received) and not awaited
        if is_use:
            self._scarcity.used(flow.mapping, examined_at)
        if refreshes:
            if flow.is_strangers:
                self._answered(flow)
            flow.last_use = flow.mapping.last_use = now
        if connection is None:
            self._end_if_idle(state, flow, now)
        elif self._connections.examined(connection, now):
            unanswered = connection.state is TcpState.INIT
            self._end_flow(flow, ReleaseReason.IDLE if unanswered else ReleaseReason.CLOSED, now)
        elif awaited and not connection.awaits_inside:
            self._refresh(flow, now)

    def counts_restarted(self, now: float) -> None:
        """Take all flows for used now: their rules were made anew and count from zero."""
        for flow in self.flows():
            flow.outbound_packets = flow.inbound_packets = 0
            flow.last_use = flow.mapping.last_use = flow.examined_at = now
            if flow.connection is not None:
                self._connections.counts_restarted(flow.connection, now)

    @property
    def next_deadline(self) -> float | None:
        """When `due` has something to do next, or None."""
        deadlines = [
            self.pool.next_deadline,
            self.limits.next_deadline,
            self._scarcity.next_deadline,
            *(idle.next_deadline for _, idle in self._idle),
            *self._connections.next_deadlines,
        ]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # Endings

    def roll_back(self, flow: Flow, packet: Packet | None, now: float) -> Verdict | None:
        """Undo a flow for which the switch has no room.

        Return the verdict on the outbound packet that made it, or None if there is none or the flow has ended.
        """
        if not flow.is_live:
            return None
        had_waited = self._scarcity.has_waited_for_rules(flow)
        self._end_flow(flow, ReleaseReason.ROLLED_BACK, now)
        self._scarcity.wake(now)
        if packet is None:
            self.counters[flow.mapping.protocol].dropped_flow_table_packets += 1
            self._make_room(now)  # for the same packet, if it is sent again
            return None
        if self._make_room(now):
            return self.outbound(packet, now)
        if had_waited:
            return self._scarcity.give_up(packet)
        return self._scarcity.known(packet, now) or self._scarcity.refuse(Scope(Limit.FLOW_TABLE), packet, now)

    def end(self, mapping: Mapping, reason: ReleaseReason, now: float) -> None:
        """End a mapping with all its flows."""
        while mapping.flows:
            self._end_flow(mapping.flows[-1], reason, now)

    def flush(self, now: float) -> None:
        """End every mapping, as an operator may order it."""
        for mapping in list(self.mappings()):
            self.end(mapping, ReleaseReason.FLUSHED, now)
        self._scarcity.wake(now)

    def _end_if_idle(self, state: ProtocolState, flow: Flow, now: float) -> None:
        if now - flow.last_use >= state.idle_timeout:
            self._end_flow(flow, ReleaseReason.IDLE, now)

    def _end_flow(self, flow: Flow, reason: ReleaseReason, now: float) -> None:
        mapping = flow.mapping
        state = self._states[mapping.protocol]
        self._remove(state, flow)
        if not mapping.kept_by and state.protocol is TCP:
            while mapping.flows:  # strangers'
                self._remove(state, mapping.flows[-1])
                self._scarcity.flow_ended(reason)
        if mapping.flows or mapping.is_static:
            self._scarcity.flow_ended(reason)
        else:
            self._release(state, mapping, reason, now)

    def _remove(self, state: ProtocolState, flow: Flow) -> None:
        if flow.connection is not None:
            self._connections.forget(flow.connection)
        if state.idle is not None:
            state.idle.disarm(flow)
        state.tables.remove_flow(flow)
        if flow.is_strangers:
            self._unanswered.remove(flow)
        else:
            flow.mapping.kept_by -= 1
        flow.is_live = False
        self._scarcity.forget(flow)
        self.limits.sessions -= 1
        self.events.append(FlowEnded(flow))

    def _release(self, state: ProtocolState, mapping: Mapping, reason: ReleaseReason, now: float) -> None:
        state.tables.remove_mapping(mapping)
        # A packet waits for the port of an evicted mapping, and a hold-down would keep the port from it.
        hold_down = reason is not ReleaseReason.EVICTED
        freed = self.pool.release(mapping.protocol, mapping.external, mapping.toward, now, hold_down=hold_down)
        self.limits.gave_mapping(mapping.internal.address, mapping.protocol)
        self.events.append(MappingReleased(mapping, reason))
        self._scarcity.mapping_released(mapping, freed, reason)
        self._watch_usage(state)

    def _watch_usage(self, state: ProtocolState) -> None:
        crossed = state.thresholds.watch(state.ports.allocated)
        if crossed is not None:
            self.events.append(crossed)
