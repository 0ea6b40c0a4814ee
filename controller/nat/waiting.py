"""Packets that wait for something to become free, in the order in which they came."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from controller.nat.model import Endpoint, Limit, Packet, Protocol
from controller.nat.scopes import Scope
from controller.nat.timers import Timed, TimerQueue

Key = tuple[Protocol, Endpoint, Endpoint]
"""Whose packets may share a mapping: protocol, internal endpoint, and what matters of the remote one."""

_Of = TypeVar("_Of")


@dataclass(slots=True, eq=False)
class Ticket(Timed):
    """Packets that wait for the same mapping or session; `packet` came first."""

    key: Key
    packet: Packet
    scope: Scope
    held: list[Packet] = field(default_factory=list)


class WaitingRoom:
    """Tickets by what they wait for; first come, first served. O(1) for each.

    Queues are ordered dictionaries: the first of an ordinary one is found past all that were taken out before it.
    """

    def __init__(self, capacity: int, patience: float) -> None:
        """Hold at most `capacity` packets, none for longer than `patience` seconds."""
        self._capacity = capacity
        self._by_key: dict[Key, Ticket] = {}
        self._by_scope: dict[Scope, OrderedDict[Ticket, None]] = {}
        self._by_subscriber: dict[int, OrderedDict[Ticket, None]] = {}
        self._patience: TimerQueue[Ticket] = TimerQueue(patience)
        self.packets = 0

    def __bool__(self) -> bool:
        return bool(self._by_key)

    @property
    def is_full(self) -> bool:
        """Whether no packet more can wait."""
        return self.packets >= self._capacity

    def find(self, key: Key) -> Ticket | None:
        """Return the ticket of those packets, if some wait already."""
        return self._by_key.get(key)

    def enter(self, ticket: Ticket, now: float) -> None:
        """Let a ticket's first packet wait."""
        self._by_key[ticket.key] = ticket
        _queue(self._by_scope, ticket.scope)[ticket] = None
        _queue(self._by_subscriber, ticket.packet.source.address)[ticket] = None
        self._patience.arm(ticket, now)
        self.join(ticket, ticket.packet)

    def join(self, ticket: Ticket, packet: Packet) -> None:
        """Let one more packet wait with a ticket."""
        ticket.held.append(packet)
        self.packets += 1

    def leave(self, ticket: Ticket) -> None:
        """Let a ticket wait no longer."""
        self._patience.disarm(ticket)
        del self._by_key[ticket.key]
        self._leave_scope(ticket)
        subscribers = self._by_subscriber[ticket.packet.source.address]
        del subscribers[ticket]
        if not subscribers:
            del self._by_subscriber[ticket.packet.source.address]
        self.packets -= len(ticket.held)

    def paired_with(self, subscriber: int) -> int | None:
        """Return the external address at which a subscriber waits for a port, if it does."""
        tickets = self._by_subscriber.get(subscriber, ())
        return next((ticket.scope.subject for ticket in tickets if ticket.scope.limit is Limit.PORTS), None)

    def move(self, ticket: Ticket, scope: Scope) -> None:
        """Let a ticket wait for something else, behind the others."""
        self._leave_scope(ticket)
        ticket.scope = scope
        _queue(self._by_scope, scope)[ticket] = None

    def first(self, scope: Scope) -> Ticket | None:
        """Return who has waited longest for this scope."""
        queue = self._by_scope.get(scope)
        return next(iter(queue)) if queue else None

    def all(self, scope: Scope) -> list[Ticket]:
        """Return all who wait for this scope, in their order."""
        return list(self._by_scope.get(scope, ()))

    def tickets(self, scope: Scope) -> int:
        """Return how many wait for this scope."""
        return len(self._by_scope.get(scope, ()))

    def scopes_of(self, limit: Limit) -> list[Scope]:
        """Return the scopes of a limit for which somebody waits."""
        return [scope for scope in self._by_scope if scope.limit is limit]

    def lost_patience(self, now: float) -> Iterator[Ticket]:
        """Yield each ticket that has waited for too long."""
        for ticket in list(self._patience.due(now)):
            self.leave(ticket)
            yield ticket

    @property
    def next_deadline(self) -> float | None:
        """When somebody loses patience next, or None."""
        return self._patience.next_deadline

    def _leave_scope(self, ticket: Ticket) -> None:
        waiting = self._by_scope[ticket.scope]
        del waiting[ticket]
        if not waiting:
            del self._by_scope[ticket.scope]


def _queue(queues: dict[_Of, OrderedDict[Ticket, None]], of: _Of) -> OrderedDict[Ticket, None]:
    queue = queues.get(of)
    if queue is None:
        queue = queues[of] = OrderedDict()
    return queue
