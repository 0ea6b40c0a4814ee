"""What the page shows of a matrix of pairs: a row for each behaviour of one side, a column for each of the other.

Each cell has the word for what was observed, leads to its run's own report, and says in words whether that is what
was foreseen. Colours only repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.compare.matrix import in_words, is_expected, rows
from testbed.report.beside import report_of
from testbed.report.words import cut

KINDS = ("meet", "apart")
"""The words that have a colour."""
MOST = 24
"""The rows and columns that a page has room for."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One pair: its word, whether both outcomes are foreseen, its run's report, and all of it as a sentence."""

    text: str
    kind: str
    is_race: bool
    report: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The matrix."""

    sides: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    sentences: Sequence[str]
    seconds: str


def shown(comparison: Mapping[str, Any], beside: Path | None, *, cell: int, most: int) -> Shown:
    """Return what the page shows. Its place is the folder `beside`."""
    matrix, runs = comparison["pairs"], comparison["runs"]

    def cell_of(found: Mapping[str, Any] | None, row: str, column: str) -> Cell:
        if found is None:
            return Cell("-", "", is_race=False, report="", sentence=f"{row} and {column}: not begun")
        run = runs[found["run"]] if found["run"] < len(runs) else {}
        word = cut(found["observed"] or found["verdict"], cell)
        right = is_expected(found)
        kind = (word if word in KINDS else "") if right else "wrong"
        foreseen = cut(" or ".join(found["foreseen"]) or "nothing", cell)
        return Cell(
            word,
            kind,
            is_race=len(found["foreseen"]) > 1,
            report=report_of(run, beside) if beside else "",
            sentence=f"{row} and {column}: observed: {word}, foreseen: {foreseen}, {found['verdict']}",
        )

    columns = [cut(name, cell) for name in matrix["sides"][1]["behaviours"]][:MOST]
    return Shown(
        sides=[(cut(side["gateway"], cell), cut(side["kind"], cell)) for side in matrix["sides"]],
        columns=columns,
        rows=[
            (name, [cell_of(each, name, column) for each, column in zip(cells, columns, strict=False)])
            for name, cells in [(cut(row, cell), cells) for row, cells in rows(matrix)][:MOST]
        ],
        sentences=[cut(each, cell) for each in in_words(matrix)[1:][:most]],
        seconds=f"{sum(run.get('duration_s', 0) for run in runs):,.0f}",
    )
