"""SYNs from outside that no mapping or filter lets in: remembered for a while, then answered (RFC 5382 REQ-4).

Two hosts behind NATs may open a connection to each other at once. The SYN that comes first meets a NAT that knows
nothing of the connection yet. An answer would end the attempt, so there is none for some seconds. If the inside
opens the connection meanwhile, the SYN is forgotten, and the next one of its sender passes. Otherwise it is given
back, and its sender gets an ICMP error.

A SYN that is sent again starts no time of its own. The number that is remembered is bounded, and a SYN beyond it
gets no answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from controller.nat.model import TCP, Endpoint, Flow
from controller.nat.timers import Timed, TimerQueue

MOST = 1024
"""The number of SYNs that are remembered."""

Frame = TypeVar("Frame")


class _Syn(Timed, Generic[Frame]):
    __slots__ = ("connection", "frame")

    def __init__(self, connection: tuple[Endpoint, Endpoint], frame: Frame) -> None:
        super().__init__()
        self.connection = connection
        self.frame = frame


class Unsolicited(Generic[Frame]):
    """Remembers SYNs with their frames, by external endpoint and sender."""

    def __init__(self, timeout: float | None) -> None:
        """Remember each SYN for `timeout` seconds; None remembers, and so answers, none (RFC 5382 REQ-4A)."""
        self._timers: TimerQueue[_Syn[Frame]] = TimerQueue(timeout or 0.0)
        self._most = 0 if timeout is None else MOST
        self.remembered: dict[tuple[Endpoint, Endpoint], _Syn[Frame]] = {}

    def remember(self, external: Endpoint, sender: Endpoint, frame: Frame, now: float) -> None:
        """Take note of a SYN that was dropped."""
        connection = (external, sender)
        if connection not in self.remembered and len(self.remembered) < self._most:
            syn = self.remembered[connection] = _Syn(connection, frame)
            self._timers.arm(syn, now)

    def opened(self, flow: Flow) -> None:
        """Forget the SYN of a connection that the inside opens. A flow of another protocol is none."""
        is_tcp = flow.mapping.protocol is TCP
        syn = self.remembered.pop((flow.mapping.external, flow.peer), None) if is_tcp else None
        if syn is not None:
            self._timers.disarm(syn)

    def due(self, now: float) -> Iterator[Frame]:
        """Forget and yield each SYN that has got no answer for its time."""
        for syn in self._timers.due(now):
            del self.remembered[syn.connection]
            yield syn.frame
