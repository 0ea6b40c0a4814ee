"""How a client meets many answers at once: attempts started in order, in a window that adapts, or by the clock.

Nothing here knows sockets: the client starts an attempt, says something on it again, or gives it up.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from scenarios.traffic.attempt import Attempt

if TYPE_CHECKING:
    from scenarios.traffic.client import Client

SILENCE_S = 0.1
SILENCE_LATENCIES = 4
"""An attempt that has waited for so long, and for so many times the latency of late, leaves the window: it may
never get an answer. On a slow gateway the latency grows, so the load does not."""
LATENCY_DECAY = 0.99
WINDOW_GROWTH = 4
"""Silence widens the window step by step; an answer that comes after all ends that: it was no refusal."""
FULL_AFTER_PATIENCE = 0.25
"""Share of the patience after which a gateway that answers nobody counts as full, and not as slow."""
RESEND_S = 0.5
"""A datagram may be lost on any network: it is sent again after this long."""
TELL_EVERY_S = 0.1
LONGEST_PAUSE_S = 0.02


class Round:
    """Something done with many attempts at once, each of which waits for an answer."""

    def __init__(self, client: Client, patience: float, first_window: int, window: int) -> None:
        self._client = client
        self._patience = patience
        self._in_window = 0
        self._window = self._first_window = first_window
        self._wide_window = window
        self._aging: collections.deque[Attempt] = collections.deque()
        self._unanswered: collections.deque[Attempt] = collections.deque()
        self._resend: collections.deque[tuple[float, Attempt]] = collections.deque()
        self._waiting = 0
        self._latency: float | None = None
        self._answers = 0
        self._started = self._answered_at = self._widened_at = 0.0
        self.done = 0

    def run(self, attempts: list[Attempt], start: Callable[[Attempt], None], *, ahead: int = 0) -> None:
        """Start the attempts in order, and return when each is answered or given up.

        The first `ahead` of them are over before any other begins: one that is late is overtaken by none of those.
        """
        self._started = time.monotonic()
        for part in (attempts[:ahead], attempts[ahead:]):
            self._run(collections.deque(part), start)

    def _run(self, pending: collections.deque[Attempt], start: Callable[[Attempt], None]) -> None:
        tell_at = 0.0
        while pending or self._waiting:
            while pending and self._in_window < self._window:
                self._start(pending.popleft(), start)
            self._client.poll(LONGEST_PAUSE_S, self)
            now = time.monotonic()
            self._age(now)
            self._give_up(now)
            self._send_again(now)
            if now >= tell_at:
                tell_at = now + TELL_EVERY_S
                self._client.orders.tell(done=self.done)

    def _start(self, attempt: Attempt, start: Callable[[Attempt], None]) -> None:
        attempt.sent_at = time.monotonic()
        attempt.waiting = attempt.counted = True
        self._in_window += 1
        self._waiting += 1
        self._aging.append(attempt)
        self._unanswered.append(attempt)
        if not self._client.is_stream:
            self._resend.append((attempt.sent_at + RESEND_S, attempt))
        try:
            start(attempt)
        except OSError as error:
            self._client.fail(attempt, error)
            self.finish(attempt)

    def finish(self, attempt: Attempt) -> None:
        """Take note that an attempt waits no longer."""
        attempt.waiting = False
        attempt.done_at = time.monotonic()
        self._waiting -= 1
        self.done += 1
        self._leave_window(attempt)

    def ended(self, attempt: Attempt) -> None:
        """Take note that the other side, or an error, has ended an attempt that waited."""
        self.finish(attempt)

    def answered(self, attempt: Attempt) -> None:
        """Take note of an answer, and of how long it took."""
        if not attempt.counted:
            self._window = self._first_window
        self.finish(attempt)
        self._answers += 1
        self._answered_at = attempt.done_at
        self._latency = max((self._latency or 0.0) * LATENCY_DECAY, attempt.done_at - attempt.sent_at)

    def _leave_window(self, attempt: Attempt) -> None:
        if attempt.counted:
            attempt.counted = False
            self._in_window -= 1

    def _age(self, now: float) -> None:
        """Let attempts that stay silent leave the window, and widen it; not before anything is known."""
        if self._latency is None:
            return
        silence, widest = max(SILENCE_S, SILENCE_LATENCIES * self._latency), self._wide_window
        full_after = self._patience * FULL_AFTER_PATIENCE
        if now - self._answered_at >= full_after:
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
        """Return how many attempts a second were answered, while some were.

        A full gateway is asked as fast as it answered, no faster: a window in which each stays for a time lets in
        so many in that time (Little's law).
        """
        return self._answers / (self._answered_at - self._started) if self._answers else 0.0

    def _give_up(self, now: float) -> None:
        waiting = self._unanswered
        while waiting and (not waiting[0].waiting or now - waiting[0].sent_at >= self._patience):
            attempt = waiting.popleft()
            if attempt.waiting:
                self._client.give_up(attempt)
                self.finish(attempt)
                self._latency = self._latency or 0.0

    def _send_again(self, now: float) -> None:
        while self._resend and (not self._resend[0][1].waiting or self._resend[0][0] <= now):
            _, attempt = self._resend.popleft()
            if attempt.waiting:
                attempt.retransmissions += 1
                self._client.say(attempt)
                self._resend.append((now + RESEND_S, attempt))


class Closing(Round):
    """Connections that are closed: the other side's end is the answer."""

    def ended(self, attempt: Attempt) -> None:
        """Take note of it, and of how long it took."""
        self.answered(attempt)
