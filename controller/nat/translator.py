"""The NAT itself: its verdict on each packet, by mapping and filtering behaviour (RFC 4787 sections 4 and 5).

A packet goes in with `outbound` or `inbound`, and a verdict comes out. Time passes by `due`, which ends what is
over and returns the flows that may be idle, and `examined` takes the counts by which this is known.

What there is, and how it begins and ends, is in `inventory.py`, what ends by time in `idleness.py`, and what
happens when something runs short in `scarcity.py`.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Iterator

from controller.nat.events import (
    ConnectionReopened,
    ConnectionTurned,
    Event,
    ReleaseReason,
)
from controller.nat.idleness import Idleness
from controller.nat.inventory import Inventory
from controller.nat.limits import Limits
from controller.nat.model import (
    INSIDE,
    OUTSIDE,
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
    TcpFlags,
)
from controller.nat.pool import Pool
from controller.nat.protocols import ProtocolState
from controller.nat.scarcity import Scarcity
from controller.nat.scopes import Scope, Scopes
from controller.nat.settings import NatSettings
from controller.nat.verdicts import Drop, DropReason, Refuse, Translate, Verdict

SHOWN = (
    *("external_addresses", "ports", "mapping", "filtering", "overlapping", "pooling", "allocator"),
    "overlapping_udp",
    *("static_mappings", "own_ports", "rest"),
)
"""The settings of which each mapping is an outcome."""
OF_BLOCKS = ("port_set_size", "port_set_timeout")
"""Those of an allocator that gives ports in blocks."""


class Nat:
    """A network address and port translator: the single owner of its mappings."""

    def __init__(self, settings: NatSettings, rng: random.Random) -> None:
        self.settings = settings
        self.pool = Pool(settings, rng)
        self.limits = Limits(settings)
        self.events: deque[Event] = deque()
        scopes = Scopes(settings)
        self._scarcity = Scarcity(self, scopes)
        self._inventory = Inventory(settings, self.pool, self.limits, self.events, scopes, self._scarcity)
        self._idleness = Idleness(settings, self._inventory)
        self._states = self._inventory.states
        self._connections = self._inventory.connections
        self._unanswered = self._inventory.unanswered
        self._destinations = self.pool.destinations
        self._late_reset = settings.late_reset
        self._refresh_inbound = settings.refresh_inbound
        self.counters = {protocol: state.counters for protocol, state in self._states.items()}
        # For every packet one look-up less:
        self._new_mapping, self._add_flow = self._inventory.new_mapping, self._inventory.add_flow
        self._refresh = self._inventory.refresh
        self.end = self._inventory.end
        self.due = self._idleness.due
        self.examined = self._idleness.examined
        self.counts_restarted = self._idleness.counts_restarted

    def __len__(self) -> int:
        return self.limits.mappings

    def may_adopt(self, other: Nat) -> bool:
        """Whether the mappings of another NAT can be this one's: the two differ in what a mapping does not show.

        These are limits, timers, and what becomes of a packet that is refused.
        """
        mine, theirs = self.settings, other.settings
        shown = (*SHOWN, *OF_BLOCKS) if mine.allocator.by_subscriber else SHOWN
        return all(getattr(mine, name) == getattr(theirs, name) for name in shown) and all(
            mine.flows(protocol) is theirs.flows(protocol) or not len(state.tables)
            for protocol, state in other._states.items()
        )

    def adopt(self, other: Nat) -> None:
        """Take over the mappings of another NAT, which is of no use afterwards.

        Packets that wait stay behind: `refuse_waiting` comes first.
        """
        self.pool.adopt(other.pool)
        self.limits.adopt(other.limits)
        self._inventory.adopt(other._inventory)

    def count_on(self, other: Nat) -> None:
        """Go on counting where another NAT has stopped."""
        for protocol, state in self._states.items():
            state.counters = self.counters[protocol] = other.counters[protocol]

    @property
    def total_sessions(self) -> int | None:
        """The number of sessions, or None where the rules hide them."""
        hidden = [each for each in Protocol if self.settings.flows(each) is not Dependence.ADDRESS_AND_PORT]
        return None if any(len(self._states[each].tables) for each in hidden) else self.limits.sessions

    def report_phases(self) -> None:
        """Report from now on what else becomes of ports: that they are closing, held down, and free again."""
        self._idleness.reports_phases = True
        self._connections.turned = lambda flow, is_ended: self.events.append(ConnectionTurned(flow, is_ended))

    def flows(self) -> Iterator[Flow]:
        """Return all live flows, of every protocol."""
        return self._inventory.flows()

    def mappings(self) -> Iterator[Mapping]:
        """Return all live mappings, of every protocol."""
        return iter(dict.fromkeys([*self._inventory.static, *(flow.mapping for flow in self.flows())]))

    @property
    def next_deadline(self) -> float | None:
        """When `due` has something to do next, or None."""
        return self._idleness.next_deadline

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
            return Drop(DropReason.NOT_A_SYN, self._to_late(INSIDE, packet))
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

    def _to_late(self, side: Side, packet: Packet) -> Answer:
        """Return what the sender of a packet gets that belongs to nothing (RFC 9293 section 3.10.7.1)."""
        if side not in self._late_reset or packet.protocol is not TCP:
            return Answer.NOTHING
        opens_or_resets = packet.flags == SYN or packet.flags & TcpFlags.RST
        return Answer.NOTHING if opens_or_resets else Answer.RESET

    def _stranger(self, state: ProtocolState, packet: Packet, now: float) -> Flow | Verdict:
        """Return a new flow for an outside endpoint without one, or the verdict if it may not have one."""
        tables, counters = state.tables, state.counters
        mapping = tables.by_external(packet.destination, packet.source)
        is_static = mapping is not None and mapping.is_static
        if mapping is None or (not is_static and now - mapping.last_use >= state.idle_timeout):
            counters.dropped_unmapped_packets += 1
            return Drop(DropReason.NO_MAPPING, self._to_late(OUTSIDE, packet))
        if not is_static and not tables.lets_in(mapping, packet.source):
            counters.dropped_filtered_packets += 1
            return Drop(DropReason.FILTERED, self._to_late(OUTSIDE, packet))
        if packet.protocol is TCP and not packet.opens_connection:
            counters.dropped_unmapped_packets += 1
            return Drop(DropReason.NOT_A_SYN, self._to_late(OUTSIDE, packet))
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
            self._inventory.give_way(rival, now)
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
            self._inventory.end_flow(flow, ReleaseReason.CLOSED, now)

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
        elif self._destinations is not None and self._destinations.is_full(
            protocol, mapping.external.address, remote
        ):
            return Scope(Limit.DESTINATION, mapping.external.address, protocol, remote)
        flow = self._add_flow(state, mapping, remote, now)
        if protocol is TCP:
            self._connections.open(flow, INSIDE, now)
        if self.limits.sessions > self.limits.most_sessions:
            self._inventory.make_room(now)  # it was made in the place of a stranger's
        if self._scarcity.announced:
            self._scarcity.admitted(mapping)
        return flow

    # Endings

    def roll_back(self, flow: Flow, packet: Packet | None, now: float) -> Verdict | None:
        """Undo a flow for which the switch has no room.

        Return the verdict on the outbound packet that made it, or None if there is none or the flow has ended.
        """
        if not flow.is_live:
            return None
        had_waited = self._scarcity.has_waited_for_rules(flow)
        self._inventory.end_flow(flow, ReleaseReason.ROLLED_BACK, now)
        self._scarcity.wake(now)
        if packet is None:
            self.counters[flow.mapping.protocol].dropped_flow_table_packets += 1
            self._inventory.make_room(now)  # for the same packet, if it is sent again
            return None
        if self._inventory.make_room(now):
            return self.outbound(packet, now)
        if had_waited:
            return self._scarcity.give_up(packet)
        return self._scarcity.known(packet, now) or self._scarcity.refuse(Scope(Limit.FLOW_TABLE), packet, now)

    def flush(self, now: float) -> None:
        """End every mapping, as an operator may order it."""
        self.release(self.mappings(), now)

    def release(self, mappings: Iterable[Mapping], now: float) -> None:
        """End these mappings, as an operator may order it."""
        for mapping in list(mappings):
            self.end(mapping, ReleaseReason.FLUSHED, now)
        self._scarcity.wake(now)

    def refuse_waiting(self) -> None:
        """Refuse every packet that waits for what is short."""
        self._scarcity.turn_all_away()
