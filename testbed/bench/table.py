"""The figures of a bench as a table: in a terminal, or as Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

FIGURES = ("median", "least", "most")


def show(console: Console, report: dict[str, Any]) -> None:
    """Print rows, ratios, and the subjects that were left out."""
    note = f": {report['note']}" if report["note"] else ""
    table = Table(title=f"bench {report['bench']}{note}", title_justify="left", box=SIMPLE)
    for head in heads(report):
        table.add_column(head, justify="right" if head in (*FIGURES, "lost") else "left")
    for line in lines(report):
        table.add_row(*map(Text, line))
    console.print(table)
    if "error" in report:
        console.print(Text(f"The bench broke: {report['error']}", style="yellow"))
    for subject, why in report["left_out"].items():
        console.print(Text(f"{subject} was left out: {why}", style="yellow"))


def markdown(report: dict[str, Any]) -> str:
    """Return rows and ratios as a Markdown table, after the bench's note."""
    note = f"{report['note'][0].upper()}{report['note'][1:]}.\n\n" if report["note"] else ""
    rule = ["---:" if head in (*FIGURES, "lost") else "---" for head in heads(report)]
    return note + "".join(f"| {' | '.join(line)} |\n" for line in (heads(report), rule, *lines(report)))


def heads(report: dict[str, Any]) -> list[str]:
    """Return the names of the columns: one for each parameter, and one for loss where packets were counted."""
    return ["subject", *_keys(report), *FIGURES, "unit", *(["lost"] if _counts_loss(report) else [])]


def lines(report: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the cells of each row, and then of each ratio."""
    for row in report["rows"]:
        yield _line(report, row["subject"], row, row["unit"])
    for ratio in report["ratios"]:
        yield _line(report, f"{ratio['of']} / {ratio['to']}", ratio, "times")


def _line(report: dict[str, Any], subject: str, row: dict[str, Any], unit: str) -> list[str]:
    parameters = [str(row["parameters"].get(key, "")) for key in _keys(report)]
    lost = [_number(row["lost"]) if "lost" in row else ""] if _counts_loss(report) else []
    return [subject, *parameters, *(_number(row[key]) for key in ("median", "min", "max")), unit, *lost]


def _keys(report: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(key for row in report["rows"] for key in row["parameters"]))


def _counts_loss(report: dict[str, Any]) -> bool:
    return any("lost" in row for row in report["rows"])


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
