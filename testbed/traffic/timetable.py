"""Attempts by the clock: each starts at its time, is kept open for its holding time, and is closed again."""

from __future__ import annotations

import collections
import heapq
import itertools
import time
from collections.abc import Collection, Sequence

from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.pending import LONGEST_PAUSE_S, Pending, Sender

CLOSING_S = 2.0
"""Seconds within which the server closes its end after the client."""

Planned = tuple[LiveAttempt, Sequence[float]]


class Timetable(Pending):
    """Attempts that do not wait for one another: they come at a given rate, whatever the gateway does."""

    def __init__(self, sender: Sender, patience: float) -> None:
        super().__init__(sender, patience)
        self._closing: list[tuple[float, int, LiveAttempt]] = []
        self._holding_times: dict[int, float] = {}
        self._order = itertools.count()

    def run(self, planned: Sequence[Planned], began: float | None = None) -> None:
        """Make the planned attempts, given in the order of their start, with start and holding time in seconds.

        They count from `began`, a time of the monotonic clock, and by default from now.
        """
        started = time.monotonic() if began is None else began
        pending = collections.deque(planned)
        while self._goes_on(pending):
            now = time.monotonic()
            while pending and pending[0][1][0] <= now - started:
                attempt, (_, holding_time) = pending.popleft()
                self._holding_times[attempt.number] = holding_time
                self._begin(attempt, self._sender.connect)
            self._sender.poll(self._pause(pending, started), self)
            now = time.monotonic()
            self._give_up(now)
            self._send_again(now)
            self._close(now)
            self._tell(now)
        self._see_them_closed([attempt for attempt, _ in planned])

    def _goes_on(self, pending: Collection[Planned]) -> bool:
        return bool(pending or self._waiting or self._closing)

    def answered(self, attempt: LiveAttempt) -> None:
        """Note that an attempt has its answer. Its holding time begins."""
        self.finish(attempt)
        close_at = attempt.done_at + self._holding_times[attempt.number]
        heapq.heappush(self._closing, (close_at, next(self._order), attempt))

    def _close(self, now: float) -> None:
        while self._closing and self._closing[0][0] <= now:
            self._sender.shut(heapq.heappop(self._closing)[2])

    def _see_them_closed(self, attempts: Sequence[LiveAttempt]) -> None:
        """Wait until the server has closed its end of each attempt, and then close all that are left."""
        deadline = time.monotonic() + CLOSING_S
        closing = [attempt for attempt in attempts if attempt.socket is not None]
        while closing and time.monotonic() < deadline:
            self._sender.poll(LONGEST_PAUSE_S, self)
            closing = [attempt for attempt in closing if attempt.socket is not None]
        for attempt in closing:
            self._sender.forget(attempt)

    def _pause(self, pending: collections.deque[Planned], started: float) -> float:
        """Return the seconds until an attempt is due to start or to close, up to LONGEST_PAUSE_S."""
        due = [pending[0][1][0] + started] if pending else []
        due += [self._closing[0][0]] if self._closing else []
        return min(LONGEST_PAUSE_S, max(0.0, min(due) - time.monotonic())) if due else LONGEST_PAUSE_S
