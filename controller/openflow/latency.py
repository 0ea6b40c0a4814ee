"""How long a packet may wait for a decision: by echo requests (OpenFlow 1.3 section A.5), and by late ticks.

The switch's answer to an echo request waits behind all packets that wait for the controller. Where the controller
itself stands still, its next tick is late, and a packet that came meanwhile has waited for as long. The clock is
the caller's.
"""

from __future__ import annotations

ASK_EVERY_S = 0.25
"""The time between two echo requests. While one is not answered, there is no other."""


class Latency:
    """The echo request that is under way, if any, and the longest wait so far. Ticks come each `tick` seconds."""

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._ticked_at: float | None = None
        self._asked_at: float | None = None
        self._next_at = 0.0
        self._longest = 0.0

    def ticks(self, now: float) -> bool:
        """Take note of a tick. Return whether an echo request is to be sent, which counts as sent."""
        if self._ticked_at is not None:
            self._longest = max(self._longest, now - self._ticked_at - self._tick)
        self._ticked_at = now
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
        """Return the longest wait in seconds, with that for the answer under way."""
        return max(self._longest, 0.0 if self._asked_at is None else now - self._asked_at)
