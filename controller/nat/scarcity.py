"""When something runs short: asking the policy, holding packets, evicting for them, and waking them.

Nothing here makes a mapping or ends one by itself: the NAT does, when it is asked to.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Protocol as Interface

from controller.nat.counters import Counters
from controller.nat.events import Event, GaveUp, LimitReached, ReleaseReason, Resumed
from controller.nat.limits import Limits
from controller.nat.model import PARTS, Answer, Endpoint, Flow, Limit, Mapping, Packet, Protocol
from controller.nat.pool import Freed, Pool
from controller.nat.recency import Recency, recency_interval
from controller.nat.scopes import ANY_MAPPING, Scope, Scopes
from controller.nat.settings import NatSettings
from controller.nat.strategies.exhaustion.policy import Decision, Evict, Shortage, Wait
from controller.nat.verdicts import Hold, Refuse, Translate, Verdict
from controller.nat.waiting import Key, Ticket, WaitingRoom

RESTS = 4
"""A packet that waits for an evicted mapping's port is not given up before this number of rests."""
CANDIDATES = 256
"""The number of the oldest mappings that are examined, where not every mapping would do."""

_SESSIONS = Scope(Limit.SESSIONS)
_FLOW_TABLE = Scope(Limit.FLOW_TABLE)
_SUBSCRIBERS = Scope(Limit.SUBSCRIBERS)
_HOLD_QUEUE = Scope(Limit.HOLD_QUEUE)
_FREED_BY_ANY_FLOW = (_SESSIONS, _FLOW_TABLE)
_FREED_BY_ANY_MAPPING = (*_FREED_BY_ANY_FLOW, _SUBSCRIBERS, ANY_MAPPING)
_ANY_MAPPING_HELPS = {Limit.MAPPINGS, Limit.SESSIONS, Limit.FLOW_TABLE, Limit.SUBSCRIBERS}


