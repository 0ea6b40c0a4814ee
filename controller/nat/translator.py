"""The NAT itself: endpoint-independent mapping and filtering (RFC 4787 REQ-1, REQ-8a), timers, release.

A packet goes in with `outbound` or `inbound` and a verdict comes out. Time passes by `due`, which ends what
is over and returns the mappings that may be idle. The NAT cannot know: where flow rules forward the packets,
only their counts tell. Whoever has the counts reports them with `examined`, and only that ends an idle
mapping. Each idle timeout is examined EXAMINATIONS times, so a mapping lives for its timeout after its last
use, never less, and at most a quarter more (two, where the counts come late).

Deviation: a mapping's rules count all its TCP connections together, so one that nobody answered may be taken for
answered while another is in use, and then lives for the established timeout (RFC 5382 REQ-5 asks for no less).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator

from controller.nat.counters import Counters
from controller.nat.events import Event, MappingCreated, MappingReleased, PortsExhausted, ReleaseReason
from controller.nat.model import (
    Drop,
    DropReason,
    Endpoint,
    Limit,
    Mapping,
    Packet,
    Protocol,
    Refuse,
    Session,
    Side,
    TcpFlags,
    Translate,
    Verdict,
)
from controller.nat.pool import Pool
from controller.nat.settings import NatSettings
from controller.nat.tcp import TIMERS, TcpEvent, TcpState, TcpTimer, next_state
from controller.nat.timers import TimerQueue

EXAMINATIONS = 4
"""How often within an idle timeout a mapping's packet counts are looked at."""

_ENDED = {TcpState.BOTH_FIN_RCV, TcpState.TRANS}
_ESTABLISHED_PHASE = {state for state, timer in TIMERS.items() if timer is TcpTimer.ESTABLISHED}


