"""What the page shows of a bench: a figure for each unit, and the rows and ratios as the terminal has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.bench.table import FIGURES, heads, lines
from testbed.report.charts import Bar, Drawn, bars
from testbed.report.words import cut, instant, is_number, number, words

MOST_BARS = 40
MOST_UNITS, MOST_COLUMNS = 4, 12


@dataclass(frozen=True, slots=True)
class Benched:
    """One bench."""

    name: str
    note: str
    error: str
    facts: Sequence[tuple[str, str]]
    figures: Sequence[Drawn]
    heads: Sequence[str]
    numeric: Sequence[str]
    lines: Sequence[Sequence[str]]
    lines_left_out: int
    left_out: Sequence[tuple[str, str]]
    environment: Sequence[tuple[str, str]]


def benched(bench: Mapping[str, Any], key: str, *, rows: int, cell: int) -> Benched:
    """Return what the page shows of a bench."""
    shown = {key: bench[key][:rows] for key in ("rows", "ratios")}
    report = {**bench, **shown}
    found = [[cut(each, cell) for each in line[:MOST_COLUMNS]] for line in lines(report)]
    return Benched(
        name=cut(bench["bench"], cell),
        note=cut(bench.get("note", ""), 2 * cell),
        error=cut(bench.get("error", ""), 2 * cell),
        facts=[
            ("Repetitions", number(bench["repetitions"])),
            ("Begun", instant(bench["started"])),
            ("Seconds", number(bench["duration_s"])),
            *((cut(name, cell), words(value, cell)) for name, value in [*bench["parameters"].items()][:rows]),
        ],
        figures=list(_figures(bench, key)),
        heads=[cut(each, cell) for each in heads(report)[:MOST_COLUMNS]],
        numeric=(*FIGURES, "lost"),
        lines=found,
        lines_left_out=sum(len(bench[key]) - len(each) for key, each in shown.items()),
        left_out=[(cut(name, cell), cut(why, cell)) for name, why in [*bench.get("left_out", {}).items()][:rows]],
        environment=[(cut(name, cell), cut(fact, cell)) for name, fact in [*bench["environment"].items()][:rows]],
    )


def _figures(bench: Mapping[str, Any], key: str) -> Iterator[Drawn]:
    rows, ratios = bench["rows"][:MOST_BARS], bench["ratios"][:MOST_BARS]
    units = list(dict.fromkeys(row["unit"] for row in rows))[:MOST_UNITS]
    for place, unit in enumerate(units):
        named = [(f"{row['subject']} {_parameters(row, rows)}", row) for row in rows if row["unit"] == unit]
        yield _drawn(f"{key}-{place}", f"Medians in {cut(unit, 40)}", named)
    if ratios:
        named = [(f"{row['of']} / {row['to']} {_parameters(row, rows)}", row) for row in ratios]
        yield _drawn(f"{key}-ratios", "Ratios, each taken within a repetition", named)


def _drawn(key: str, title: str, named: Sequence[tuple[str, Mapping[str, Any]]]) -> Drawn:
    drawn = [
        Bar(name, [[float(row["median"])] if is_number(row["median"]) else None], [_spread(row)])
        for name, row in named
    ]
    text = "The median of all repetitions, and in parentheses the least and the greatest."
    return Drawn(title, bars(key, title, text, drawn, ["median"]), text)


def _parameters(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the parameters of a row that are not the same in all rows."""
    own, all_of_them = row["parameters"], [other["parameters"] for other in rows]
    differing = [key for key in own if any(other.get(key) != own[key] for other in all_of_them)]
    return " ".join(words(own[key], 20) for key in differing[:4])


def _spread(row: Mapping[str, Any]) -> str:
    return f"{number(row['median'])} ({number(row['min'])} to {number(row['max'])})"
