"""Packets that wait for something to become free, in the order in which they came.

A client that has given up must not be served before one that still waits, as far as that can be known. A TCP
client repeats its SYN: the first time within 3 s (RFC 6298 section 2), and then after at most twice the time
before. One whose SYN is overdue has given up. So has one that sends any other segment on that connection. A
datagram or a query is not repeated by any rule, so that it waits for its whole time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from controller.nat.model import Endpoint, Limit, Packet, Protocol
from controller.nat.scopes import Scope
from controller.nat.timers import Timed, TimerQueue

Key = tuple[Protocol, Endpoint, Endpoint]
"""What packets that may share a mapping have in common: protocol, internal endpoint, part of the remote one."""

_Of = TypeVar("_Of")


FIRST_REPETITION_S = 3.0
"""The longest time until a SYN is repeated (RFC 6298 section 2; most systems take 1 s)."""
LATE_S = 1.0
"""By this time a repetition may be late."""


@dataclass(slots=True, eq=False)
class Ticket(Timed):
    """Packets that wait for the same mapping or session. `packet` is the first of them.

    `due` has for each SYN when it came last, and when it must have come again.
    """

    key: Key
    packet: Packet
    scope: Scope
    held: list[Packet] = field(default_factory=list)
    due: dict[Packet, tuple[float, float]] = field(default_factory=dict)

    def repeated(self, packet: Packet, now: float) -> None:
        """Take note that a SYN that is held came again."""
        last, _ = self.due[packet]
        self.due[packet] = (now, now + max(FIRST_REPETITION_S, 2 * (now - last)) + LATE_S)

    def overdue(self, now: float) -> list[Packet]:
        """Return the held SYNs whose senders have given up, for all that is known."""
        return [packet for packet, (_, again_by) in self.due.items() if again_by < now]


class WaitingRoom:
    """The tickets of each scope, first come, first served. O(1) for each.

    Queues are ordered dictionaries. To find the first entry of an ordinary one takes longer with each that was
    removed before it.
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
        """Whether no other packet can wait."""
        return self.packets >= self._capacity

    def find(self, key: Key) -> Ticket | None:
        """Return the ticket of packets with this key, if some wait already."""
        return self._by_key.get(key)

    def enter(self, ticket: Ticket, now: float) -> None:
        """Put a ticket with its first packet into the queues."""
        self._by_key[ticket.key] = ticket
        _queue(self._by_scope, ticket.scope)[ticket] = None
        _queue(self._by_subscriber, ticket.packet.source.address)[ticket] = None
        self._patience.arm(ticket, now)
        self.join(ticket, ticket.packet, now)

    def join(self, ticket: Ticket, packet: Packet, now: float) -> None:
        """Add a packet to those of a ticket."""
        ticket.held.append(packet)
        if packet.protocol is Protocol.TCP:
            ticket.due[packet] = (now, now + FIRST_REPETITION_S + LATE_S)
        self.packets += 1

    def withdraw(self, ticket: Ticket, packet: Packet) -> int:
        """Take a packet out of a ticket, which leaves with its last one. Return the packet's place among them."""
        place = ticket.held.index(packet)
        del ticket.held[place]
        ticket.due.pop(packet, None)
        self.packets -= 1
        if ticket.held:
            ticket.packet = ticket.held[0]
        else:
            self.leave(ticket)
        return place

    def leave(self, ticket: Ticket) -> None:
        """Take a ticket out of the queues."""
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
        scopes = (ticket.scope for ticket in self._by_subscriber.get(subscriber, ()))
        return next((scope.subject for scope in scopes if scope.limit in (Limit.PORTS, Limit.DESTINATION)), None)

    def move(self, ticket: Ticket, scope: Scope) -> None:
        """Put a ticket at the end of the queue of another scope."""
        self._leave_scope(ticket)
        ticket.scope = scope
        _queue(self._by_scope, scope)[ticket] = None

    def first(self, scope: Scope) -> Ticket | None:
        """Return the ticket that has waited longest in this scope."""
        queue = self._by_scope.get(scope)
        return next(iter(queue)) if queue else None

    def all(self, scope: Scope) -> list[Ticket]:
        """Return all tickets that wait in this scope, in their order."""
        return list(self._by_scope.get(scope, ()))

    def tickets(self, scope: Scope) -> int:
        """Return the number of tickets that wait in this scope."""
        return len(self._by_scope.get(scope, ()))

    def scopes_of(self, limit: Limit) -> list[Scope]:
        """Return the scopes of a limit in which tickets wait."""
        return [scope for scope in self._by_scope if scope.limit is limit]

    def lost_patience(self, now: float) -> Iterator[Ticket]:
        """Take out and yield each ticket that has waited for too long."""
        for ticket in list(self._patience.due(now)):
            self.leave(ticket)
            yield ticket

    def take_all(self) -> Iterator[Ticket]:
        """Take out and yield every ticket."""
        for ticket in list(self._by_key.values()):
            self.leave(ticket)
            yield ticket

    @property
    def next_deadline(self) -> float | None:
        """When the next ticket has waited for too long, or None."""
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