class Translator(Interface):
    """What scarcity asks of the NAT."""

    settings: NatSettings
    pool: Pool
    limits: Limits
    events: deque[Event]
    counters: dict[Protocol, Counters]

    def outbound_flow(self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> Flow | None:
        """Return the flow of packets from `internal` to `remote`, if there is one."""

    def outbound(self, packet: Packet, now: float) -> Verdict:
        """Decide on a packet from inside."""

    def open(self, packet: Packet, now: float) -> Flow | Scope:
        """Make what an outbound packet without a flow needs, or return the scope in which it ran short."""

    def end(self, mapping: Mapping, reason: ReleaseReason, now: float) -> None:
        """End a mapping with all its flows."""


class Scarcity:
    """Decides on outbound packets that could not get what they need."""

    def __init__(self, nat: Translator, scopes: Scopes) -> None:
        settings = nat.settings
        self._nat = nat
        self._scopes = scopes
        self._policy = settings.on_exhaustion()
        self._fallback = settings.fallback
        self._scope_of = PARTS[settings.mapping]
        self._limits_rate = settings.new_mapping_rate_per_subscriber is not None
        self._freed_by_time: tuple[Limit, ...] = (Limit.RATE,)
        if settings.own_ports is not None:
            self._freed_by_time = (Limit.RATE, Limit.SUBSCRIBER_PORTS, Limit.RESERVATION)
        self._limits_destinations = settings.limit_sessions_per_destination is not None
        patience = settings.hold_timeout
        if self._policy.evicts:
            patience = max(patience, RESTS * settings.rest)
        self._waiting = WaitingRoom(settings.hold_queue, patience)
        self._recency = Recency() if self._policy.evicts else None
        # A use is known a reading of the counts later, and counts as that of the reading before.
        spared = settings.evict_only_idle_for
        self._spared_for = spared + 2 * recency_interval(settings) if spared else 0.0
        self.announced: set[Scope] = set()
        """The limits that were reached, and that no packet has passed since."""
        self._freed: deque[Scope] = deque()
        self._waited_for_rules: set[Flow] = set()
        # Ports that rest, and the scope that can use each: nothing is evicted for what is on its way.
        self._resting: dict[Freed, Scope] = {}
        self._coming: Counter[Scope] = Counter()

    def adopt(self, other: Scarcity) -> None:
        """Take over which limits have been announced; no packet waits any more."""
        self.announced = other.announced

    # Packets

    def known(self, packet: Packet, now: float) -> Verdict | None:
        """Return the verdict on a packet if others for the same mapping wait already, else None."""
        if not self._waiting.packets:
            return None
        ticket = self._waiting.find(self._key(packet))
        if ticket is None:
            return None
        if packet.protocol is Protocol.TCP and packet in ticket.held:
            ticket.repeated(packet, now)
            return Hold(ticket, is_new=False)  # the same SYN once more
        if self._waiting.is_full:
            return self._refuse_to_hold(packet)
        self._waiting.join(ticket, packet, now)
        self._count_held(packet)
        return Hold(ticket, is_new=True)

    def refuse(self, scope: Scope, packet: Packet, now: float) -> Verdict:
        """Return the verdict on a packet that was stopped in this scope."""
        self._announce(scope, packet.protocol)
        decision = self._decide(scope, packet, now)
        if isinstance(decision, Answer):
            return self._answer(scope.limit, decision, packet)
        if self._waiting.is_full:
            return self._refuse_to_hold(packet)
        ticket = Ticket(self._key(packet), packet, scope)
        self._waiting.enter(ticket, now)
        self._count_held(packet)
        self._make_room(decision, now)
        self.wake(now)
        return Hold(ticket, is_new=True)

    def gave_up(self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> None:
        """Take note that an inside endpoint no longer waits for what it has sent to a remote endpoint."""
        ticket = self._waiting.find((protocol, internal, self._scope_of(remote))) if self._waiting else None
        if ticket is not None:
            self._withdraw(ticket, [packet for packet in ticket.held if packet.destination == remote])

    def _withdraw(self, ticket: Ticket, packets: list[Packet]) -> None:
        for packet in packets:
            self._answer(ticket.scope.limit, Answer.NOTHING, packet)
            self._nat.events.append(GaveUp(ticket, self._waiting.withdraw(ticket, packet)))

    def paired_with(self, subscriber: int) -> int | None:
        """Return the external address at which a subscriber waits, and at which its other packets wait as well."""
        return self._waiting.paired_with(subscriber) if self._waiting.packets else None

    def has_waited_for_rules(self, flow: Flow) -> bool:
        """Whether a flow was made when the switch was thought to have room again."""
        return flow in self._waited_for_rules

    def give_up(self, packet: Packet) -> Verdict:
        """Return the verdict on a packet that the switch refuses once more: no other mapping is evicted for it."""
        return self._answer(Limit.FLOW_TABLE, self._fallback, packet)

    def _refuse_to_hold(self, packet: Packet) -> Refuse:
        self._announce(_HOLD_QUEUE, packet.protocol)
        return self._answer(Limit.HOLD_QUEUE, self._fallback, packet)

    def _count_held(self, packet: Packet) -> None:
        self._nat.counters[packet.protocol].held_packets += 1
        self.announced.discard(_HOLD_QUEUE)

    def _decide(self, scope: Scope, packet: Packet, now: float) -> Decision:
        victims = self._victims(scope, packet, now)
        decision = self._policy.decide(Shortage(packet, scope.limit, victims, self._fallback))
        if isinstance(decision, Evict) and self._coming[scope] > self._waiting.tickets(scope):
            return Wait()
        return decision

    def _victims(self, scope: Scope, packet: Packet, now: float) -> Iterator[Mapping]:
        """Yield the mappings whose end would admit a packet, the least recently used first.

        None is the one that the packet is on its way to, which is an inside host's as well (hairpinning).
        """
        if self._recency is None:
            return iter(())
        until = now - self._spared_for if self._spared_for else math.inf
        if scope.limit not in _ANY_MAPPING_HELPS:
            oldest = self._recency.oldest(scope, until)
            return (mapping for mapping in oldest if not _is_addressed(mapping, packet))
        candidates = itertools.islice(self._recency.oldest(ANY_MAPPING, until), CANDIDATES)
        return (mapping for mapping in candidates if self._would_help(mapping, scope.limit, packet))

    def _would_help(self, mapping: Mapping, limit: Limit, packet: Packet) -> bool:
        if _is_addressed(mapping, packet):
            return False
        if limit is Limit.SUBSCRIBERS:
            return self._nat.limits.subscribers[mapping.internal.address].total == 1
        if limit is Limit.FLOW_TABLE and mapping.protocol is Protocol.ICMP:
            return False  # it has no rules
        wanted = self._scope_of(packet.destination)  # the packet needs its own mapping
        return (mapping.protocol, mapping.internal, mapping.toward) != (
            packet.protocol,
            packet.source,
            wanted,
        )

    def _make_room(self, decision: Decision, now: float) -> None:
        """Evict a mapping, if that was the decision. The packet waits by now."""
        if isinstance(decision, Evict):
            self._nat.counters[decision.mapping.protocol].evicted_mappings += 1
            self._nat.end(decision.mapping, ReleaseReason.EVICTED, now)

    def _answer(self, limit: Limit, answer: Answer, packet: Packet, packets: int = 1) -> Refuse:
        if answer is Answer.RESET and packet.protocol is not Protocol.TCP:
            answer = Answer.ICMP  # nothing else can be reset
        counters = self._nat.counters[packet.protocol]
        setattr(counters, limit.value, getattr(counters, limit.value) + packets)
        return Refuse(limit, answer)

    def _announce(self, scope: Scope, protocol: Protocol) -> None:
        if scope not in self.announced:
            self.announced.add(scope)
            self._nat.events.append(LimitReached(scope.limit, protocol, scope.subject))

    def _key(self, packet: Packet) -> Key:
        return (packet.protocol, packet.source, self._scope_of(packet.destination))

    # What has become of mappings

    def mapping_created(self, mapping: Mapping) -> None:
        """Take note of a new mapping."""
        if self._recency is not None:
            self._recency.add(mapping, self._scopes.of_mapping(mapping), mapping.last_use)

    def used(self, mapping: Mapping, at: float) -> None:
        """Take note that a mapping was used in either direction, at `at` or later."""
        if self._recency is not None and not mapping.is_static:
            self._recency.use(mapping, at)

    def forget(self, flow: Flow) -> None:
        """Take note that a flow ended, with or without its mapping."""
        self._waited_for_rules.discard(flow)

    def session_ended(self, flow: Flow) -> None:
        """Take note of what a session freed that counted for its destination."""
        if self._waiting.packets:
            self._freed.extend(self._scopes.of_session(flow))

    def admitted(self, mapping: Mapping) -> None:
        """Allow the limits that a mapping's new flow has passed to be announced again."""
        if self._limits_destinations:
            self.announced.difference_update(self._scopes.of_session(mapping.flows[-1]))
        subscriber = mapping.internal.address
        self.announced.difference_update(self._scopes.of_mapping(mapping))
        self.announced.discard(_SESSIONS)
        if self._limits_rate:
            self.announced.discard(Scope(Limit.RATE, subscriber))
        counted = self._nat.limits.subscribers.get(subscriber)  # with static mappings alone it is not
        if counted is not None and counted.total == 1:
            self.announced.discard(_SUBSCRIBERS)

    def let_in(self, flow: Flow, now: float) -> None:
        """Resume what waits for a session that a stranger has opened."""
        key = (flow.mapping.protocol, flow.mapping.internal, self._scope_of(flow.peer))
        ticket = self._waiting.find(key)
        if ticket is not None:
            first = ticket.packet
            if self._nat.outbound_flow(first.protocol, first.source, first.destination) is not None:
                verdict = self._nat.outbound(first, now)
                assert isinstance(verdict, Translate)
                self._resume(ticket, verdict)

    def flow_ended(self, reason: ReleaseReason) -> None:
        """Take note of what a flow freed that ended without its mapping."""
        self._free(_FREED_BY_ANY_FLOW, reason)

    def mapping_released(self, mapping: Mapping, freed: Freed, reason: ReleaseReason) -> None:
        """Take note of what a mapping freed that ended. Its port cannot be given yet."""
        self._free(_FREED_BY_ANY_MAPPING, reason)
        if self._recency is not None:
            _, of_port, *of_quotas = self._recency.forget(mapping)
            if reason is ReleaseReason.EVICTED or not self._nat.pool.holds_down(mapping.protocol):
                self._resting[freed] = of_port
                self._coming[of_port] += 1
        elif self._waiting.packets:
            _, _, *of_quotas = self._scopes.of_mapping(mapping)
        if self._waiting.packets:
            self._freed.extend(of_quotas)

    def port_freed(self, protocol: Protocol, freed: Freed) -> None:
        """Take note that a port can be given again."""
        of_port = self._resting.pop(freed, None)
        if of_port is not None:
            self._coming[of_port] -= 1
            if not self._coming[of_port]:
                del self._coming[of_port]
        if not self._waiting.packets:
            return
        if self._limits_destinations:  # it may be at an address at which its destination has room
            self._freed.extend(self._waiting.scopes_of(Limit.DESTINATION))
        if self._nat.settings.is_by_subscriber:
            self._freed.extend(self._waiting.scopes_of(self._nat.settings.pool_limit))
        else:
            self._freed.append(of_port or self._scopes.of_freed(protocol, freed))

    def _free(self, scopes: Iterable[Scope], reason: ReleaseReason) -> None:
        has_room = reason is not ReleaseReason.ROLLED_BACK  # in the switch: a rule that it refused leaves none
        if self._waiting.packets:
            self._freed.extend(scopes if has_room else (scope for scope in scopes if scope != _FLOW_TABLE))
        if has_room:
            self.announced.discard(_FLOW_TABLE)

    # Packets that wait

    def due(self, now: float) -> None:
        """Wake the packets that can go on, and refuse those that have waited for too long."""
        for limit in self._freed_by_time:
            self._freed.extend(self._waiting.scopes_of(limit))
        self.wake(now)
        for ticket in self._waiting.lost_patience(now):
            self._turn_away(ticket, self._fallback)

    def turn_all_away(self) -> None:
        """Refuse every packet that waits."""
        for ticket in self._waiting.take_all():
            self._turn_away(ticket, self._fallback)

    def wake(self, now: float) -> None:
        """Try again with the first that waits in each scope in which something has become free."""
        while self._freed:
            scope = self._freed.popleft()
            ticket = self._first(scope, now)
            if ticket is not None and self._try_again(ticket, now) and scope == _SUBSCRIBERS:
                for other in self._waiting.all(scope):  # the same subscriber's are no longer stopped
                    self._withdraw(other, other.overdue(now))
                    if other.held and other.packet.source.address == ticket.packet.source.address:
                        self._try_again(other, now)

    def _first(self, scope: Scope, now: float) -> Ticket | None:
        """Return the first ticket of a scope, without the packets of those who have given up."""
        while (ticket := self._waiting.first(scope)) is not None:
            self._withdraw(ticket, ticket.overdue(now))
            if ticket.held:
                return ticket
        return None

    def _try_again(self, ticket: Ticket, now: float) -> bool:
        """Return whether a ticket went on. If it lacks something else now, the next one may use what was free."""
        opened = self._nat.open(ticket.packet, now)
        if isinstance(opened, Flow):
            if ticket.scope == _FLOW_TABLE:
                self._waited_for_rules.add(opened)
            self._resume(ticket, Translate(opened, created=True))
            return True
        if opened != ticket.scope:
            self._freed.append(ticket.scope)
            self._decide_again(ticket, opened, now)
        return False

    def _decide_again(self, ticket: Ticket, scope: Scope, now: float) -> None:
        self._announce(scope, ticket.packet.protocol)
        decision = self._decide(scope, ticket.packet, now)
        self._waiting.move(ticket, scope)
        if isinstance(decision, Answer):
            self._waiting.leave(ticket)
            self._turn_away(ticket, decision)
        else:
            self._make_room(decision, now)

    def _resume(self, ticket: Ticket, verdict: Translate) -> None:
        self._waiting.leave(ticket)
        self._nat.events.append(Resumed(ticket, verdict))

    def _turn_away(self, ticket: Ticket, answer: Answer) -> None:
        verdict = self._answer(ticket.scope.limit, answer, ticket.packet, len(ticket.held))
        self._nat.events.append(Resumed(ticket, verdict))

    @property
    def next_deadline(self) -> float | None:
        """When `due` has something to do next, or None."""
        if not self._waiting:
            return None
        deadlines = [
            self._nat.limits.may_create_at(scope.subject)
            for scope in self._waiting.scopes_of(Limit.RATE)
            if scope.subject is not None
        ]
        return min([*deadlines, self._waiting.next_deadline or 0.0])


def _is_addressed(mapping: Mapping, packet: Packet) -> bool:
    """Whether a packet goes to the external endpoint of a mapping."""
    return (mapping.protocol, mapping.external) == (packet.protocol, packet.destination)
