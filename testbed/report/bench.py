"""What the page shows of a bench: a figure for each unit, and the rows and ratios as the terminal has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.bench.table import FIGURES, heads, lines
from testbed.report.charts import Bar, Drawn, bars
from testbed.report.words import cut, instant, is_number, number, words

MOST_BARS = 40
MOST_UNITS = 4


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
    report = dict(bench)
    found = [[cut(each, cell) for each in line[:12]] for line in lines(report)]
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
        heads=[cut(each, cell) for each in heads(report)[:12]],
        numeric=(*FIGURES, "lost"),
        lines=found[:rows],
        lines_left_out=max(0, len(found) - rows),
        left_out=[(cut(name, cell), cut(why, cell)) for name, why in [*bench.get("left_out", {}).items()][:rows]],
        environment=[(cut(name, cell), cut(fact, cell)) for name, fact in [*bench["environment"].items()][:rows]],
    )


def _figures(bench: Mapping[str, Any], key: str) -> Iterator[Drawn]:
    units = list(dict.fromkeys(row["unit"] for row in bench["rows"]))[:MOST_UNITS]
    for place, unit in enumerate(units):
        rows = [row for row in bench["rows"] if row["unit"] == unit][:MOST_BARS]
        title = f"Medians in {cut(unit, 40)}"
        yield _drawn(f"{key}-{place}", title, [(_name(row, bench), row) for row in rows])
    if bench["ratios"]:
        named = [
            (f"{row['of']} / {row['to']} {_parameters(row, bench)}", row) for row in bench["ratios"][:MOST_BARS]
        ]
        yield _drawn(f"{key}-ratios", "Ratios, each taken within a repetition", named)


def _drawn(key: str, title: str, named: Sequence[tuple[str, Mapping[str, Any]]]) -> Drawn:
    drawn = [
        Bar(name, [[float(row["median"])] if is_number(row["median"]) else None], [_spread(row)])
        for name, row in named
    ]
    text = "The median of all repetitions, and in parentheses the least and the greatest."
    return Drawn(title, bars(key, title, text, drawn, ["median"]), text)


def _name(row: Mapping[str, Any], bench: Mapping[str, Any]) -> str:
    return f"{row['subject']} {_parameters(row, bench)}"


def _parameters(row: Mapping[str, Any], bench: Mapping[str, Any]) -> str:
    """Return the parameters of a row that are not the same in all rows."""
    rows = bench["rows"]
    differing = [
        key
        for key in row["parameters"]
        if any(other["parameters"].get(key) != row["parameters"][key] for other in rows)
    ]
    return " ".join(words(row["parameters"][key], 20) for key in differing[:4])


def _spread(row: Mapping[str, Any]) -> str:
    return f"{number(row['median'])} ({number(row['min'])} to {number(row['max'])})"
