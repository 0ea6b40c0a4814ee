"""The figures of a bench as a table: in a terminal, or as Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

FIGURES = ("median", "least", "most")


class Trials:
    """Progress on standard error, one line for all trials; silent where that is no terminal."""

    def __init__(self, name: str, total: int) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<40}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(name, total=total, completed=-1)

    def __enter__(self) -> Trials:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, title: str) -> None:
        """Say what is measured now."""
        self._progress.update(self._task, advance=1, description=title)


def show(console: Console, held: dict[str, Any]) -> None:
    """Print rows, ratios, and who was left out."""
    note = f": {held['note']}" if held["note"] else ""
    table = Table(title=f"bench {held['bench']}{note}", title_justify="left", box=SIMPLE)
    for head in heads(held):
        table.add_column(head, justify="right" if head in (*FIGURES, "lost") else "left")
    for line in lines(held):
        table.add_row(*map(Text, line))
    console.print(table)
    if "error" in held:
        console.print(Text(f"The bench broke: {held['error']}", style="yellow"))
    for subject, why in held["left_out"].items():
        console.print(Text(f"{subject} was left out: {why}", style="yellow"))


def markdown(held: dict[str, Any]) -> str:
    """Return rows and ratios as a table for a page, and what must be said with them."""
    note = f"{held['note'][0].upper()}{held['note'][1:]}.\n\n" if held["note"] else ""
    rule = ["---:" if head in (*FIGURES, "lost") else "---" for head in heads(held)]
    return note + "".join(f"| {' | '.join(line)} |\n" for line in (heads(held), rule, *lines(held)))


def heads(held: dict[str, Any]) -> list[str]:
    """Return the columns: one for each parameter, and one for loss where packets were counted."""
    return ["subject", *_keys(held), *FIGURES, "unit", *(["lost"] if _counts_loss(held) else [])]


def lines(held: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of each row, and then of each ratio."""
    for row in held["rows"]:
        yield _line(held, row["subject"], row, row["unit"])
    for ratio in held["ratios"]:
        yield _line(held, f"{ratio['of']} / {ratio['to']}", ratio, "times")


def _line(held: dict[str, Any], subject: str, row: dict[str, Any], unit: str) -> list[str]:
    parameters = [str(row["parameters"].get(key, "")) for key in _keys(held)]
    lost = [_number(row["lost"]) if "lost" in row else ""] if _counts_loss(held) else []
    return [subject, *parameters, *(_number(row[key]) for key in ("median", "min", "max")), unit, *lost]


def _keys(held: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(key for row in held["rows"] for key in row["parameters"]))


def _counts_loss(held: dict[str, Any]) -> bool:
    return any("lost" in row for row in held["rows"])


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
