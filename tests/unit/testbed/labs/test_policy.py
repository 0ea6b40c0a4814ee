"""The requirements of lab 3: the reference meets all with everybody's numbers; a mistake costs its own points."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testbed.labs.lab import find
from testbed.labs.policy import REQUIREMENTS, Tried
from testbed.labs.submission import DiedError
from testbed.labs.trial import WrongError
from testbed.labs.variants import Course, Variant
from tests.support.paths import ROOT
from tests.support.policies import REFERENCE, WRONG, wrong
from tests.support.submissions import Here

LAB = find("03")
COURSE = Course(b"the secret of a course")


def lost(source: str, variant: Variant, folder: Path) -> tuple[dict[str, str], int]:
    """Return the requirements that a submission does not meet, with what was seen, and the questions it got."""
    file = folder / f"policy_{len([*folder.iterdir()])}.py"
    file.write_text(source)
    submission, found = Here(file, "policy"), {}
    for name, requirement in REQUIREMENTS.items():
        try:
            requirement(Tried(submission, variant, seed=7))
        except (WrongError, DiedError) as error:
            found[name] = str(error)
    return found, submission.calls


def test_the_file_of_weights_has_each_requirement() -> None:
    """An instructor may leave one out; ours has all, in the same order."""
    assert list(LAB.requirements) == list(REQUIREMENTS)


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_costs_the_points_of_its_own_requirements(name: str, tmp_path: Path) -> None:
    """And no others."""
    found, _ = lost(wrong(name), Course().variant(LAB, None), tmp_path)

    assert set(found) == WRONG[name][2], found


@pytest.mark.parametrize("students", [5, pytest.param(1000, marks=pytest.mark.deep)])
def test_the_reference_meets_everything_with_the_numbers_of_each_student(students: int, tmp_path: Path) -> None:
    """All variants take the same effort: the decisions that it takes to try them differ by a tenth at most."""
    efforts = []
    variants = {tuple(COURSE.variant(LAB, f"student {number}").items()) for number in range(students)}
    for variant in map(dict, variants):
        found, calls = lost(REFERENCE.replace("SHARE = 10", f"SHARE = {variant['share']}"), variant, tmp_path)
        assert found == {}, variant
        efforts.append(calls)

    assert max(efforts) <= 1.1 * min(efforts)


def test_a_lost_point_comes_with_the_last_decisions(tmp_path: Path) -> None:
    """So that a student sees which of them was wrong."""
    file = tmp_path / "policy.py"
    file.write_text(wrong("ends the least recently used of all"))

    with pytest.raises(
        WrongError, match=r"lost its mapping, and its subscriber had \d+; expected that nobody"
    ) as error:
        REQUIREMENTS["kept"](Tried(Here(file, "policy"), Course().variant(LAB, None), seed=7))

    assert re.fullmatch(r"decide\(PORTS, 10\.0\.3\.\d+:40000, 60 victims\) -> Evict\(.*\)", error.value.calls[-1])


def test_the_figures_in_the_instructors_part_are_those_of_the_marks() -> None:
    """Each row of its table is a mistake that is tried here, with the points that are left."""
    page = (ROOT / "docs/labs/answers/03-a-policy.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (`.+`) \|$", page, re.MULTILINE)

    assert len(rows) >= 10
    for what, points, names in rows:
        failed = set(re.findall("`(.+?)`", names))
        assert WRONG[what][2] == failed, what
        assert int(points) == LAB.points - sum(LAB.requirements[name].points for name in failed), what
