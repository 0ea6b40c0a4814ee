"""Attempts by the clock: each starts at its time, is held for its holding time, and is closed again."""

from __future__ import annotations

import collections
import heapq
import itertools
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scenarios.traffic.attempt import Attempt
from scenarios.traffic.rounds import LONGEST_PAUSE_S, RESEND_S, TELL_EVERY_S

if TYPE_CHECKING:
    from scenarios.traffic.client import Client

CLOSING_S = 2.0
"""Within which the server closes its end after the client."""

Planned = tuple[Attempt, Sequence[float]]


class Timetable:
    """Attempts that do not wait for one another: a rate offered, whatever the gateway makes of it."""

    def __init__(self, client: Client, patience: float) -> None:
        self._client = client
        self._patience = patience
        self._waiting: collections.deque[Attempt] = collections.deque()
        self._resend: collections.deque[tuple[float, Attempt]] = collections.deque()
        self._closing: list[tuple[float, int, Attempt]] = []
        self._holding_times: dict[int, float] = {}
        self._order = itertools.count()
        self._under_way = 0
        self.done = 0

    def run(self, planned: Sequence[Planned]) -> None:
        """Carry out the plan: attempts with their start and holding time in seconds, by start."""
        started, tell_at = time.monotonic(), 0.0
        pending = collections.deque(planned)
        while pending or self._under_way or self._closing:
            now = time.monotonic()
            while pending and pending[0][1][0] <= now - started:
                attempt, (_, holding_time) = pending.popleft()
                self._start(attempt, holding_time)
            self._client.poll(self._pause(pending, started), self)
            now = time.monotonic()
            self._give_up(now)
            self._send_again(now)
            self._close(now)
            if now >= tell_at:
                tell_at = now + TELL_EVERY_S
                self._client.orders.tell(done=self.done)
        self._see_them_closed([attempt for attempt, _ in planned])

    def _start(self, attempt: Attempt, holding_time: float) -> None:
        attempt.sent_at = time.monotonic()
        attempt.waiting = True
        self._holding_times[attempt.number] = holding_time
        self._under_way += 1
        self._waiting.append(attempt)
        if not self._client.is_stream:
            self._resend.append((attempt.sent_at + RESEND_S, attempt))
        try:
            self._client.connect(attempt)
        except OSError as error:
            self._client.fail(attempt, error)
            self.finish(attempt)

    def finish(self, attempt: Attempt) -> None:
        """Take note that an attempt waits no longer."""
        attempt.waiting = False
        attempt.done_at = time.monotonic()
        self._under_way -= 1
        self.done += 1

    def ended(self, attempt: Attempt) -> None:
        """Take note that the other side, or an error, has ended an attempt that waited."""
        self.finish(attempt)

    def answered(self, attempt: Attempt) -> None:
        """Take note of an answer; the attempt is held from now on."""
        self.finish(attempt)
        close_at = attempt.done_at + self._holding_times[attempt.number]
        heapq.heappush(self._closing, (close_at, next(self._order), attempt))

    def _give_up(self, now: float) -> None:
        waiting = self._waiting
        while waiting and (not waiting[0].waiting or now - waiting[0].sent_at >= self._patience):
            attempt = waiting.popleft()
            if attempt.waiting:
                self._client.give_up(attempt)
                self.finish(attempt)

    def _send_again(self, now: float) -> None:
        while self._resend and (not self._resend[0][1].waiting or self._resend[0][0] <= now):
            _, attempt = self._resend.popleft()
            if attempt.waiting:
                attempt.retransmissions += 1
                self._client.say(attempt)
                self._resend.append((now + RESEND_S, attempt))

    def _close(self, now: float) -> None:
        while self._closing and self._closing[0][0] <= now:
            self._client.shut(heapq.heappop(self._closing)[2])

    def _see_them_closed(self, attempts: Sequence[Attempt]) -> None:
        """Wait for the other side's end of what has been closed, and let go of all."""
        deadline = time.monotonic() + CLOSING_S
        closing = [attempt for attempt in attempts if attempt.socket is not None]
        while closing and time.monotonic() < deadline:
            self._client.poll(LONGEST_PAUSE_S, self)
            closing = [attempt for attempt in closing if attempt.socket is not None]
        for attempt in closing:
            self._client.forget(attempt)

    def _pause(self, pending: collections.deque[Planned], started: float) -> float:
        """How long nothing can happen but answers, in seconds."""
        due = [pending[0][1][0] + started] if pending else []
        due += [self._closing[0][0]] if self._closing else []
        return min(LONGEST_PAUSE_S, max(0.0, min(due) - time.monotonic())) if due else LONGEST_PAUSE_S
