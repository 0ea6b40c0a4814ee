"""Every lab sheet, worked through as printed, with every figure that the instructor's part promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.session import Session
from tests.support.sheets import LABS, worked_through

SHEETS = sorted(LABS.glob("[0-9]*.md"))


@pytest.mark.sheets
@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)
def test_a_sheet_can_be_worked_through_and_shows_what_is_promised(sheet: Path, tmp_path: Path) -> None:
    """Commands of the instructor's part as well, where they stand in its transcript."""
    session = Session(tmp_path)
    done = [session.carry_out(step) for step in worked_through(sheet)]

    print(*done, sep="\n")
    assert [f"{each.step.command}: {lost}" for each in done for lost in each.lacks] == []
