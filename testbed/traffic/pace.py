"""A pace: at most a number of starts in a second, evenly spread, or as fast as they come."""

from __future__ import annotations


class Pace:
    """Decides when the next start is due. A start that was late moves all later ones: none is caught up on."""

    def __init__(self, per_second: float | None = None) -> None:
        """Allow `per_second` starts a second, or any number."""
        self._gap = 0.0 if per_second is None else 1.0 / per_second
        self._next = 0.0

    def is_due(self, now: float) -> bool:
        """Whether a start may be made now."""
        return now >= self._next

    def start(self, now: float) -> None:
        """Note a start."""
        self._next = now + self._gap

    def wait(self, now: float) -> float:
        """Return the seconds until the next start is due."""
        return max(0.0, self._next - now)
