"""Pictures as SVG: elements with every text escaped, numbers written the same way each time, and scales.

A picture has a role, a title and a description, so a screen reader has its meaning. Colours are classes of the
page's style sheet, and each of them has a shape or a pattern as well, since not everybody sees colours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

LETTER = 7.2
"""The width of a letter of 13 pixels, on average."""
LINE = 18
LEAST_SPAN = 1e-9
"""A range that is narrower has no round numbers."""


def element(name: str, *children: Markup | str, **attributes: object) -> Markup:
    """Return an element. A name such as `class_` or `text_anchor` is written as SVG has it."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_written(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{given}>{inner}</{name}>" if inner else f"<{name}{given}/>")


def _written(value: object) -> object:
    return coordinate(value) if isinstance(value, float) else value


def coordinate(value: float) -> str:
    """Return a coordinate with one digit of a fraction at most."""
    written = f"{value:.1f}".removesuffix(".0")
    return "0" if written == "-0" else written


def picture(
    key: str, title: str, description: str, parts: Iterable[Markup], *, width: float, height: float
) -> Markup:
    """Return a whole picture. `key` tells it from the page's others; an element's `id` is made of it."""
    names = f"{key}-title", f"{key}-text"
    return element(
        "svg",
        element("title", title, id=names[0]),
        element("desc", description, id=names[1]),
        *parts,
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        role="img",
        aria_labelledby=" ".join(names),
        width=width,
        height=height,
    )


def text(x: float, y: float, words: str, *, anchor: str = "start", style: str = "") -> Markup:
    """Return a line of text; `anchor` is what of it is at x: start, middle or end."""
    return element(
        "text", words, x=x, y=y, text_anchor=None if anchor == "start" else anchor, class_=style or None
    )


def rectangle(x: float, y: float, width: float, height: float, style: str, *, radius: float = 0) -> Markup:
    """Return a rectangle with a class."""
    return element("rect", x=x, y=y, width=max(width, 0.0), height=height, class_=style, rx=radius or None)


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    """Return a straight line with a class."""
    return element("path", d=f"M{coordinate(x1)} {coordinate(y1)}L{coordinate(x2)} {coordinate(y2)}", class_=style)


def path(points: Sequence[tuple[float, float]], style: str) -> Markup:
    """Return a line through points, with a class."""
    return element("path", d="M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in points), class_=style)


def marker(x: float, y: float, series: int) -> Markup:
    """Return a point of a series: a circle, a square, a diamond or a triangle, with the series' colour."""
    style, size = f"f{series % 6}", 3.5
    match series % 4:
        case 0:
            return element("circle", cx=x, cy=y, r=size, class_=style)
        case 1:
            return rectangle(x - size, y - size, 2 * size, 2 * size, style)
        case 2:
            corners = [(x, y - 4.5), (x + 4.5, y), (x, y + 4.5), (x - 4.5, y)]
        case _:
            corners = [(x, y - 4.5), (x + 4.5, y + 3.5), (x - 4.5, y + 3.5)]
    return element(
        "path", d="M" + "L".join(f"{coordinate(a)} {coordinate(b)}" for a, b in corners) + "Z", class_=style
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to coordinates, linearly: `low` is at `start`, and `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers that span from `low` to `high`, `most` of them or fewer, with the ends included."""
    if not low < high:
        low, high = min(low, 0.0), max(high, low + 1.0, 1.0)
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    steps = (power * factor for factor in (1, 2, 2.5, 5, 10, 20))
    step = next((step for step in steps if _count(low, high, step) <= most), 0.0)
    if high - low < LEAST_SPAN or not step:
        return [low, high]
    first = math.floor(low / step + 1e-9)
    return [round(step * place, 12) for place in range(first, first + _count(low, high, step))]


def _count(low: float, high: float, step: float) -> int:
    return math.ceil(high / step - 1e-9) - math.floor(low / step + 1e-9) + 1


def width_of(words: str) -> float:
    """Return about how wide a line of text is."""
    return LETTER * len(words)
