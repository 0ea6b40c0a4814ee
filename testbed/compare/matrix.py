"""A matrix of pairs for people: on the terminal, and as a page of Markdown.

A cell has the word for what was observed. Where that is not what was foreseen, or the run has not passed, it is
marked, and named below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.compare.page import common
from testbed.experiment.stories import told
from testbed.run.naming import label
from testbed.run.terminal import VERDICTS

TEMPLATE = Path(__file__).with_name("templates") / "pairs.md.j2"
RACE = "?"
WRONG = "!"
STYLES = {"meet": "green", "apart": "yellow"}

Cell = Mapping[str, Any]


def is_expected(cell: Cell) -> bool:
    """Whether a pair's run has passed, and what was observed is foreseen."""
    return cell["verdict"] == "pass" and cell["observed"] in cell["foreseen"]


def unexpected(matrix: Mapping[str, Any]) -> list[Cell]:
    """Return the cells that are not as foreseen."""
    return [cell for cell in matrix["cells"] if not is_expected(cell)]


def rows(matrix: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Cell | None]]]:
    """Yield a row of cells for each behaviour of the first side; None for a run that was not begun."""
    cells = {tuple(cell["behaviours"]): cell for cell in matrix["cells"]}
    first, second = (side["behaviours"] for side in matrix["sides"])
    for row in first:
        yield row, [cells.get((row, column)) for column in second]


def sentence(cell: Cell) -> str:
    """Return what is to be said of a cell that is not as foreseen."""
    names = " and ".join(cell["behaviours"])
    if not cell["foreseen"]:
        return f"{names}: {cell['verdict']}"
    foreseen, observed = " or ".join(cell["foreseen"]), cell["observed"] or "nothing"
    return f"{names}: foreseen: {foreseen}; observed: {observed}; {cell['verdict']}"


def in_words(matrix: Mapping[str, Any]) -> list[str]:
    """Return what the matrix shows in sentences: the two sides, the sum, and what is not as foreseen."""
    rows_, columns = ((side["gateway"], label(side["kind"])) for side in matrix["sides"])
    wrong = unexpected(matrix)
    count = len(matrix["cells"])
    unjudged = sum(cell["verdict"] not in ("pass", "fail") for cell in wrong)
    without = f", and {unjudged:,} have no verdict" if unjudged else ""
    return [
        f"Rows: {rows_[0]} is {rows_[1]}. Columns: {columns[0]} is {columns[1]}. Each maps and filters as named "
        "(RFC 4787).",
        f"{count - len(wrong):,} of {count:,} pairs are as foreseen{without}{':' if wrong else '.'}",
        *map(sentence, wrong),
    ]


def show(console: Console, comparison: Mapping[str, Any], *, left_out: int, folder: str) -> None:
    """Print the matrix, with a line for each pair that is not as foreseen or could not run."""
    matrix = comparison["pairs"]
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("")
    for name in matrix["sides"][1]["behaviours"]:
        table.add_column(name.replace("/", "\n"))
    for name, cells in rows(matrix):
        table.add_row(Text(name, style="bold"), *(_shown(cell) for cell in cells))
    console.print(table)
    for line in in_words(matrix):
        console.print(Text(line))
    if any(len(cell["foreseen"]) > 1 for cell in matrix["cells"]):
        console.print(Text(f"{RACE} both are foreseen: it matters whose first packet passes which NAT first."))
    for cell in unexpected(matrix):
        run = comparison["runs"][cell["run"]]
        if reason := run.get("reason") or run.get("error"):
            console.print(Text(f"{' and '.join(cell['behaviours'])}: {reason}", style=VERDICTS.get("error", "")))
    if left_out:
        console.print(Text(f"{left_out:,} not begun.", style="yellow"))
    console.print(Text(f"Results in {folder}"), soft_wrap=True)


def _shown(cell: Cell | None) -> Text:
    if cell is None:
        return Text("-", style="dim")
    word = cell["observed"] or cell["verdict"]
    if not is_expected(cell):
        return Text(f"{word}{WRONG}", style="bold red")
    return Text(word + RACE * (len(cell["foreseen"]) > 1), style=STYLES.get(word, ""))


def in_short(comparison: Mapping[str, Any], folder: str) -> str:
    """Return the sum in one line, and where the results are."""
    return f"{in_words(comparison['pairs'])[1]} Results in {folder}"


def page(comparison: Mapping[str, Any]) -> str:
    """Return the page about a matrix, as Markdown."""
    matrix = comparison["pairs"]
    return (
        told(
            TEMPLATE.read_text(),
            comparison=comparison,
            scenario=label(comparison["scenarios"][0]["scenario"]),
            question=comparison["scenarios"][0]["question"],
            kinds=[label(side["kind"]) for side in matrix["sides"]],
            columns=matrix["sides"][1]["behaviours"],
            rows=[(name, [_shown(cell).plain for cell in cells]) for name, cells in rows(matrix)],
            sentences=in_words(matrix),
            race=RACE,
            machine=common(comparison["runs"]),
        )
        + "\n"
    )
