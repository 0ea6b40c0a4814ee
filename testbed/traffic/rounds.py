"""Attempts that start in order, in a window that adapts to how fast they are answered."""

from __future__ import annotations

import collections
import math
import time

from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.pace import Pace
from testbed.traffic.pending import LONGEST_PAUSE_S, Pending, Sender, Start

SILENCE_S = 0.1
SILENCE_LATENCIES = 4
"""An attempt without an answer for SILENCE_S, and for this many times the recent latency, no longer counts against
the window: it may never get an answer. On a slow gateway the latency grows, so the load does not."""
LATENCY_DECAY = 0.99
WINDOW_GROWTH = 4
"""The factor by which silence widens the window, step by step. A late answer ends that, as it was no refusal."""
FULL_AFTER_PATIENCE = 0.25
"""Share of the patience after which a gateway that answers no attempt counts as full, and not as slow. While there
is room for the attempts, it counts as slow, and is not asked faster: a queue in which packets wait for longer than
the patience would never again be short enough."""


class Round(Pending):
    """An action on many attempts at once, each of which waits for an answer."""

    def __init__(
        self, sender: Sender, patience: float, first_window: int, window: int, rate: float | None = None
    ) -> None:
        """Allow up to `window` attempts under way at once, and `rate` starts a second if there is one."""
        super().__init__(sender, patience)
        self._pace = Pace(rate)
        self._in_window = 0
        self._window = self._first_window = first_window
        self._wide_window = window
        self._aging: collections.deque[LiveAttempt] = collections.deque()
        self._latency: float | None = None
        self._answers = 0
        self._has_room = False
        self._started = self._answered_at = self._widened_at = 0.0

    def run(self, attempts: list[LiveAttempt], start: Start, *, has_room: bool = False) -> None:
        """Start the attempts in order, and return when each is answered or given up.

        There may be room for all of them. A round can run several times, and knows from before how fast attempts
        are answered.
        """
        self._has_room = has_room
        if not self._answers:
            self._started = time.monotonic()
        self._tell_at = 0.0
        pending = collections.deque(attempts)
        while pending or self._waiting:
            while pending and self._in_window < self._window and self._pace.is_due(time.monotonic()):
                self._start(pending.popleft(), start)
            pause = self._pace.wait(time.monotonic()) if pending and self._in_window < self._window else math.inf
            self._sender.poll(min(LONGEST_PAUSE_S, pause), self)
            now = time.monotonic()
            self._age(now)
            self._give_up(now)
            self._send_again(now)
            self._tell(now)

    def _start(self, attempt: LiveAttempt, start: Start) -> None:
        attempt.counted = True
        self._in_window += 1
        self._aging.append(attempt)
        self._begin(attempt, start)
        self._pace.start(attempt.sent_at)

    def finish(self, attempt: LiveAttempt) -> None:
        """Note that an attempt no longer waits for an answer, nor counts against the window."""
        super().finish(attempt)
        self._leave_window(attempt)

    def answered(self, attempt: LiveAttempt) -> None:
        """Note that an attempt has its answer, and its latency."""
        if not attempt.counted:
            self._window = self._first_window
        self.finish(attempt)
        self._answers += 1
        self._answered_at = attempt.done_at
        self._latency = max((self._latency or 0.0) * LATENCY_DECAY, attempt.done_at - attempt.sent_at)

    def _leave_window(self, attempt: LiveAttempt) -> None:
        if attempt.counted:
            attempt.counted = False
            self._in_window -= 1

    def _age(self, now: float) -> None:
        """Take attempts without an answer out of the window, and widen it, once a latency is known."""
        if self._latency is None:
            return
        silence, widest = max(SILENCE_S, SILENCE_LATENCIES * self._latency), self._wide_window
        full_after = self._patience * FULL_AFTER_PATIENCE
        if now - self._answered_at >= full_after:
            if self._has_room:
                silence = max(silence, full_after)
            else:
                silence = min(silence, full_after)
                widest = max(widest, round(self._rate() * silence))
        some_are_silent = False
        while self._aging and (not self._aging[0].counted or now - self._aging[0].sent_at >= silence):
            attempt = self._aging.popleft()
            some_are_silent = some_are_silent or attempt.counted
            self._leave_window(attempt)
        if some_are_silent and now - self._widened_at >= silence:
            self._widened_at = now
            self._window = min(widest, self._window * WINDOW_GROWTH)

    def _rate(self) -> float:
        """Return the attempts a second that were answered, from the start to the last answer.

        A full gateway is asked as fast as it answered, and no faster. If each attempt stays in the window for a
        time, the window holds this rate times that time (Little's law).
        """
        return self._answers / (self._answered_at - self._started) if self._answers else 0.0

    def _give_up(self, now: float) -> None:
        done = self.done
        super()._give_up(now)
        if self.done > done:
            self._latency = self._latency or 0.0


class Closing(Round):
    """A round that closes connections: the other side's end is the answer."""

    def ended(self, attempt: LiveAttempt) -> None:
        """Note that the other side has closed too, and how long that took."""
        self.answered(attempt)
