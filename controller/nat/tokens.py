"""A token bucket: how often something may happen in a second, and how often at once."""

from __future__ import annotations

_ROUNDING = 1e-6


class TokenBucket:
    """Holds up to `burst` tokens, and gains `rate` of them a second."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def has_token(self, now: float) -> bool:
        """Whether a token can be taken."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens >= 1 - _ROUNDING

    def ready_at(self) -> float:
        """Return when a token can be taken, or since when."""
        return self._at + max(0.0, 1 - self._tokens) / self._rate

    def take(self, now: float) -> bool:
        """Take a token, or return False if there is none."""
        if not self.has_token(now):
            return False
        self._tokens -= 1
        return True
