"""The requirements of lab 2: the reference meets all with everybody's numbers; a mistake costs its own points."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testbed.labs.allocator import REQUIREMENTS, Tried
from testbed.labs.lab import find
from testbed.labs.submission import DiedError
from testbed.labs.trial import WrongError
from testbed.labs.variants import Course, Variant
from tests.support.paths import ROOT
from tests.support.submissions import REFERENCE, WRONG, Here, wrong

LAB = find("02")
COURSE = Course(b"the secret of a course")


def lost(source: str, variant: Variant, folder: Path, *, without: str = "") -> tuple[set[str], int]:
    """Return the requirements that a submission does not meet, and the number of calls that were made to it."""
    file = folder / f"allocator_{len([*folder.iterdir()])}.py"
    file.write_text(source)
    submission, found = Here(file), set()
    for name, requirement in REQUIREMENTS.items():
        if name == without:
            continue
        try:
            requirement(Tried(submission, variant, seed=7))
        except (WrongError, DiedError):
            found.add(name)
    return found, submission.calls


def own(student: str) -> tuple[str, Variant]:
    """Return the reference with a student's quota, and the student's numbers."""
    variant = COURSE.variant(LAB, student)
    return REFERENCE.replace("QUOTA = 16", f"QUOTA = {variant['quota']}"), variant


def test_the_file_of_weights_has_each_requirement() -> None:
    """An instructor may leave one out; ours has all, in the same order."""
    assert list(LAB.requirements) == list(REQUIREMENTS)


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_costs_the_points_of_its_own_requirements(name: str, tmp_path: Path) -> None:
    """And no others, so that one mistake is not punished twice."""
    variant, expected = Course().variant(LAB, None), WRONG[name][2]
    without = "" if "constant-time" in expected else "constant-time"

    assert lost(wrong(name), variant, tmp_path, without=without)[0] == expected


@pytest.mark.parametrize("students", [10, pytest.param(1000, marks=pytest.mark.deep)])
def test_the_reference_meets_everything_with_the_numbers_of_each_student(students: int, tmp_path: Path) -> None:
    """All variants take about the same effort: the calls that it takes to try them differ by a tenth at most."""
    efforts = []
    for number in range(students):
        source, variant = own(f"student {number}")
        found, calls = lost(source, variant, tmp_path, without="constant-time")
        assert (found, variant) == (set(), variant)
        efforts.append(calls)

    assert max(efforts) <= 1.1 * min(efforts)


def test_the_numbers_of_another_student_do_not_do(tmp_path: Path) -> None:
    """A copied solution has the wrong quota, unless both have the same."""
    source, variant = own("alice")

    assert lost(source, {**variant, "quota": variant["quota"] - 1}, tmp_path, without="constant-time")[0] == {
        "quota",
        "quota-given-back",
    }


def test_the_figures_in_the_instructors_part_are_those_of_the_marks() -> None:
    """Each row of its table is a mistake that is tried here, with the points that are left."""
    page = (ROOT / "docs/labs/answers/02-write-an-allocator.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (`.+`) \|$", page, re.MULTILINE)
    failures = [set(re.findall("`(.+?)`", row[2])) for row in rows]

    assert len(rows) == 11
    assert all(any(failed == each[2] for each in WRONG.values()) for failed in failures)
    assert [int(row[1]) for row in rows] == [
        LAB.points - sum(LAB.requirements[name].points for name in failed) for failed in failures
    ]
