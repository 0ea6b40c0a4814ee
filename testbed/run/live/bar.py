"""A bar of one line: parts of a whole, each by a colour and by a pattern, so that nobody needs the colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from topologies.gateways.gauges import PortGauge


@dataclass(frozen=True, slots=True)
class State:
    """A state of ports: its words, its colour, and its pattern, in Unicode and in ASCII."""

    words: str
    style: str
    pattern: str
    in_ascii: str

    def mark(self, *, ascii_only: bool) -> str:
        """Return the pattern."""
        return self.in_ascii if ascii_only else self.pattern


STATES = (
    State("in use", "cyan", "█", "#"),
    State("resting", "yellow", "▒", "="),
    State("held down", "magenta", "▓", "%"),
    State("free", "bright_black", "░", "."),
)
"""The states of ports in the order of a bar. Every font of a terminal has these patterns."""
DONE, LEFT = STATES[0], STATES[3]


def counts(gauge: PortGauge) -> list[int | None]:
    """Return the number of ports in each of the states."""
    return [gauge.allocated, gauge.resting, gauge.held_down, gauge.free]


def ports(gauge: PortGauge, width: int, *, ascii_only: bool) -> Text:
    """Return the bar of a pool of ports."""
    return drawn(STATES, [count or 0 for count in counts(gauge)], width, ascii_only=ascii_only)


def progress(done: int, total: int, width: int, *, ascii_only: bool) -> Text:
    """Return the bar of what is done."""
    done = max(0, min(done, total))
    return drawn((DONE, LEFT), (done, total - done), width, ascii_only=ascii_only)


def legend(gauge: PortGauge, *, ascii_only: bool) -> list[Text]:
    """Return the number of ports in each state that is known, with its pattern. A number of 0 is left out."""
    known = [(state, count) for state, count in zip(STATES, counts(gauge), strict=True) if count is not None]
    shown = [each for each in known if each[1] or each[0] in (DONE, LEFT)]
    return [
        Text.assemble((state.mark(ascii_only=ascii_only), state.style), f" {count:,} {state.words}")
        for state, count in shown
    ]


def drawn(states: Sequence[State], numbers: Sequence[int], width: int, *, ascii_only: bool) -> Text:
    """Return a bar of `width` cells. A part that is not 0 has a cell at least, as long as there are cells."""
    bar = Text()
    for state, cells in zip(states, cells_of(numbers, width), strict=True):
        bar.append(state.mark(ascii_only=ascii_only) * cells, style=state.style)
    return bar


def cells_of(numbers: Sequence[int], width: int) -> list[int]:
    """Return the cells of each part. What rounding leaves goes to, or comes from, the largest part."""
    total = sum(numbers)
    if total <= 0 or width <= 0:
        return [0] * len(numbers)
    cells = [max(1, number * width // total) if number > 0 else 0 for number in numbers]
    while (over := sum(cells) - width) > 0:
        largest = cells.index(max(cells))
        cells[largest] = max(0, cells[largest] - over)
    cells[cells.index(max(cells))] -= over
    return cells
