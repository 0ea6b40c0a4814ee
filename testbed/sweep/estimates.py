"""What was measured at the points of a combination: a mean with its 95 % interval over the repetitions.

Repetitions are independent, since each has a seed of its own, so Student's distribution applies. Where two
combinations are compared, the difference is taken within each repetition: both had the same random numbers, and
what these do to both cancels out.

A plan's share has an interval of its own, which is that of a single repetition. It also helps where nothing was
refused in any repetition: the attempts of all of them are as good as one longer plan.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.plan.interval import student

USUAL = "refused_share"
"""What is measured unless something else was chosen: the share of the attempts that are refused."""
REFUSED = ("unanswered", "timeout", "icmp", "reset", "evicted")
"""The outcomes of a run's attempts that are refusals, to its client."""
FEW = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""The 97.5 % quantiles of Student's distribution with 1 to 10 degrees of freedom, where `student` is too rough."""

LEAST = 1e-12
"""A share below this is none, in an interval that nothing was seen in."""

Interval = tuple[float, float]
Value = tuple[float, Interval | None]
"""What was measured at a point, with the point's own interval if it has one."""
Measured = dict[str, Value]
"""The value of each measure that a point has."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over repetitions, and its 95 % interval if there are enough of them."""

    mean: float
    interval: Interval | None

    @property
    def half(self) -> float:
        """Half of the interval; infinite if there is none."""
        return math.inf if self.interval is None else (self.interval[1] - self.interval[0]) / 2

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {"mean": self.mean, "interval": None if self.interval is None else [*self.interval]}


def measured(line: Mapping[str, Any], measures: Sequence[str]) -> Measured:
    """Return the measures that a point has. Others it lacks, as a run without attempts lacks a share of them."""
    found: Measured = {}
    for name in measures:
        value = share_of(line) if name == USUAL else value_at(line, name)
        if value is not None:
            own = line.get("interval") if name == USUAL else None
            found[name] = value, (own[0], own[1]) if own else None
    return found


def share_of(line: Mapping[str, Any]) -> float | None:
    """Return the share of attempts that were refused, of a plan or a run."""
    if USUAL in line:
        return float(line[USUAL])
    outcomes = line.get("outcomes") or {}
    attempts = sum(outcomes.values())
    return sum(outcomes.get(each, 0) for each in REFUSED) / attempts if attempts else None


def value_at(line: Mapping[str, Any], name: str) -> float | None:
    """Return the number that keys with dots between them lead to, such as `counters.ports_allocated`."""
    found: Any = line
    for key in name.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) else None


def estimate(values: Sequence[Value]) -> Estimate:
    """Return the mean of what was measured at the repetitions of a combination."""
    numbers = [value for value, _ in values]
    mean = sum(numbers) / len(numbers)
    if len(values) == 1:
        return Estimate(mean, values[0][1])
    own = [interval for _, interval in values if interval]
    around = _around(numbers, mean)
    if around is None or len(own) < len(values):
        return Estimate(mean, around)
    if not any(numbers):
        return Estimate(0.0, (0.0, 1 / sum(1 / max(high, LEAST) for _, high in own)))
    return Estimate(mean, (max(0.0, around[0]), min(1.0, around[1])))


def difference(values: Mapping[int, float], base: Mapping[int, float]) -> Estimate | None:
    """Return by what values differ from others, by their seeds; None if no seed is in both."""
    apart = [values[seed] - base[seed] for seed in values if seed in base]
    if not apart:
        return None
    mean = sum(apart) / len(apart)
    return Estimate(mean, _around(apart, mean))


def _around(numbers: Sequence[float], mean: float) -> Interval | None:
    """Return the interval around a mean, by Student's distribution."""
    count = len(numbers)
    if count < 2:
        return None
    variance = sum((each - mean) ** 2 for each in numbers) / (count - 1)
    quantile = FEW[count - 2] if count - 2 < len(FEW) else student(count - 1)
    half = quantile * math.sqrt(variance / count)
    return mean - half, mean + half
