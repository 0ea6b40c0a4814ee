"""What goes to the switch, and what has not been confirmed: the router's `Switch`, as bytes in their order.

A message that the switch refuses comes back as an error with the message's transaction id. So flows are remembered
by the ids of their rules, until a barrier's reply confirms that the switch has taken them. All other messages have
the id 0: without what they do there is no gateway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.nat.model import Flow
from controller.openflow import messages
from controller.openflow.pipeline import ToldApart
from controller.openflow.rules import Rule, Stopped, Table
from controller.openflow.switch import Arrival
from controller.openflow.templates import additions, delivery, forwarding, injection, removals, sending

_MOST_XID = (1 << 32) - 1
MOST_POLLS = 4
"""The most requests for counts under way at once: a packet waits behind their replies, of 2,000 rules each."""


class Outbox:
    """A switch that takes orders. `take` returns them as bytes to send."""

    def __init__(self, told_apart: ToldApart) -> None:
        self._addition, self._removal = additions(told_apart), removals(told_apart)
        self._pieces: list[bytes] = []
        self.xid = 0
        """The newest transaction id."""
        self._unconfirmed: dict[int, tuple[Flow, Arrival | None]] = {}
        self._awaiting_barrier: dict[int, tuple[Flow, Arrival | None]] = {}
        self._polls: dict[int, int] = {}
        self._to_poll: dict[int, None] = {}
        self._sums: dict[int, Stopped] = {}
        self._to_do: dict[int, Callable[[float], None]] = {}
        self._is_asked = False

    def take(self) -> bytes:
        """Return all orders since the last time, in one piece."""
        pieces = b"".join(self._pieces)
        self._pieces.clear()
        return pieces

    # The router's orders

    def clear(self) -> None:
        """Remove every rule, and set the meters up anew. Nothing that was sent before will be answered."""
        self._pieces.clear()
        for under_way in (self._unconfirmed, self._awaiting_barrier, self._polls, self._sums, self._to_do):
            under_way.clear()
        self._to_poll.clear()
        self._is_asked = False
        for message in messages.clear():
            self.append(message)

    def install(self, rule: Rule) -> None:
        """Add a rule that belongs to no flow."""
        self.append(messages.addition(rule))

    def withdraw(self, rule: Rule) -> None:
        """Remove a rule that belongs to no flow."""
        self.append(messages.removal(rule))

    def add(self, flow: Flow, cookie: int, cause: Arrival | None) -> None:
        """Add a flow's rules, and remember the flow until they are confirmed."""
        self.xid = xid = self.xid % _MOST_XID + 1
        self._unconfirmed[xid] = (flow, cause)
        self._pieces.append(self._addition(flow, cookie, xid))

    def remove(self, flow: Flow, cookie: int) -> None:
        """Remove a flow's rules, those that were not confirmed as well."""
        self._pieces.append(self._removal(flow, cookie, 0))

    def inject(self, frame: bytes, in_port: int, table: Table) -> None:
        """Put a frame back into the table that asked for a decision, marked as decided."""
        self._pieces.append(injection(frame, in_port, table))

    def deliver(self, frame: bytes) -> None:
        """Put a frame with an external source before the inbound rules, marked as decided."""
        self._pieces.append(delivery(frame))

    def forward(self, frame: bytes) -> None:
        """Send a frame on to its next hop, whichever port that is on."""
        self._pieces.append(forwarding(frame))

    def send(self, frame: bytes, port: int) -> None:
        """Send a frame of our own out of a port."""
        self._pieces.append(sending(frame, port))

    def then(self, do: Callable[[float], None]) -> None:
        """Ask for a confirmation of all orders up to now, after which `do` is to be called."""
        self.xid = xid = self.xid % _MOST_XID + 1
        self._to_do[xid] = do
        self.append(messages.barrier(), xid)

    def poll(self, cookie: int) -> None:
        """Ask for the packet counts of all rules with this cookie, in its turn, unless a request is under way.

        On a slow machine replies would come more slowly than their flows are due, and pile up.
        """
        if cookie not in self._polls.values():
            self._to_poll[cookie] = None
            self._poll_next()

    def _poll_next(self) -> None:
        while self._to_poll and len(self._polls) < MOST_POLLS:
            cookie = next(iter(self._to_poll))
            del self._to_poll[cookie]
            self.xid = xid = self.xid % _MOST_XID + 1
            self._polls[xid] = cookie
            self.append(messages.poll(cookie), xid)

    def sum_up(self, why: Stopped) -> None:
        """Ask how many packets all rules with this cookie have dropped."""
        self.xid = xid = self.xid % _MOST_XID + 1
        self._sums[xid] = why
        self.append(messages.total(why), xid)

    # The switch's answers

    def confirm(self) -> None:
        """Ask for a confirmation of what was sent, unless one is under way."""
        if not self._is_asked:
            self._is_asked = True
            self._awaiting_barrier, self._unconfirmed = self._unconfirmed, {}
            self.append(messages.barrier())

    @property
    def is_unconfirmed(self) -> bool:
        """Whether the rules of a flow were sent since a confirmation was asked for."""
        return bool(self._unconfirmed)

    def confirmed(self) -> None:
        """Take note that the switch has taken what was sent before the barrier."""
        self._is_asked = False
        self._awaiting_barrier.clear()

    def done(self, xid: int) -> Callable[[float], None] | None:
        """Return what was to be done after the orders that a confirmation is about, if anything."""
        return self._to_do.pop(xid, None)

    def refused(self, xid: int) -> tuple[Flow, Arrival | None] | None:
        """Return the flow whose rule was refused, and the packet that made it; None for any other message."""
        return self._awaiting_barrier.get(xid) or self._unconfirmed.get(xid)

    def polled(self, xid: int) -> int | None:
        """Return the cookie whose counts were asked for by this id, which has been answered in full."""
        cookie = self._polls.pop(xid, None)
        self._poll_next()
        return cookie

    def summed_up(self, xid: int) -> Stopped | None:
        """Return the reason that was asked for by this id."""
        return self._sums.pop(xid, None)

    @property
    def is_summing_up(self) -> bool:
        """Whether a sum that was asked for has not come yet."""
        return bool(self._sums)

    def append(self, message: Any, xid: int = 0) -> None:
        """Add a message of the framework's to what is to be sent."""
        self._pieces.append(messages.serialised(message, xid))
