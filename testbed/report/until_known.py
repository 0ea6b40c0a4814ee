"""The figure of how long clients waited until they knew: for each outcome, the share that knew after some time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from testbed.report.charts import Axes, Drawn, Line, lines
from testbed.report.figures import rows_of
from testbed.report.words import cut, is_number, number

SERIES = "until_known"
TITLE = "Time until the client knew, by outcome"
TEXT = "The share of the attempts with each outcome whose client knew of it after a given time."
MOST_LINES = 6
NAME = 24


def drawn(series: Mapping[str, Any], key: str) -> Drawn | None:
    """Return the figure for a run's series; None if no attempt was refused, or the series has another shape."""
    rows = [(_name(row), _seconds(row)) for row in rows_of(series.get(SERIES))[:MOST_LINES]]
    waits = [(outcome, seconds) for outcome, seconds in rows if outcome and seconds]
    if not waits:
        return None
    longest = max(seconds[-1] for _, seconds in waits)
    curves = [Line(outcome, _curve(seconds, longest), steps=True) for outcome, seconds in waits]
    said = " ".join((TEXT, *(_said(outcome, seconds) for outcome, seconds in waits)))
    axes = Axes("seconds since the attempt began", "")
    return Drawn(TITLE, lines(key, TITLE, said, curves, axes), said)


def _name(row: Mapping[str, Any]) -> str:
    outcome = row.get("outcome")
    return cut(outcome, NAME) if isinstance(outcome, str) else ""


def _seconds(row: Mapping[str, Any]) -> list[float]:
    found = row.get("seconds")
    numbers = [float(each) for each in found if is_number(each)] if isinstance(found, list) else []
    return sorted(numbers)


def _curve(seconds: Sequence[float], longest: float) -> list[tuple[float, float]]:
    """Return times and shares, from the beginning of an attempt to the longest wait of all."""
    last = max(len(seconds) - 1, 1)
    known = [(each, place / last) for place, each in enumerate(seconds)]
    return [(min(0.0, seconds[0]), 0.0), *known, (longest, 1.0)]


def _said(outcome: str, seconds: Sequence[float]) -> str:
    middle = number(seconds[len(seconds) // 2])
    return f"{outcome}: half within {middle} s, all within {number(seconds[-1])} s."
