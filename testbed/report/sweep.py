"""A sweep on the terminal and on its page: each combination with its mean and interval, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.report.charts import Axes, Bar, Drawn, Line, bars, lines
from testbed.report.words import cut, instant, is_number, plural, words
from testbed.run.naming import label
from testbed.sweep.estimates import USUAL
from testbed.sweep.grid import name_of

MOST_BARS, MOST_LINES = 40, 8
Rows = Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]]


@dataclass(frozen=True, slots=True)
class Swept:
    """One sweep."""

    title: str
    answer: Sequence[str]
    figures: Sequence[Drawn]
    tables: Rows
    facts: Sequence[tuple[str, str]]


def conclude(console: Console, sweep: Mapping[str, Any], folder: str) -> None:
    """Print what was measured, in tables, and where the rest is."""
    for title, heads, rows in tables(sweep):
        table = Table(title=title, title_justify="left", box=SIMPLE)
        for place, head in enumerate(heads):
            table.add_column(head, justify="left" if not place else "right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for sentence in sentences(sweep):
        console.print(Text(sentence))
    console.print(Text(f"SWEEP  results in {folder}"), soft_wrap=True)


def swept(sweep: Mapping[str, Any], *, rows: int, cell: int, figures: int) -> Swept:
    """Return what the page shows of a sweep."""
    chosen = {**sweep["chosen"], "repetitions at most": sweep["repeat"], "first seed": sweep["seed"]}
    return Swept(
        title=f"What differs by {' and '.join(sweep['grid'])}?" if sweep["grid"] else "How much does it vary?",
        answer=[cut(each, 4 * cell) for each in sentences(sweep)],
        figures=[*_figures(sweep)][:figures],
        tables=[
            (
                title,
                [cut(head, cell) for head in heads],
                [[cut(word, cell) for word in row] for row in found[:rows]],
            )
            for title, heads, found in tables(sweep)
        ],
        facts=[
            ("Begun", instant(sweep["started"])),
            ("Of", cut(label(sweep["scenario"]), cell)),
            *((cut(key, cell), words(value, cell)) for key, value in chosen.items()),
            *((cut(key, cell), words(value, cell)) for key, value in sweep["same"].items()),
        ],
    )


def sentences(sweep: Mapping[str, Any]) -> Iterator[str]:
    """Yield how much was done, and how to read it."""
    done, broken = len(sweep["points"]), sum(row["verdict"] == "error" for row in sweep["points"])
    size = sweep["repeat"]
    for values in sweep["grid"].values():
        size *= len(values)
    yield f"{plural(done, 'point')} of {size:,} at most are done."
    if broken:
        yield f"{plural(broken, 'point')} broke, and count for nothing. The same command does them again."
    if sweep["until"] is not None:
        yield (
            f"A combination was repeated until half of its interval was at most {sweep['until']:g}, "
            f"{sweep['repeat']} times at most. An interval at which one stops is somewhat too narrow."
        )
    yield (
        "Intervals are of 95 % certainty. All combinations of a repetition have the same random numbers, so a "
        "difference can be certain though the intervals overlap."
    )


def tables(sweep: Mapping[str, Any]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield a table for each measure: its title, the heads of its columns, and its rows."""
    keys = [*sweep["grid"]]
    for name in sweep["measures"]:
        rows = [row for row in sweep["combinations"] if name in row["measures"]]
        if rows:
            heads = [
                *(keys or ["combination"]),
                "times",
                "mean",
                "from",
                "to",
                "more than the first",
                "from",
                "to",
            ]
            yield _title(name), heads, [_row(row, keys, name) for row in rows]
    verdicts = [row for row in sweep["combinations"] if {*row["verdicts"]} != {"pass"}]
    if verdicts:
        heads = [*(keys or ["combination"]), "verdicts"]
        yield "Points that did not pass", heads, [[*_named(row, keys), words(row["verdicts"])] for row in verdicts]


def _title(name: str) -> str:
    return "The share of attempts that are refused (%)" if name == USUAL else name


def _named(row: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    return [_value(row["point"][key]) for key in keys] if keys else ["as given"]


def _value(value: Any) -> str:
    return label(value) if isinstance(value, str) else words(value)


def _row(row: Mapping[str, Any], keys: Sequence[str], name: str) -> list[str]:
    found, factor = row["measures"][name], _factor(name)
    return [
        *_named(row, keys),
        f"{row['repetitions']:,}",
        *_ends(found, factor),
        *_ends(found["difference"], factor),
    ]


def _factor(name: str) -> float:
    return 100.0 if name == USUAL else 1.0


def _ends(found: Mapping[str, Any] | None, factor: float) -> list[str]:
    if found is None:
        return ["", "", ""]
    ends = found["interval"] or (None, None)
    return ["" if each is None else f"{factor * each:.4g}" for each in (found["mean"], *ends)]


def _figures(sweep: Mapping[str, Any]) -> Iterator[Drawn]:
    for place, name in enumerate(sweep["measures"]):
        rows = [row for row in sweep["combinations"] if name in row["measures"]]
        if rows:
            yield _ranges(rows, name, f"m{place}")
            yield from _curves(sweep, rows, name, f"c{place}")


def _ranges(rows: Sequence[Mapping[str, Any]], name: str, key: str) -> Drawn:
    """Return a bar for each combination, with its interval."""
    factor = _factor(name)
    found = []
    for row in rows[:MOST_BARS]:
        each = row["measures"][name]
        low, high = each["interval"] or (each["mean"], each["mean"])
        values = [factor * value for value in (low, each["mean"], high)]
        found.append(Bar(name_of(row["point"]), [[max(0.0, value) for value in values]], [f"{values[1]:.4g}"]))
    text = "The mean of each combination. What is pale is its 95 % interval."
    return Drawn(_title(name), bars(key, _title(name), text, found, [name]), text)


def _curves(sweep: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], name: str, key: str) -> Iterator[Drawn]:
    """Yield the means over the first key of numbers, with a line for each combination of the other keys."""
    numeric = [each for each, values in sweep["grid"].items() if len(values) > 2 and all(map(is_number, values))]
    if not numeric:
        return
    over = numeric[0]
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        others = {each: value for each, value in row["point"].items() if each != over}
        point = float(row["point"][over]), _factor(name) * row["measures"][name]["mean"]
        found.setdefault(name_of(others) if others else name, []).append(point)
    drawn = [Line(each, sorted(points)) for each, points in [*found.items()][:MOST_LINES]]
    text = f"The means over {over}."
    title = f"{_title(name)} over {over}"
    yield Drawn(title, lines(key, title, text, drawn, Axes(over, _title(name))), text)
