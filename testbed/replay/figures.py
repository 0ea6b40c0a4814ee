"""The shares that stand beside one another, each with its interval, and by how much two of them may differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from testbed.experiment.expectations import Expectation, between
from testbed.plan.interval import BatchMeans
from testbed.plan.scaled import LEAST_COUNTED

BATCHES = 32
COUPLED, FEW = 0.01, 3
"""The share, and the number of attempts besides, by which the wire may differ from the very same attempts in the
core: some come and go in another order, where milliseconds decide."""


class TooFewError(Exception):
    """So few attempts are counted that any share of them would be as in the core."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the shares that stand beside one another."""

    name: str
    refused_share: float
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        """Return it as results have it."""
        return {"figure": self.name, "refused_share": self.refused_share, "interval": [self.low, self.high]}


def exactly(name: str, share: float) -> Figure:
    """Return a figure that has no interval."""
    return Figure(name, share, share, share)


def figure(name: str, refused: Sequence[bool]) -> Figure:
    """Return the share of these attempts, given in the order of time, that were refused."""
    means, size = BatchMeans(), max(1, len(refused) // BATCHES)
    for start in range(0, len(refused) - size + 1, size):
        batch = refused[start : start + size]
        means.add(len(batch), sum(batch))
    return Figure(name, sum(refused) / max(1, len(refused)), *means.interval)


def coupled(attempts: int) -> float:
    """Return by how much the share of the wire may differ from that of the same attempts in the core."""
    return COUPLED + FEW / max(1, attempts)


def near(shares: Sequence[float], attempts: int) -> Expectation | float:
    """Return the range of the shares that the wire may have, given those that the core has."""
    few = coupled(attempts)
    return between(max(0.0, round(min(shares) - few, 4)), min(1.0, round(max(shares) + few, 4)))


def require_enough(attempts: int) -> None:
    """Raise TooFewError if the attempts that are counted would show nothing."""
    if attempts < LEAST_COUNTED:
        raise TooFewError(
            f"{attempts} attempts would be counted, and fewer than {LEAST_COUNTED} show nothing; take a plan with "
            "more of them, or a greater measured"
        )
