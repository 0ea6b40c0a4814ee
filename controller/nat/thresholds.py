"""Usage thresholds: one event when usage has become high, one when it is low again (RFC 8512)."""

from __future__ import annotations

from controller.nat.events import ThresholdReached
from controller.nat.model import Protocol
from controller.nat.settings import NatSettings


class Thresholds:
    """Watches one protocol's share of the pool. A share that moves between the two thresholds raises no event.

    Where ports overlap, the share may be more than 100 %.
    """

    def __init__(self, protocol: Protocol, settings: NatSettings) -> None:
        capacity = settings.capacity
        self._protocol = protocol
        self._low = capacity * settings.pool_usage_low / 100
        self._high = capacity * settings.pool_usage_high / 100
        self._is_high = False

    def adopt(self, other: Thresholds) -> None:
        """Take over whether usage counts as high. By other thresholds, the next change of usage tells anew."""
        self._is_high = other._is_high

    def watch(self, allocated: int) -> ThresholdReached | None:
        """Return the event that this number of allocated ports raises, if any."""
        crossed = allocated <= self._low if self._is_high else allocated >= self._high
        if not crossed:
            return None
        self._is_high = not self._is_high
        return ThresholdReached(self._protocol, self._is_high, allocated)
