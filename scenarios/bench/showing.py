"""The figures of a bench as tables: in a terminal, or as Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

HEADS = ("subject", "parameters", "median", "least", "most", "unit")


def show(console: Console, held: dict[str, Any]) -> None:
    """Print rows, ratios, and who was left out."""
    table = Table(title=f"bench {held['bench']}", title_justify="left", box=SIMPLE)
    for head in HEADS:
        table.add_column(head, justify="right" if head in HEADS[2:5] else "left", no_wrap=head == "subject")
    for line in lines(held):
        table.add_row(*map(Text, line))
    console.print(table)
    for subject, why in held["left_out"].items():
        console.print(Text(f"{subject} was left out: {why}", style="yellow"))


def markdown(held: dict[str, Any]) -> str:
    """Return rows and ratios as a table for a page."""
    rule = ["---"] * 2 + ["---:"] * 3 + ["---"]
    return "".join(f"| {' | '.join(line)} |\n" for line in (HEADS, rule, *lines(held)))


def lines(held: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of each row, and then of each ratio."""
    for row in held["rows"]:
        yield [row["subject"], _parameters(row), *_spread(row), row["unit"]]
    for ratio in held["ratios"]:
        yield [f"{ratio['of']} / {ratio['to']}", _parameters(ratio), *_spread(ratio), "times"]


def _spread(row: dict[str, Any]) -> list[str]:
    return [_number(row[key]) for key in ("median", "min", "max")]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _parameters(row: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in row["parameters"].items())
