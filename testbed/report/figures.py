"""The figures of a run, chosen by the shape of its series: a list of rows becomes bars, or lines over an axis.

Rows with a column of texts are bars, named by these. Rows of numbers alone are lines over their first column.
A series or a column with the prefix `predicted_` is drawn as the model of the one without it. An object of objects
is a list of rows as well. Whatever has another shape is a table, and no figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.report.catalogue import ELSEWHERE, FIGURES, PREDICTED, Choice
from testbed.report.charts import Axes, Bar, Drawn, Line, bars, lines
from testbed.report.words import cut, is_number, number, title_of, words

MOST_BARS, MOST_SERIES, MOST_LINES = 40, 4, 6
MOST_COLUMNS = 12
NAME = 60
UNITS = {"seconds": ("seconds", "_s"), "share": ("share", "index", "utilisation")}
"""The ends of columns' names by what they are measured in. Others are numbers of something."""
LONGEST_TEXT = 120

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """Measurements as a table: a title, the columns' names, and the cells of each row."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    left_out: int = 0


def rows_of(series: object) -> Rows:
    """Return the rows of a series; an empty list if it has another shape."""
    if isinstance(series, Mapping) and series and all(isinstance(each, Mapping) for each in series.values()):
        return [{"": str(name), **each} for name, each in series.items()]
    if isinstance(series, list) and series and all(isinstance(row, dict) and row for row in series):
        return series
    return []


def figures(series: Mapping[str, Any], key: str) -> Iterator[Drawn]:
    """Yield the figures of a run's series, without its phases."""
    own = [name for name in series if name not in ELSEWHERE and not name.startswith(PREDICTED)]
    for place, name in enumerate(own):
        drawn = drawn_of(f"{key}-{place}", {"measured": series}, name)
        if drawn:
            yield drawn


def phases(series: Mapping[str, Any], key: str) -> Drawn | None:
    """Return the figure of the run's phases."""
    return _bars(key, rows_of(series.get("phases")), PHASES)


PHASES = Choice("Phases", ("seconds",), "Seconds of each phase of the run.")


def drawn_of(key: str, runs: Mapping[str, Mapping[str, Any]], name: str) -> Drawn | None:
    """Return the figure of a series, of one run or of several by their names; None if it cannot be drawn."""
    first = next((rows for series in runs.values() if (rows := rows_of(series.get(name)))), [])
    choice = FIGURES.get(name) or _chosen(name, first)
    if not first or choice is None:
        return None
    if choice.axis:
        return _lines(key, runs, name, choice)
    return _bars(key, first, choice) if len(runs) == 1 else None


def _chosen(name: str, rows: Rows) -> Choice | None:
    """Return what to draw of a series that is not in the catalogue: columns of the first unit that occurs."""
    numeric = [column for column in _columns(rows) if _is_numeric(rows, column)]
    label = _label(rows)
    if label is None and len(numeric) > 1:
        axis, *others = numeric
        return Choice(title_of(cut(name, NAME)), _alike(others), axis=axis, axis_title=title_of(axis))
    return Choice(title_of(cut(name, NAME)), _alike(numeric)) if label is not None and numeric else None


def _columns(rows: Rows) -> list[str]:
    return [*dict.fromkeys(column for row in rows[:MOST_BARS] for column in row)][:MOST_COLUMNS]


def _alike(columns: Sequence[str]) -> tuple[str, ...]:
    """Return those columns that are measured in the same as the first one."""
    return tuple(column for column in columns if _unit(column) == _unit(columns[0]))[:MOST_SERIES]


def _unit(column: str) -> str:
    return next((unit for unit, ends in UNITS.items() if column.endswith(ends)), "count")


def _is_numeric(rows: Rows, column: str) -> bool:
    found = [row.get(column) for row in rows]
    return any(is_number(each) or _numbers(each) for each in found) and not any(
        isinstance(each, str | bool | dict) for each in found
    )


def _label(rows: Rows) -> str | None:
    """Return the first column of texts, which names the rows."""
    return next((c for c in _columns(rows) if all(isinstance(row.get(c), str) for row in rows)), None)


def _numbers(value: Any) -> list[float]:
    """Return the numbers in a cell, which may be a list."""
    return [float(each) for each in (value if isinstance(value, list) else [value]) if is_number(each)]


