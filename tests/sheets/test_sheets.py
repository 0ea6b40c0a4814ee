"""Every lab sheet, worked through as printed, with every figure that the instructor's part promises.

With `--student ID` the commands have that student's numbers. Then the figures are others, and what is compared are
the numbers of the marks: each that a run shows has to be one that the formula takes for right.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from testbed.labs.lab import Lab, find
from testbed.labs.predictions import EXPECTED
from testbed.labs.sheets import own
from testbed.labs.variants import Course, Variant
from tests.support import busy
from tests.support.session import Done, Session
from tests.support.sheets import LABS, kept, number, worked_through

SHEETS = sorted(LABS.glob("[0-9]*.md"))
COURSE = Course(b"the key of nobody's course")


@pytest.mark.sheets
@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)
def test_a_sheet_can_be_worked_through_and_shows_what_is_promised(
    sheet: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Commands of the instructor's part as well, where they stand in its transcript."""
    student = pytestconfig.option.student
    lab = find(sheet.name.partition("-")[0])
    variant = (COURSE if student else Course()).variant(lab, student)
    todo = worked_through(sheet, partial(own, lab, variant))
    if student:
        for step in todo:
            step.promises = []
    session = Session(tmp_path)
    done = [session.carry_out(step) for step in todo]

    broken = [each for each in done if each.lacks]
    print(*done, *(reckoned := [*against_formulas(lab, variant, done)]), sep="\n")
    if broken and all(each.is_too_busy for each in broken):
        busy.skip(f"{busy.WORDS} for {', '.join(each.step.command for each in broken)}")
    assert [f"{each.step.command}: {lost}" for each in broken for lost in each.lacks] == []
    assert [each for each in reckoned if "is not" in each] == []


def against_formulas(lab: Lab, variant: Variant, done: list[Done]) -> Iterator[str]:
    """Yield for each number that a run shows whether the formula takes it for right."""
    for name, requirement in lab.requirements.items():
        if (shown := requirement.shown) is None:
            continue
        command = own(lab, variant, shown.command)
        (output, *_) = [each.output for each in done if each.step.command == command]
        match, expected = kept(shown.line, output), EXPECTED[name](variant)
        seen = int(number(match[1])) if match else None
        verdict = "is" if seen in expected else "is not"
        yield f"{name}: {seen} {verdict} one of {expected[0]} to {expected[-1]}"
