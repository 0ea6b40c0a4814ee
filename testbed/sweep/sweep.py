"""A sweep: which point comes next, and what the results say of each combination.

The first repetition of every combination comes before the second of any. So a sweep that ends early has something
of each. With `until`, a combination is repeated no more once half of the interval of its first measure is at most
that: after `LEAST` repetitions at the earliest, since fewer may agree by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.sweep.estimates import difference, estimate
from testbed.sweep.grid import Combination, Grid
from testbed.sweep.log import Done, Log
from testbed.sweep.point import Point, Subject

LEAST = 3
"""The repetitions after which a combination may be narrow enough."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """A subject, the grid of what differs, and how often each combination is repeated."""

    subject: Subject
    grid: Grid
    repeat: int
    seed: int
    measures: Sequence[str]
    until: float | None = None

    @property
    def combinations(self) -> list[Combination]:
        """Every combination."""
        return self.grid.combinations()

    @property
    def size(self) -> int:
        """The points at most."""
        return len(self.combinations) * self.repeat

    def waiting(self, log: Log) -> Iterator[Point]:
        """Yield the points that are still to do, with a look at what is done meanwhile."""
        for number in range(self.repeat):
            for combination in self.combinations:
                point = Point(combination, self.seed + number)
                if not log.has(point) and not self.is_narrow(log.of(combination)):
                    yield point

    def is_narrow(self, done: Sequence[Done]) -> bool:
        """Whether a combination need not be repeated any more."""
        if self.until is None:
            return False
        values = [each.measured[self.measures[0]] for each in done if self.measures[0] in each.measured]
        return len(values) >= LEAST and estimate(values).half <= self.until

    def rows(self, log: Log) -> list[dict[str, Any]]:
        """Return what was found of each combination that has a point; differences are to the first of them."""
        rows: list[dict[str, Any]] = []
        base: dict[str, dict[int, float]] | None = None
        for combination in self.combinations:
            done = log.of(combination)
            if not done:
                continue
            own = {name: _by_seed(done, name) for name in self.measures}
            rows.append(
                {
                    "point": combination,
                    "repetitions": len(done),
                    "verdicts": _counted(done),
                    "measures": {name: _row(done, name, own[name], base) for name in self.measures if own[name]},
                }
            )
            base = base or own
        return rows


def _by_seed(done: Sequence[Done], name: str) -> dict[int, float]:
    return {each.point.seed: each.measured[name][0] for each in done if name in each.measured}


def _row(
    done: Sequence[Done], name: str, own: Mapping[int, float], base: Mapping[str, Mapping[int, float]] | None
) -> dict[str, Any]:
    found = estimate([each.measured[name] for each in done if name in each.measured])
    apart = difference(own, base[name]) if base else None
    return {**found.as_json(), "difference": apart and apart.as_json()}


def _counted(done: Sequence[Done]) -> dict[str, int]:
    verdicts = [each.verdict for each in done]
    return {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
