"""What attempts under way have in common: each is started, sent again if need be, and answered or given up.

Nothing here knows sockets. A sender starts an attempt, sends its hello again, or gives it up.
"""

from __future__ import annotations

import collections
import time
from collections.abc import Callable
from typing import Any, Protocol

from testbed.traffic.attempt import LiveAttempt

RESEND_S = 0.5
"""Seconds after which a datagram is sent again, since any network may lose one."""
TELL_EVERY_S = 0.1
LONGEST_PAUSE_S = 0.02

Start = Callable[[LiveAttempt], None]


class Orders(Protocol):
    """The receiver of records about the progress."""

    def tell(self, **fields: Any) -> None:
        """Send a record with these fields."""


class Sender(Protocol):
    """The owner of the attempts' sockets."""

    is_stream: bool

    @property
    def orders(self) -> Orders:
        """The receiver of the progress."""

    def poll(self, pause: float, current: Pending) -> None:
        """Wait up to `pause` seconds for answers, and hand them to `current`."""

    def connect(self, attempt: LiveAttempt) -> None:
        """Open an attempt's socket and begin to connect. Raises OSError."""

    def say(self, attempt: LiveAttempt) -> None:
        """Send the attempt's hello once more."""

    def give_up(self, attempt: LiveAttempt) -> None:
        """Note that no answer came in time."""

    def fail(self, attempt: LiveAttempt, error: OSError) -> None:
        """Note the outcome of an attempt that an error has ended."""

    def shut(self, attempt: LiveAttempt) -> None:
        """Close an attempt in an orderly way."""

    def forget(self, attempt: LiveAttempt) -> None:
        """Close an attempt at once."""


class Pending:
    """Attempts under way, each of which waits for an answer for at most `patience` seconds.

    Before attempts are given up, there is one more look for answers: where this process itself was late, they may
    have come in time and wait to be taken.
    """

    def __init__(self, sender: Sender, patience: float) -> None:
        self._sender = sender
        self._patience = patience
        self._unanswered: collections.deque[LiveAttempt] = collections.deque()
        self._resend: collections.deque[tuple[float, LiveAttempt]] = collections.deque()
        self._waiting = 0
        self._tell_at = 0.0
        self.done = 0

    def finish(self, attempt: LiveAttempt) -> None:
        """Note that an attempt no longer waits for an answer."""
        attempt.waiting = False
        attempt.done_at = time.monotonic()
        self._waiting -= 1
        self.done += 1

    def ended(self, attempt: LiveAttempt) -> None:
        """Note that the other side, or an error, has ended an attempt that waited for an answer."""
        self.finish(attempt)

    def answered(self, attempt: LiveAttempt) -> None:
        """Note that an attempt has its answer."""
        self.finish(attempt)

    def _begin(self, attempt: LiveAttempt, start: Start) -> None:
        attempt.sent_at = attempt.asked_at = time.monotonic()
        attempt.waiting = True
        self._waiting += 1
        self._unanswered.append(attempt)
        if not self._sender.is_stream:
            self._resend.append((attempt.sent_at + RESEND_S, attempt))
        try:
            start(attempt)
        except OSError as error:
            self._sender.fail(attempt, error)
            self.finish(attempt)

    def _give_up(self, now: float) -> None:
        waiting = self._unanswered
        while waiting and not waiting[0].waiting:
            waiting.popleft()
        if not waiting or now - waiting[0].asked_at < self._patience:
            return
        self._sender.poll(0.0, self)
        while waiting and (not waiting[0].waiting or now - waiting[0].asked_at >= self._patience):
            attempt = waiting.popleft()
            if attempt.waiting:
                self._sender.give_up(attempt)
                self.finish(attempt)

    def _send_again(self, now: float) -> None:
        while self._resend and (not self._resend[0][1].waiting or self._resend[0][0] <= now):
            _, attempt = self._resend.popleft()
            if attempt.waiting:
                attempt.retransmissions += 1
                self._sender.say(attempt)
                self._resend.append((now + RESEND_S, attempt))

    def _tell(self, now: float) -> None:
        if now >= self._tell_at:
            self._tell_at = now + TELL_EVERY_S
            self._sender.orders.tell(done=self.done)
