"""The curve of refusals against utilisation, for an observed run as for a simulated one.

Either run is a sequence of attempts, each served or refused, and no connection ever ends. So the utilisation that
an attempt meets is the share of the ports that earlier attempts have got.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scenarios.shared.models.linux_search import simulate

SIMULATED = 600_000
"""Attempts that are simulated for one prediction, which takes about a second."""
FEWEST_SIMULATIONS, MOST_SIMULATIONS = 24, 200
DEVIATIONS, SLACK = 5.5, 3
"""How far from the predicted mean a count may be: DEVIATIONS standard deviations, and SLACK more, for counts that
are too small to be normally distributed. The deviation is itself estimated, at worst from FEWEST_SIMULATIONS. By
Student's distribution, a search as predicted is then outside in less than one of 50,000 runs."""


@dataclass(frozen=True, slots=True)
class Row:
    """The attempts that met a utilisation between this one and the next row's. At 1 the range is full."""

    utilisation: float
    attempts: float
    refused: float


def rows(served: Sequence[bool], ports: int, steps: int) -> list[Row]:
    """Return the curve in `steps` steps of utilisation, and one row for the attempts that met a full range."""
    attempts, refused = [0] * (steps + 1), [0] * (steps + 1)
    for utilisation, was_served in _met(served, ports):
        step = int(utilisation * steps)
        attempts[step] += 1
        refused[step] += not was_served
    return [Row(step / steps, attempts[step], refused[step]) for step in range(steps + 1) if attempts[step]]


def first_refusal(served: Sequence[bool], ports: int) -> float | None:
    """Return the utilisation that the first refused attempt met, or None if no attempt was refused."""
    return next((utilisation for utilisation, was_served in _met(served, ports) if not was_served), None)


def _met(served: Sequence[bool], ports: int) -> Iterator[tuple[float, bool]]:
    """Yield for each attempt the utilisation that it met, and whether it was served."""
    taken = 0
    for was_served in served:
        yield min(1.0, taken / ports), was_served
        taken += was_served


@dataclass(frozen=True, slots=True)
class Prediction:
    """The curve and the counts that a search for ports ought to lead to."""

    rows: list[Row]
    first_refusal: float | None
    """The median utilisation of the first refusal, or None if most runs have no refusal."""
    low: int
    """The fewest refusals to expect among the first attempts, of which there is one for each port."""
    high: int
    """The most refusals to expect among them."""

    @classmethod
    def of(
        cls,
        sources: Sequence[int],
        ports: Sequence[int],
        *,
        finds_every_port_of: int,
        keeps: bool,
        steps: int,
        seed: int,
    ) -> Prediction:
        """Predict for attempts from these source ports, in their order, by the search that a NAT declares."""
        size = len(ports)
        if finds_every_port_of >= size:
            served = [number < size for number in range(len(sources))]
            return cls(rows(served, size, steps), first_refusal(served, size), 0, 0)
        count = min(MOST_SIMULATIONS, max(FEWEST_SIMULATIONS, SIMULATED // len(sources)))
        rng = random.Random(seed)
        runs = [simulate(sources, ports, rng, keeps=keeps, longest=finds_every_port_of) for _ in range(count)]
        early = [served[:size].count(False) for served in runs]
        mean, margin = statistics.fmean(early), DEVIATIONS * statistics.stdev(early) + SLACK
        return cls(
            _average([rows(served, size, steps) for served in runs]),
            _median([first_refusal(served, size) for served in runs]),
            max(0, math.floor(mean - margin)),
            math.ceil(mean + margin),
        )


def _average(curves: list[list[Row]]) -> list[Row]:
    found: dict[float, list[Row]] = {}
    for curve in curves:
        for row in curve:
            found.setdefault(row.utilisation, []).append(row)
    return [
        Row(
            utilisation,
            round(sum(row.attempts for row in each) / len(curves), 2),
            round(sum(row.refused for row in each) / len(curves), 2),
        )
        for utilisation, each in sorted(found.items())
    ]


def _median(values: list[float | None]) -> float | None:
    """Return the median of utilisations, where None is greater than all numbers."""
    middle = statistics.median_low([math.inf if value is None else value for value in values])
    return None if middle == math.inf else middle