class Nat:
    """A network address and port translator: the single owner of its mappings."""

    def __init__(self, settings: NatSettings, rng: random.Random) -> None:
        self.settings = settings
        self.pool = Pool(settings, rng)
        self.counters = {protocol: Counters() for protocol in Protocol}
        self.events: deque[Event] = deque()
        self._by_internal: dict[Protocol, dict[Endpoint, Mapping]] = {p: {} for p in Protocol}
        self._by_external: dict[Protocol, dict[Endpoint, Mapping]] = {p: {} for p in Protocol}
        self._exhausted: set[tuple[Protocol, int]] = set()
        self._idle_timeouts = {
            Protocol.UDP: settings.udp_timeout,
            Protocol.ICMP: settings.icmp_timeout,
        }
        self._idle: dict[Protocol, TimerQueue[Mapping]] = {
            protocol: TimerQueue(timeout / EXAMINATIONS) for protocol, timeout in self._idle_timeouts.items()
        }
        self._tcp: dict[TcpTimer, TimerQueue[Session]] = {
            timer: TimerQueue(timeout / EXAMINATIONS if timer is TcpTimer.ESTABLISHED else timeout)
            for timer, timeout in settings.tcp_timeouts.items()
        }

    def __len__(self) -> int:
        return sum(len(table) for table in self._by_internal.values())

    def mappings(self) -> Iterator[Mapping]:
        """All live mappings."""
        for table in self._by_internal.values():
            yield from table.values()

    def by_internal(self, protocol: Protocol, endpoint: Endpoint) -> Mapping | None:
        """Return the mapping of an internal endpoint, if there is one."""
        return self._by_internal[protocol].get(endpoint)

    def by_external(self, protocol: Protocol, endpoint: Endpoint) -> Mapping | None:
        """Return the mapping to which an external endpoint belongs, if there is one."""
        return self._by_external[protocol].get(endpoint)

    # Packets

    def outbound(self, packet: Packet, now: float) -> Verdict:
        """Decide on a packet from inside. RFC 4787 REQ-1: one mapping, whatever the destination."""
        mapping = self._by_internal[packet.protocol].get(packet.source)
        if mapping is None:
            return self._open(packet, now)
        # RFC 4787 REQ-6: outbound packets refresh the mapping.
        mapping.last_use = now
        if packet.protocol is Protocol.TCP:
            self._track(mapping, packet.destination, Side.INSIDE, packet, now)
        return Translate(mapping, created=False)

    def inbound(self, packet: Packet, now: float) -> Verdict:
        """Decide on a packet from outside. Whoever sends it, the mapping alone decides (RFC 4787 REQ-8)."""
        mapping = self._by_external[packet.protocol].get(packet.destination)
        if mapping is None:
            self.counters[packet.protocol].dropped_unmapped_packets += 1
            return Drop(DropReason.NO_MAPPING)
        if packet.protocol is Protocol.TCP:
            mapping.last_use = now
            self._track(mapping, packet.source, Side.OUTSIDE, packet, now)
        return Translate(mapping, created=False)

    def observe(self, side: Side, packet: Packet, now: float) -> None:
        """Take note of a segment that passes without us: the copy of a FIN or RST."""
        if side is Side.INSIDE:
            mapping = self._by_internal[packet.protocol].get(packet.source)
            remote = packet.destination
        else:
            mapping = self._by_external[packet.protocol].get(packet.destination)
            remote = packet.source
        if mapping is not None:
            mapping.last_use = now
            self._track(mapping, remote, side, packet, now)

    def _open(self, packet: Packet, now: float) -> Verdict:
        protocol, counters = packet.protocol, self.counters[packet.protocol]
        if protocol is Protocol.TCP and not packet.opens_connection:
            counters.dropped_unmapped_packets += 1
            return Drop(DropReason.NOT_A_SYN)
        external = self.pool.allocate(protocol, packet.source)
        if external is None:
            return self._refuse(packet)
        mapping = Mapping(protocol, packet.source, external, last_use=now)
        self._by_internal[protocol][packet.source] = mapping
        self._by_external[protocol][external] = mapping
        self._exhausted.discard((protocol, external.address))
        counters.port_mapping_creations += 1
        self.events.append(MappingCreated(mapping))
        if protocol is Protocol.TCP:
            self._track(mapping, packet.destination, Side.INSIDE, packet, now)
        else:
            self._idle[protocol].arm(mapping, now)
        return Translate(mapping, created=True)

    def _refuse(self, packet: Packet) -> Refuse:
        self.counters[packet.protocol].dropped_port_packets += 1
        address = self.pool.external_address(packet.source)
        if (packet.protocol, address) not in self._exhausted:
            self._exhausted.add((packet.protocol, address))
            self.events.append(PortsExhausted(packet.protocol, address))
        return self.settings.on_exhaustion.refuse(Limit.PORTS)

    # TCP connections

    def _track(self, mapping: Mapping, remote: Endpoint, sender: Side, packet: Packet, now: float) -> None:
        session = mapping.sessions.get(remote)
        if session is None:
            if not packet.opens_connection:
                return  # a late segment of a connection that has ended
            session = Session(mapping, remote, sender, now, mapping.packets_from(sender.other))
            mapping.sessions[remote] = session
        elif packet.opens_connection and session.state in _ENDED:
            session.client = sender  # either side may open it again
        event = _event(session, sender, packet.flags)
        if event is not None:
            self._advance(session, event, now)

    def _advance(self, session: Session, event: TcpEvent, now: float) -> None:
        """Enter the next state and start its timer; an event that changes nothing starts the timer again."""
        state = next_state(session.state, event)
        if session.state is not TcpState.CLOSED:
            self._tcp[TIMERS[session.state]].disarm(session)
        if state is TcpState.INIT:
            session.opened_at = now
            if state is not session.state:
                session.answers_before = session.mapping.packets_from(session.client.other)
        session.state = state
        self._tcp[TIMERS[state]].arm(session, now)

    # Time

    def due(self, now: float) -> list[Mapping]:
        """End what is over at `now`, and return the mappings whose packet counts are to be examined."""
        self.pool.reclaim(now)
        for timer in (TcpTimer.CLOSING, TcpTimer.RESET):
            for session in self._tcp[timer].due(now):
                self._end(session, ReleaseReason.CLOSED, now)
        for mapping in list(self._idle[Protocol.ICMP].due(now)):
            self._idle[Protocol.ICMP].arm(mapping, now)
            self._end_if_idle(mapping, now)  # each query passes the NAT itself, so its last use is known
        examine: dict[Mapping, None] = {}
        for mapping in list(self._idle[Protocol.UDP].due(now)):
            self._idle[Protocol.UDP].arm(mapping, now)
            examine[mapping] = None
        for timer in (TcpTimer.OPENING, TcpTimer.ESTABLISHED):
            for session in list(self._tcp[timer].due(now)):
                self._tcp[timer].arm(session, now)
                examine[session.mapping] = None
        return list(examine)

    def examined(self, mapping: Mapping, outbound_packets: int, inbound_packets: int, now: float) -> None:
        """Take note of a mapping's packet counts; an idle one ends, and a silent opening as well.

        RFC 4787 REQ-6: inbound packets alone do not keep a UDP mapping. For TCP both directions count.
        """
        if self._by_internal[mapping.protocol].get(mapping.internal) is not mapping:
            return  # it ended before the counts came
        used = outbound_packets != mapping.outbound_packets
        if mapping.protocol is Protocol.TCP:
            used = used or inbound_packets != mapping.inbound_packets
        if used:
            mapping.last_use = now
        mapping.outbound_packets, mapping.inbound_packets = outbound_packets, inbound_packets
        if mapping.protocol is not Protocol.TCP:
            self._end_if_idle(mapping, now)
        for session in list(mapping.sessions.values()):
            self._examine_session(session, now)

    def counts_restarted(self, now: float) -> None:
        """The rules were made anew and count from zero: what they had seen is unknown, so it is all in use."""
        for mapping in self.mappings():
            mapping.last_use, mapping.outbound_packets, mapping.inbound_packets = now, 0, 0
            for session in mapping.sessions.values():
                session.answers_before = 0
                self._advance(session, TcpEvent.SERVER_SYN, now)

    def _examine_session(self, session: Session, now: float) -> None:
        mapping, timeouts = session.mapping, self.settings.tcp_timeouts
        if session.state is TcpState.INIT:
            if mapping.packets_from(session.client.other) > session.answers_before:
                self._advance(session, TcpEvent.SERVER_SYN, now)
            elif now - session.opened_at >= timeouts[TcpTimer.OPENING]:
                self._end(session, ReleaseReason.IDLE, now)
        elif session.state in _ESTABLISHED_PHASE and now - mapping.last_use >= timeouts[TcpTimer.ESTABLISHED]:
            self._advance(session, TcpEvent.IDLE, now)

    def _end_if_idle(self, mapping: Mapping, now: float) -> None:
        if now - mapping.last_use >= self._idle_timeouts[mapping.protocol]:
            self._release(mapping, ReleaseReason.IDLE, now)

    # Endings

    def roll_back(self, mapping: Mapping, now: float) -> None:
        """Undo a mapping for which the switch has no room."""
        if self._by_internal[mapping.protocol].get(mapping.internal) is mapping:
            self.counters[mapping.protocol].dropped_flow_table_packets += 1
            self._release(mapping, ReleaseReason.ROLLED_BACK, now)

    def _end(self, session: Session, reason: ReleaseReason, now: float) -> None:
        """RFC 6888 REQ-8 and common sense: a mapping lives as long as its last session."""
        mapping = session.mapping
        self._tcp[TIMERS[session.state]].disarm(session)
        del mapping.sessions[session.remote]
        if not mapping.sessions:
            self._release(mapping, reason, now)

    def _release(self, mapping: Mapping, reason: ReleaseReason, now: float) -> None:
        del self._by_internal[mapping.protocol][mapping.internal]
        del self._by_external[mapping.protocol][mapping.external]
        for session in mapping.sessions.values():
            self._tcp[TIMERS[session.state]].disarm(session)
        mapping.sessions.clear()
        if mapping.protocol is not Protocol.TCP:
            self._idle[mapping.protocol].disarm(mapping)
        self.pool.release(mapping.protocol, mapping.internal, mapping.external, now)
        self.events.append(MappingReleased(mapping, reason))

    @property
    def next_deadline(self) -> float | None:
        """When `due` has something to do next, or None."""
        deadlines = [
            self.pool.next_deadline,
            *(queue.next_deadline for queue in self._idle.values()),
            *(queue.next_deadline for queue in self._tcp.values()),
        ]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)


def _event(session: Session, sender: Side, flags: TcpFlags) -> TcpEvent | None:
    """Name what a segment means for its connection, or None where it means nothing."""
    is_client = sender is session.client
    if flags & TcpFlags.RST:
        return TcpEvent.RST
    if flags & TcpFlags.FIN:
        return TcpEvent.CLIENT_FIN if is_client else TcpEvent.SERVER_FIN
    if flags & TcpFlags.SYN:
        return TcpEvent.CLIENT_SYN if is_client else TcpEvent.SERVER_SYN
    return None
