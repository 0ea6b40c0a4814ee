"""How sure a share is: its 95 % interval by batch means.

What becomes of one attempt depends on those shortly before it, so attempts are no independent draws. Long batches
of them nearly are, and what is left of their correlation widens the interval (Geyer's initial positive sequence).
When there are too many batches, each two become one of twice the length. So memory is bounded, and batches grow
with the run.

A share of which nothing was seen has an interval as well. With 95 % certainty fewer than three such events were to
be expected (the rule of three). Refusals come in clusters, so an event is a cluster of them.
"""

from __future__ import annotations

import math

MOST_BATCHES = 64
LEAST_BATCHES = 20
Z = 1.959964
"""The 97.5 % quantile of the normal distribution."""


class BatchMeans:
    """The attempts of batches, and those of them that were refused."""

    def __init__(self, cluster: float = 1.0) -> None:
        """Begin without a batch; `cluster` is the number of refusals that come together."""
        self._cluster = cluster
        self._batches: list[tuple[int, int]] = []
        self._joined = 1
        self._open = (0, 0, 0)
        self.offered = self.refused = 0

    def add(self, offered: int, refused: int) -> None:
        """Take the next batch of attempts."""
        self.offered += offered
        self.refused += refused
        pieces, attempts, misses = self._open
        self._open = pieces + 1, attempts + offered, misses + refused
        if self._open[0] == self._joined:
            self._batches.append(self._open[1:])
            self._open = (0, 0, 0)
        if len(self._batches) == MOST_BATCHES:
            pairs = zip(self._batches[::2], self._batches[1::2], strict=True)
            self._batches = [(a + c, b + d) for (a, b), (c, d) in pairs]
            self._joined *= 2

    @property
    def share(self) -> float:
        """The share of attempts that were refused."""
        return self.refused / self.offered if self.offered else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share. Without enough batches it is everything."""
        if len(self._batches) < LEAST_BATCHES:
            return 0.0, 1.0
        if not self.refused:
            return 0.0, min(1.0, 3 * self._cluster / self.offered)
        half = self._half()
        return max(0.0, self.share - half), min(1.0, self.share + half)

    def is_within(self, half: float) -> bool:
        """Whether half of the interval is at most `half`."""
        low, high = self.interval
        return len(self._batches) >= LEAST_BATCHES and (high - low) / 2 <= half

    def _half(self) -> float:
        count, share = len(self._batches), self.share
        residuals = [misses - share * attempts for attempts, misses in self._batches]
        attempts = sum(attempts for attempts, _ in self._batches) / count
        variance = _correlated(residuals) / (count - 1)
        return student(count - 1) * math.sqrt(variance / count) / attempts


def _correlated(residuals: list[float]) -> float:
    """Return the sum of squares, with twice the products at each distance while their sum is positive."""
    total = sum(each * each for each in residuals)
    for distance in range(1, len(residuals) // 4):
        products = sum(a * b for a, b in zip(residuals, residuals[distance:], strict=False))
        if products <= 0:
            break
        total += 2 * products
    return total


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's distribution (Abramowitz and Stegun 26.7.5)."""
    first = (Z**3 + Z) / 4
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    return Z + first / freedom + second / freedom**2
