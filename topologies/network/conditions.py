"""What a link does to frames besides carrying them: delay, jitter, loss, reordering, and a rate.

The meaning is that of netem (tc-netem(8)), whichever way applies them. Each frame is lost with the same chance,
whatever became of the one before. A frame takes `delay`, give or take up to `jitter`, so jitter alone changes the
order of frames, but not where there is a rate. A share of the frames, `reordering`, is not delayed at all, and so
overtakes others. With a rate, frames wait in a queue, and one that finds no room in it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

WAITING = 1000
"""The frames that may wait for a link with a rate: as many as netem keeps unless it is told otherwise."""
UNDER_WAY = 100_000
"""The frames that may be under way on a link without a rate, so that no delay loses any."""
FULL_FRAME_BITS = 12_000


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a link, the same each way: seconds, shares from 0 to 1, and bits a second."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    reordering: float = 0.0
    rate: float | None = None

    @property
    def longest(self) -> float:
        """The most seconds for which a frame is under way, besides its wait for the rate."""
        return self.delay + self.jitter

    @property
    def room(self) -> int:
        """The most frames that the link holds: those that wait for the rate, and those that are under way."""
        return UNDER_WAY if self.rate is None else WAITING + int(self.rate * self.longest / FULL_FRAME_BITS)


AS_EVER = Conditions()
"""The conditions of a link that nobody has set."""