def _value(row: Mapping[str, Any], column: str) -> float | None:
    """Return the number in a column, or the quotient of two."""
    above, slash, below = column.partition("/")
    first = _numbers(row.get(above))[:1]
    second = _numbers(row.get(below))[:1] if slash else [1.0]
    return first[0] / second[0] if first and second and second[0] else None


def _bars(key: str, rows: Rows, choice: Choice) -> Drawn | None:
    label = _label(rows)
    columns = [column for column in choice.columns if _is_numeric(rows, column)]
    if label is None or not columns:
        return None
    drawn = [
        Bar(
            words(row[label], NAME),
            [_numbers(row.get(column))[:LONGEST_TEXT] or None for column in columns],
            [_behind(row, column, choice) for column in columns],
        )
        for row in rows[:MOST_BARS]
    ]
    more = f" The first {MOST_BARS} of {len(rows):,} are drawn." if len(rows) > MOST_BARS else ""
    text = f"{choice.text}{more}".strip()
    return Drawn(choice.title, bars(key, choice.title, text, drawn, [title_of(each) for each in columns]), text)


def _behind(row: Mapping[str, Any], column: str, choice: Choice) -> str:
    """Return the words behind a bar: its value or values, and more words if there are any."""
    found = _numbers(row.get(column))
    if not found:
        value = choice.none
    elif min(found) == max(found):
        value = number(found[0] if not float(found[0]).is_integer() else int(found[0]))
    else:
        value = f"{number(min(found))} to {number(max(found))}"
    more = row.get(choice.words) if choice.words else None
    return f"{value} ({cut(more, LONGEST_TEXT)})" if isinstance(more, str) and more else value


def _lines(key: str, runs: Mapping[str, Mapping[str, Any]], name: str, choice: Choice) -> Drawn | None:
    """Return lines: for each run its columns, and then the models of them."""
    drawn: list[Line] = []
    for run, series in runs.items():
        prefix = f"{run}: " if len(runs) > 1 else ""
        for column in choice.columns:
            named = choice.columns[0] if column.startswith(PREDICTED) else column
            label = title_of(named.partition("/")[0].removesuffix("_share"))
            kinds = ((name, False), (f"{PREDICTED}{name}", True))
            for source, is_model in kinds:
                points = _points(rows_of(series.get(source)), choice.axis, column)
                modelled = is_model or column.startswith(PREDICTED)
                if points:
                    word = f"{prefix}{label}, predicted" if modelled else f"{prefix}{label}, measured"
                    drawn.append(Line(word, points, modelled))
    if not drawn:
        return None
    drawn = _one_model(drawn)[:MOST_LINES]
    axes = Axes(title_of(choice.axis_title or choice.axis), "")
    return Drawn(choice.title, lines(key, choice.title, choice.text or choice.title, drawn, axes), choice.text)


def _one_model(drawn: list[Line]) -> list[Line]:
    """Return lines without those that have no counterpart to be told from: the only measured one is `measured`."""
    alone = len(drawn) == 1
    return [Line(line.label.rpartition(", ")[0], line.points, line.modelled) for line in drawn] if alone else drawn


def _points(rows: Rows, axis: str, column: str) -> list[tuple[float, float]]:
    found = [(_value(row, axis), _value(row, column)) for row in rows]
    return sorted((x, y) for x, y in found if x is not None and y is not None)


def tables(series: Mapping[str, Any], *, most_rows: int, most_tables: int, width: int) -> Iterator[Table]:
    """Yield the series as tables: rows as rows, and what is a value by itself in one table of all of them."""
    names = [name for name in series if name not in ("phases", "not_looked_at")]
    single = [name for name in names if not rows_of(series[name])]
    for name in [name for name in names if name not in single][:most_tables]:
        rows = rows_of(series[name])
        heads = _columns(rows)
        cells = [[words(row.get(head), width) for head in heads] for row in rows[:most_rows]]
        yield Table(
            title_of(cut(name, NAME)), [cut(title_of(each), NAME) for each in heads], cells, len(rows) - len(cells)
        )
    if single:
        cells = [[title_of(cut(name, NAME)), words(series[name], 2 * width)] for name in single[:most_rows]]
        yield Table("Single figures", ["What", "Value"], cells, len(single) - len(cells))
