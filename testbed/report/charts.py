"""Figures about numbers: bars with their values, and lines over an axis. Each is a picture of a fixed width.

What is drawn is limited, so that no results make a page too large: the rows of bars, the points of a line. A line
that has more points keeps the least and the greatest of each part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from testbed.report import svg
from testbed.report.svg import Scale
from testbed.report.words import cut, number

WIDTH = 680.0
MOST_POINTS = 2000
"""The points of a line that are drawn at most."""
MARKED = 60
"""A line with fewer points than this has a mark at each."""
LONGEST = 1000
"""The characters of a description at most."""
LABEL = 38
"""The characters of a label at most."""
BAR, GAP = 16.0, 12.0
LEGEND = 26.0
PLOT_HEIGHT = 240.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 12.0, 44.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of bars: its label, for each series its values (none of them: null), and words behind them."""

    label: str
    values: Sequence[Sequence[float] | None]
    words: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line: its label, its points in the order of x, and whether it is a model's and not measured."""

    label: str
    points: Sequence[tuple[float, float]]
    modelled: bool = False
    steps: bool = False
    """Whether a value holds until the next point, as a count does."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The names of the axes, and marks on the x axis: instants at which something happened."""

    x: str
    y: str
    marks: Sequence[float] = ()
    marked: str = ""
    """What the marks mean."""
    limit: float | None = None
    """A value of y that cannot be exceeded, with its name in `limited`."""
    limited: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure on a page: a title, the picture, and what it shows in words."""

    title: str
    picture: Markup
    text: str = ""


def bars(key: str, title: str, description: str, rows: Sequence[Bar], series: Sequence[str]) -> Markup:
    """Return horizontal bars, grouped by row. Of several values the range is pale."""
    left = 16 + max((svg.width_of(cut(row.label, LABEL)) for row in rows), default=0.0)
    written = [[_words(row, place) for place in range(len(series))] for row in rows]
    right = 16 + max((svg.width_of(words) for row in written for words in row), default=0.0)
    most = max((max(0.0, *values) for row in rows for values in row.values if values), default=0.0)
    left = min(left, WIDTH / 2)
    scale = Scale(0.0, most or 1.0, left, max(WIDTH - min(right, WIDTH / 3), left + 60))
    named_series = [Line(each, []) for each in series]
    parts, y = _legend(named_series, range(len(series)), left) if len(series) > 1 else ([], 4.0)
    for row, words in zip(rows, written, strict=True):
        middle = y + BAR * len(series) / 2 + 4.5
        parts.append(svg.text(left - 8, middle, cut(row.label, LABEL), anchor="end"))
        for place, values in enumerate(row.values):
            parts += _bar(scale, y, place, values, words[place])
            y += BAR
        y += GAP
    parts.append(svg.line(left, 0.0, left, y - GAP / 2, "axis"))
    named = (f"{cut(row.label, LABEL)}: {', '.join(words)}" for row, words in zip(rows, written, strict=True))
    said = cut(f"{description} {'; '.join(named)}", LONGEST)
    return svg.picture(key, title, said, parts, width=WIDTH, height=y)


def _words(row: Bar, place: int) -> str:
    if place < len(row.words) and row.words[place]:
        return cut(row.words[place], LABEL)
    values = row.values[place]
    if not values:
        return "none"
    return number(values[0]) if min(values) == max(values) else f"{number(min(values))} to {number(max(values))}"


def _bar(scale: Scale, y: float, place: int, values: Sequence[float] | None, words: str) -> list[Markup]:
    end = scale(max(0.0, *values)) if values else scale.start
    parts = [svg.text(end + 6, y + BAR / 2 + 4.5, words, style="value")]
    if not values:
        return parts
    least, style = scale(max(0.0, min(values))), f"f{place % 6}"
    parts.append(svg.rectangle(scale.start, y + 1, max(least - scale.start, 1.0), BAR - 2, style))
    if least < end:
        parts.append(svg.rectangle(least, y + 1, end - least, BAR - 2, f"{style} range"))
    return parts


def _legend(drawn: Sequence[Line], colours: Sequence[int], x: float = LEFT) -> tuple[list[Markup], float]:
    """Return a legend in one line or more, and where it ends."""
    parts, left, y = [], x, 14.0
    for line, colour in zip(drawn, colours, strict=True):
        words = cut(line.label, LABEL)
        if left > x and left + svg.width_of(words) + 24 > WIDTH:
            left, y = x, y + svg.LINE
        if line.modelled:
            parts.append(svg.line(left, y - 4, left + 16, y - 4, f"s{colour % 6} model"))
        else:
            parts.append(svg.marker(left + 6, y - 4, colour))
        parts.append(svg.text(left + 20, y, words))
        left += svg.width_of(words) + 40
    return parts, y + LEGEND - 14


def lines(key: str, title: str, description: str, drawn: Sequence[Line], axes: Axes) -> Markup:
    """Return lines over common axes, from 0 or below it upward."""
    colours = _colours(drawn)
    parts, top = _legend(drawn, colours) if len(drawn) > 1 else ([], TOP)
    points = [point for line in drawn for point in line.points]
    limits = [axes.limit] if axes.limit is not None else []
    x_ticks = svg.ticks(min(x for x, _ in points), max(x for x, _ in points), 9)
    y_ticks = svg.ticks(min(0.0, *(y for _, y in points), *limits), max([*(y for _, y in points), *limits]), 6)
    x = Scale(x_ticks[0], x_ticks[-1], LEFT, WIDTH - RIGHT)
    y = Scale(y_ticks[0], y_ticks[-1], top + PLOT_HEIGHT, top + 8)
    parts += _axes(x, y, x_ticks, y_ticks, axes)
    if axes.limit is not None:
        at = y(axes.limit)
        parts.append(svg.line(x.start, at, x.end, at, "limit"))
        parts.append(svg.text(x.start + 6, at - 5, axes.limited, style="note"))
    parts += [svg.line(x(at), y.start - 10, x(at), y.start, "mark") for at in axes.marks if x.low <= at <= x.high]
    for line, colour in zip(drawn, colours, strict=True):
        parts += _line(line, colour, x, y)
    return svg.picture(key, title, description, parts, width=WIDTH, height=top + PLOT_HEIGHT + BOTTOM)


def _colours(drawn: Sequence[Line]) -> list[int]:
    """Return the number of a colour for each line. Of many lines, a model has that of what it predicts."""
    if len(drawn) <= 2:
        return list(range(len(drawn)))
    measured = [sum(not line.modelled for line in drawn[: place + 1]) for place in range(len(drawn))]
    return [max(0, each - 1) for each in measured]


def _axes(x: Scale, y: Scale, x_ticks: Sequence[float], y_ticks: Sequence[float], axes: Axes) -> list[Markup]:
    parts = [svg.line(x.start, y(each), x.end, y(each), "axis" if each == y.low else "grid") for each in y_ticks]
    parts += [svg.text(x.start - 8, y(each) + 4.5, number(each), anchor="end") for each in y_ticks]
    parts += [svg.text(x(each), y.start + 18, number(each), anchor="middle") for each in x_ticks]
    parts.append(svg.text((x.start + x.end) / 2, y.start + 37, axes.x, anchor="middle", style="name"))
    return parts


def _line(line: Line, place: int, x: Scale, y: Scale) -> list[Markup]:
    points = [(x(a), y(b)) for a, b in decimated(line.points)]
    if line.steps:
        ends = [*points[1:], points[-1]]
        points = [each for one, end in zip(points, ends, strict=True) for each in (one, (end[0], one[1]))]
    style = f"s{place % 6} model" if line.modelled else f"s{place % 6}"
    parts = [svg.path(points, style)]
    if len(line.points) < MARKED and not line.modelled and not line.steps:
        parts += [svg.marker(a, b, place) for a, b in points]
    return parts


def decimated(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """Return `most` points or fewer: of each part of the line the first, the least, the greatest, the last."""
    if len(points) <= most:
        return list(points)
    parts, kept = most // 4, []
    for part in range(parts):
        chunk = points[len(points) * part // parts : len(points) * (part + 1) // parts]
        by_value = sorted(range(len(chunk)), key=lambda place: chunk[place][1])
        kept += [chunk[place] for place in sorted({0, by_value[0], by_value[-1], len(chunk) - 1})]
    return kept
