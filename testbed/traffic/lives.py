"""Attempts by the clock whose connections are in use for all of their lives, and end in different ways.

A connection sends something now and then, so that no idle timer takes it for over, and something at its very end.
A life that is shorter than one exchange has no more than this exchange: a query and its answer. When the last
attempt is answered or given up, all is over.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.pending import Sender
from testbed.traffic.records import Parting
from testbed.traffic.timetable import Planned, Timetable

GRACE_S = 0.3
"""The seconds after its last datagram for which a socket stays, so that the answer does not find it closed."""
EXCHANGE_S = 0.05
"""A life up to this one has no last words: the first exchange was all."""

Life = tuple[float, float, float, str]
"""When an attempt starts, the seconds for which its connection lasts, how often it sends, and how it ends."""


class Parter(Sender, Protocol):
    """A sender that can also end a connection in other ways than the orderly one."""

    def reset(self, attempt: LiveAttempt) -> None:
        """End an attempt by a RST."""

    def vanish(self, attempt: LiveAttempt) -> None:
        """End an attempt without a packet."""


class Lives(Timetable):
    """Attempts that start by the clock, live, and part as they were told to."""

    def __init__(self, sender: Parter, patience: float, lives: Mapping[int, Life]) -> None:
        super().__init__(sender, patience)
        self._parter = sender
        self._lives = lives
        self._ends: dict[int, float] = {}
        self._parted: set[int] = set()

    def live(self, attempts: Sequence[LiveAttempt], began: float) -> None:
        """Make these attempts, given in the order of their start. All times count from `began`."""
        self.run([(attempt, self._lives[attempt.number][:2]) for attempt in attempts], began)

    def _goes_on(self, pending: Collection[Planned]) -> bool:
        return bool(pending or self._waiting)

    def _see_them_closed(self, attempts: Sequence[LiveAttempt]) -> None:
        for attempt in attempts:
            self._parter.forget(attempt)

    def answered(self, attempt: LiveAttempt) -> None:
        """Note that an attempt has its answer. Its life begins."""
        self.finish(attempt)
        self._ends[attempt.number] = attempt.done_at + self._lives[attempt.number][1]
        self._look_again(attempt, attempt.done_at)

    def _look_again(self, attempt: LiveAttempt, now: float) -> None:
        talks = self._lives[attempt.number][2]
        self._at(min(self._ends[attempt.number], now + talks), attempt)

    def _at(self, due: float, attempt: LiveAttempt) -> None:
        heapq.heappush(self._closing, (due, next(self._order), attempt))

    def _close(self, now: float) -> None:
        while self._closing and self._closing[0][0] <= now:
            _, _, attempt = heapq.heappop(self._closing)
            if attempt.socket is None:
                continue
            if attempt.number in self._parted:
                self._parter.forget(attempt)
            elif now < self._ends[attempt.number]:
                self._parter.say(attempt)
                self._look_again(attempt, now)
            else:
                self._part(attempt, now)

    def _part(self, attempt: LiveAttempt, now: float) -> None:
        _, lasts, _, parting = self._lives[attempt.number]
        if parting == Parting.RESET:
            self._parter.reset(attempt)
        elif self._parter.is_stream:
            part = self._parter.shut if parting == Parting.CLOSE else self._parter.vanish
            part(attempt)
        else:
            if lasts > EXCHANGE_S:
                self._parter.say(attempt)
            self._parted.add(attempt.number)
            self._at(now + GRACE_S, attempt)
