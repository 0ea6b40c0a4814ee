"""How long the switch takes to answer the controller, by echo requests (OpenFlow 1.3 section A.5.2 and A.5.3).

The answer waits behind all packets that wait for the controller. So the longest time that one took is the longest
that a packet of this run may have waited for a decision. The clock is the caller's.
"""

from __future__ import annotations

ASK_EVERY_S = 0.25
"""The time between two echo requests. While one is not answered, there is no other."""


class Latency:
    """The echo request that is under way, if any, and the longest that one took so far."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self._next_at = 0.0
        self._longest = 0.0

    def is_due(self, now: float) -> bool:
        """Return whether an echo request is to be sent now, which counts as sent."""
        if self._asked_at is not None or now < self._next_at:
            return False
        self._asked_at, self._next_at = now, now + ASK_EVERY_S
        return True

    def answered(self, now: float) -> None:
        """Take note of the answer."""
        self._longest, self._asked_at = self.longest(now), None

    def restarted(self, now: float) -> None:
        """Take note of a new connection, on which nothing was asked yet."""
        self.answered(now)

    def longest(self, now: float) -> float:
        """Return the longest time in seconds until an answer, with the one under way."""
        return max(self._longest, 0.0 if self._asked_at is None else now - self._asked_at)
