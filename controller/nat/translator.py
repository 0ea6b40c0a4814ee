"""The NAT itself: mapping and filtering behaviour (RFC 4787 sections 4 and 5), timers, release.

A packet goes in with `outbound` or `inbound` and a verdict comes out. Time passes by `due`, which ends what is
over and returns the flows that may be idle. The NAT cannot know: where flow rules forward the packets, only their
counts tell. Whoever has the counts reports them with `examined`, and only that ends an idle flow. Each idle
timeout is examined EXAMINATIONS times, so a flow lives for its timeout after its last use, never less, and at most
a quarter more (two, where the counts come late). A mapping lives as long as its last flow.

What happens when something runs short is in `scarcity.py`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator

from controller.nat.connections import EXAMINATIONS, Connections
from controller.nat.counters import Counters
from controller.nat.events import (
    Event,
    FlowCreated,
    FlowEnded,
    MappingCreated,
    MappingReleased,
    ReleaseReason,
)
from controller.nat.limits import Limits
from controller.nat.model import (
    Answer,
    Dependence,
    Drop,
    DropReason,
    Endpoint,
    Flow,
    Limit,
    Mapping,
    Packet,
    Protocol,
    Refuse,
    Side,
    Translate,
    Verdict,
)
from controller.nat.pool import Pool
from controller.nat.scarcity import Scarcity
from controller.nat.scopes import Scope, Scopes
from controller.nat.settings import NatSettings
from controller.nat.tables import Tables
from controller.nat.tcp import TcpState
from controller.nat.thresholds import Thresholds
from controller.nat.timers import TimerQueue

EXAMINED_FOR_RECENCY_S = 1.0
RECENCY_S_PER_PORT = 60e-6


def recency_interval(settings: NatSettings) -> float:
    """Return how often all counts are read where mappings are kept in the order of their last use, in seconds.

    A second; longer for a pool of more than 16,000 ports, so that the reading takes a bounded share of the time.
    """
    capacity = len(settings.ports) * len(settings.external_addresses)
    return max(EXAMINED_FOR_RECENCY_S, RECENCY_S_PER_PORT * capacity)


class Nat:
    """A network address and port translator: the single owner of its mappings."""

    def __init__(self, settings: NatSettings, rng: random.Random) -> None:
        self.settings = settings
        self.pool = Pool(settings, rng)
        self.limits = Limits(settings)
        self.counters = {protocol: Counters() for protocol in Protocol}
        self.events: deque[Event] = deque()
        self._tables = {
            protocol: Tables(
                mapping=settings.mapping,
                filtering=settings.filtering,
                overlapping=settings.overlapping,
                flows=settings.flows,
            )
            for protocol in Protocol
        }
        self._told_apart = settings.flows
        self._scopes = Scopes(settings)
        self._scarcity = Scarcity(self, self._scopes)
        self._thresholds = {protocol: Thresholds(protocol, settings) for protocol in Protocol}
        self._idle_timeouts = {Protocol.UDP: settings.udp_timeout, Protocol.ICMP: settings.icmp_timeout}
        self._idle: dict[Protocol, TimerQueue[Flow]] = {
            protocol: TimerQueue(timeout / EXAMINATIONS) for protocol, timeout in self._idle_timeouts.items()
        }
        if settings.on_exhaustion.evicts:
            self._idle[Protocol.UDP] = TimerQueue(
                min(settings.udp_timeout / EXAMINATIONS, recency_interval(settings))
            )
            self._idle[Protocol.TCP] = TimerQueue(recency_interval(settings))
        self._connections = Connections(settings.tcp_timeouts)

    def __len__(self) -> int:
        return self.limits.mappings

    @property
    def total_sessions(self) -> int | None:
        """How many sessions there are, or None where the rules hide them."""
        return self.limits.sessions if self._told_apart is Dependence.ADDRESS_AND_PORT else None

    def flows(self) -> Iterator[Flow]:
        """All live flows."""
        for tables in self._tables.values():
            yield from tables.flows()

    def mappings(self) -> Iterator[Mapping]:
        """All live mappings."""
        return iter(dict.fromkeys(flow.mapping for flow in self.flows()))

    def outbound_flow(self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `internal` to `remote`, if there is one."""
        return self._tables[protocol].outbound(internal, remote)

    def inbound_flow(self, protocol: Protocol, external: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `remote` to `external`, if there is one."""
        return self._tables[protocol].inbound(external, remote)

    def is_live(self, flow: Flow) -> bool:
        """Whether a flow has not ended."""
        return self.inbound_flow(flow.mapping.protocol, flow.mapping.external, flow.peer) is flow

    # Packets

    def outbound(self, packet: Packet, now: float) -> Verdict:
        """Decide on a packet from inside. The mapping behaviour says which mapping it uses (RFC 4787 REQ-1)."""
        flow = self._tables[packet.protocol].outbound(packet.source, packet.destination)
        if flow is not None:
            self._refresh(flow, now)  # RFC 4787 REQ-6
            if packet.protocol is Protocol.TCP:
                self._connections.track(flow, packet.destination, Side.INSIDE, packet, now)
            return Translate(flow, created=False)
        if packet.protocol is Protocol.TCP and not packet.opens_connection:
            self.counters[packet.protocol].dropped_unmapped_packets += 1
            return Drop(DropReason.NOT_A_SYN)
        verdict = self._scarcity.known(packet)
        if verdict is None:
            opened = self.open(packet, now)
            verdict = (
                Translate(opened, created=True)
                if isinstance(opened, Flow)
                else self._scarcity.refuse(opened, packet, now)
            )
        return verdict

    def inbound(self, packet: Packet, now: float) -> Verdict:
        """Decide on a packet from outside: it needs a mapping, and to pass its filtering (RFC 4787 REQ-8)."""
        tables, counters = self._tables[packet.protocol], self.counters[packet.protocol]
        flow = tables.inbound(packet.destination, packet.source)
        created = flow is None
        if flow is None:
            mapping = tables.by_external(packet.destination, packet.source)
            if mapping is None or self._is_idle(mapping, now):
                counters.dropped_unmapped_packets += 1
                return Drop(DropReason.NO_MAPPING)
            if not tables.lets_in(mapping, packet.source):
                counters.dropped_filtered_packets += 1
                return Drop(DropReason.FILTERED)
            if packet.protocol is Protocol.TCP and not packet.opens_connection:
                counters.dropped_unmapped_packets += 1
                return Drop(DropReason.NOT_A_SYN)
            if self.limits.stops_session():
                # Its sender is told nothing, and nobody makes room for it: strangers come uninvited.
                counters.dropped_state_limit_packets += 1
                return Refuse(Limit.SESSIONS, Answer.NOTHING)
            # RFC 7857 section 7: a stranger's session keeps no mapping alive, however often he comes.
            flow = self._add_flow(mapping, packet.source, last_use=mapping.last_use, now=now)
            self._scarcity.let_in(flow, now)
        if packet.protocol is Protocol.TCP:
            self._refresh(flow, now)
            self._connections.track(flow, packet.source, Side.OUTSIDE, packet, now)
        elif self.settings.refresh_inbound:
            self._refresh(flow, now)  # RFC 4787 REQ-6A
        else:
            self._scarcity.used(flow.mapping, now)
        return Translate(flow, created)

    def observe(self, side: Side, packet: Packet, now: float) -> None:
        """Take note of a segment that passes without us: the copy of a FIN or RST."""
        inside, remote = side is Side.INSIDE, packet.destination if side is Side.INSIDE else packet.source
        tables = self._tables[packet.protocol]
        flow = tables.outbound(packet.source, remote) if inside else tables.inbound(packet.destination, remote)
        if flow is not None:
            self._refresh(flow, now)
            self._connections.track(flow, remote, side, packet, now)

    def open(self, packet: Packet, now: float) -> Flow | Scope:
        """Make what an outbound packet without a flow needs, or return the scope in which it ran short."""
        protocol, internal, remote = packet.protocol, packet.source, packet.destination
        tables = self._tables[protocol]
        mapping = tables.by_internal(internal, remote)
        if mapping is not None:
            if self.limits.stops_session():
                return Scope(Limit.SESSIONS)
        else:
            subscriber = self.limits.subscriber(internal.address, self._scarcity.paired_with(internal.address))
            limit = self.limits.stops_mapping(subscriber, protocol, now)
            if limit is not None:
                return self._scopes.of_shortage(limit, packet, subscriber)
            external = self.pool.allocate(protocol, subscriber, internal, remote, now)
            if external is None:
                return self._scopes.of_shortage(self.pool.limit, packet, subscriber)
            self.limits.took_mapping(subscriber, protocol, now)
            mapping = Mapping(protocol, internal, external, self.settings.mapping.part(remote), now)
            tables.add_mapping(mapping)
            self.counters[protocol].port_mapping_creations += 1
            self.events.append(MappingCreated(mapping))
            self._watch_usage(protocol)
        flow = self._add_flow(mapping, remote, last_use=now, now=now)
        if protocol is Protocol.TCP:
            self._connections.track(flow, remote, Side.INSIDE, packet, now)
        self._scarcity.admitted(mapping)
        return flow

    def _add_flow(self, mapping: Mapping, remote: Endpoint, *, last_use: float, now: float) -> Flow:
        flow = Flow(mapping, self._told_apart.part(remote), last_use, now, len(mapping.flows))
        self._tables[mapping.protocol].add_flow(flow)
        self.limits.sessions += 1
        if mapping.protocol in self._idle:
            self._idle[mapping.protocol].arm(flow, now)
        self.events.append(FlowCreated(flow))
        self._scarcity.used(mapping, now)
        return flow

    def _refresh(self, flow: Flow, now: float) -> None:
        flow.last_use = flow.mapping.last_use = now
        self._scarcity.used(flow.mapping, now)

    # Time

    def due(self, now: float) -> list[Flow]:
        """End what is over at `now`, and return the flows whose packet counts are to be examined."""
        for protocol, freed in self.pool.reclaim(now):
            self._scarcity.port_freed(protocol, freed)
        self.limits.forget_rates(now)
        closed, examine = self._connections.due(now)
        for connection in closed:
            self._connections.forget(connection)
            self._end_if_empty(connection.flow, ReleaseReason.CLOSED, now)
        for flow in list(self._idle[Protocol.ICMP].due(now)):
            self._idle[Protocol.ICMP].arm(flow, now)
            self._end_if_idle(flow, now)  # each query passes the NAT itself, so its last use is known
        for protocol in self._idle.keys() - {Protocol.ICMP}:
            for flow in list(self._idle[protocol].due(now)):
                self._idle[protocol].arm(flow, now)
                examine.append(flow)
        self._scarcity.due(now)
        return [flow for flow in examine if self.is_live(flow)]

    def examined(self, counts: Iterable[tuple[Flow, int, int]], now: float) -> None:
        """Take note of flows' counts, outbound and inbound: what was idle ends, and a silent opening as well.

        RFC 4787 REQ-6: inbound packets alone do not keep a UDP flow, unless `refresh_inbound`. For TCP both
        directions count.
        """
        for flow, outbound_packets, inbound_packets in counts:
            if self.is_live(flow):  # or it ended before the counts came
                self._examine(flow, outbound_packets, inbound_packets, now)
        self._scarcity.wake(now)

    def _examine(self, flow: Flow, outbound_packets: int, inbound_packets: int, now: float) -> None:
        sent, received = outbound_packets != flow.outbound_packets, inbound_packets != flow.inbound_packets
        is_tcp = flow.mapping.protocol is Protocol.TCP
        if sent or received:
            self._scarcity.used(flow.mapping, flow.examined_at)
        if sent or (received and (is_tcp or self.settings.refresh_inbound)):
            flow.last_use = flow.mapping.last_use = now
        flow.outbound_packets, flow.inbound_packets, flow.examined_at = outbound_packets, inbound_packets, now
        if flow.mapping.protocol in self._idle:
            self._idle[flow.mapping.protocol].arm(flow, now)  # so that a bucket's flows come due together
        if not is_tcp:
            self._end_if_idle(flow, now)
            return
        for connection in self._connections.examined(flow, now):
            unanswered = connection.state is TcpState.INIT
            self._connections.forget(connection)
            self._end_if_empty(flow, ReleaseReason.IDLE if unanswered else ReleaseReason.CLOSED, now)

    def counts_restarted(self, now: float) -> None:
        """The rules were made anew and count from zero: what they had seen is unknown, so it is all in use."""
        for flow in self.flows():
            flow.outbound_packets = flow.inbound_packets = 0
            flow.last_use = flow.mapping.last_use = flow.examined_at = now
            self._connections.counts_restarted(flow, now)

    @property
    def next_deadline(self) -> float | None:
        """When `due` has something to do next, or None."""
        deadlines = [
            self.pool.next_deadline,
            self.limits.next_deadline,
            self._scarcity.next_deadline,
            *(queue.next_deadline for queue in self._idle.values()),
            *self._connections.next_deadlines,
        ]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # Endings

    def roll_back(self, flow: Flow, packet: Packet | None, now: float) -> Verdict | None:
        """Undo a flow for which the switch has no room.

        Return the verdict on the outbound packet that made it; None where there is none, or it was undone before.
        """
        if not self.is_live(flow):
            return None
        had_waited = self._scarcity.has_waited_for_rules(flow)
        self._end_flow(flow, ReleaseReason.ROLLED_BACK, now)
        self._scarcity.wake(now)
        if packet is None:
            self.counters[flow.mapping.protocol].dropped_flow_table_packets += 1
            return None
        if had_waited:
            return self._scarcity.give_up(packet)
        return self._scarcity.known(packet) or self._scarcity.refuse(Scope(Limit.FLOW_TABLE), packet, now)

    def end(self, mapping: Mapping, reason: ReleaseReason, now: float) -> None:
        """End a mapping with all its flows."""
        for flow in list(mapping.flows):
            self._end_flow(flow, reason, now)

    def _end_if_idle(self, flow: Flow, now: float) -> None:
        if self._is_idle(flow, now):
            self._end_flow(flow, ReleaseReason.IDLE, now)

    def _is_idle(self, used: Flow | Mapping, now: float) -> bool:
        protocol = used.protocol if isinstance(used, Mapping) else used.mapping.protocol
        return protocol is not Protocol.TCP and now - used.last_use >= self._idle_timeouts[protocol]

    def _end_if_empty(self, flow: Flow, reason: ReleaseReason, now: float) -> None:
        if not flow.connections:
            self._end_flow(flow, reason, now)

    def _end_flow(self, flow: Flow, reason: ReleaseReason, now: float) -> None:
        mapping = flow.mapping
        for connection in list((flow.connections or {}).values()):
            self._connections.forget(connection)
        if mapping.protocol in self._idle:
            self._idle[mapping.protocol].disarm(flow)
        self._tables[mapping.protocol].remove_flow(flow)
        self._scarcity.forget(flow)
        self.limits.sessions -= 1
        self.events.append(FlowEnded(flow))
        if mapping.flows:
            self._scarcity.flow_ended(reason)
        else:
            self._release(mapping, reason, now)

    def _release(self, mapping: Mapping, reason: ReleaseReason, now: float) -> None:
        self._tables[mapping.protocol].remove_mapping(mapping)
        # What is stolen is stolen for somebody who waits: a hold-down would take it from both.
        hold_down = reason is not ReleaseReason.EVICTED
        self.pool.release(mapping.protocol, mapping.external, mapping.scope, now, hold_down=hold_down)
        self.limits.gave_mapping(mapping.internal.address, mapping.protocol)
        self.events.append(MappingReleased(mapping, reason))
        self._scarcity.mapping_released(mapping, reason)
        self._watch_usage(mapping.protocol)

    def _watch_usage(self, protocol: Protocol) -> None:
        crossed = self._thresholds[protocol].watch(self.pool.allocated(protocol))
        if crossed is not None:
            self.events.append(crossed)
