"""Rows and ratios from samples: medians over the repetitions, with the least and the most."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from testbed.bench.bench import Ratio, Sample

Cell = tuple[str, str, str]
"""What the samples of one row have in common: subject, parameters as text, and unit."""


def rows(repetitions: Sequence[Sequence[Sample]]) -> list[dict[str, Any]]:
    """Return one row for each subject, parameters and unit, in the order in which they were first measured.

    Where packets are counted, a row has the number that were lost in the worst repetition. If it is not 0, the row
    is not a rate without loss.
    """
    lost: dict[Cell, float] = {}
    for sample in itertools.chain.from_iterable(repetitions):
        if "lost" in sample.details:
            lost[_cell(sample)] = max(lost.get(_cell(sample), 0), sample.details["lost"])
    return [
        {"subject": cell[0], "parameters": json.loads(cell[1]), "unit": cell[2], **_spread(values)}
        | ({"lost": lost[cell]} if cell in lost else {})
        for cell, values in _gathered(repetitions).items()
    ]


def ratios(repetitions: Sequence[Sequence[Sample]], wanted: Iterable[Ratio]) -> list[dict[str, Any]]:
    """Return the ratios of cells with the same parameters. Each repetition gives one ratio.

    A sample that lost packets is left out, since a NAT is not faster because it loses some.
    """
    found = []
    for ratio in wanted:
        pairs: dict[str, list[float]] = {}
        for samples in repetitions:
            values = {_cell(sample): sample.value for sample in samples if not sample.details.get("lost")}
            for (subject, parameters, unit), value in values.items():
                other = values.get((ratio.to, parameters, unit))
                if (subject, unit) == (ratio.of, ratio.unit) and other:
                    pairs.setdefault(parameters, []).append(value / other)
        found += [
            {"of": ratio.of, "to": ratio.to, "parameters": json.loads(parameters), **_spread(values)}
            for parameters, values in pairs.items()
        ]
    return found


def details(repetitions: Sequence[Sequence[Sample]]) -> list[dict[str, Any]]:
    """Return the medians of the samples' details, for each row that has any."""
    seen: dict[Cell, dict[str, list[float]]] = {}
    for samples in repetitions:
        for sample in samples:
            for name, value in sample.details.items():
                seen.setdefault(_cell(sample), {}).setdefault(name, []).append(value)
    return [
        {
            "subject": subject,
            "parameters": json.loads(parameters),
            **{name: _rounded(statistics.median(values)) for name, values in named.items()},
        }
        for (subject, parameters, _), named in seen.items()
    ]


def _gathered(repetitions: Sequence[Sequence[Sample]]) -> dict[Cell, list[float]]:
    values: dict[Cell, list[float]] = {}
    for samples in repetitions:
        for sample in samples:
            values.setdefault(_cell(sample), []).append(sample.value)
    return values


def _cell(sample: Sample) -> Cell:
    return sample.subject, json.dumps(sample.parameters), sample.unit


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "median": _rounded(statistics.median(values)),
        "min": _rounded(min(values)),
        "max": _rounded(max(values)),
    }


def _rounded(value: float) -> float:
    """Return a value with four significant figures, since no bench is more exact. A count stays as it is."""
    return int(value) if float(value).is_integer() else float(f"{value:.4g}")
