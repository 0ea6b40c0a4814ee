"""The requirements of lab 9: the reference finds every bug with everybody's numbers, and blames no honest NAT."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testbed.labs.bugs import BUGS, ON_THE_WIRE, as_file
from testbed.labs.check import REQUIREMENTS, Sheet, judged, verdicts
from testbed.labs.lab import find
from testbed.labs.suspects import Suspect, suspect
from testbed.labs.trial import WrongError
from testbed.labs.variants import Course, Variant
from tests.support.checks import REFERENCE, WRONG, wrong
from tests.support.paths import ROOT
from tests.support.submissions import Here

LAB = find("09")
COURSE = Course(b"the secret of a course")


def lost(source: str, variant: Variant, folder: Path, *, seed: int = 7) -> tuple[dict[str, str], int]:
    """Return the requirements that a submission does not meet, with what was seen, and the questions it asked."""
    file = folder / f"check_{len([*folder.iterdir()])}.py"
    file.write_text(source)
    submission, missed = Here(file, "check"), {}
    found = verdicts(submission, variant, seed)
    for name in REQUIREMENTS:
        try:
            judged(name, found)
        except WrongError as error:
            missed[name] = str(error)
    return missed, submission.calls


def test_the_file_of_weights_has_each_requirement() -> None:
    """An instructor may leave one out; ours has all, in the same order."""
    assert list(LAB.requirements) == list(REQUIREMENTS)


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_costs_the_points_of_its_own_requirements(name: str, tmp_path: Path) -> None:
    """A false alarm costs all that was found, since it may be one as well."""
    missed, _ = lost(wrong(name), Course().variant(LAB, None), tmp_path)

    assert set(missed) == WRONG[name][2], missed


@pytest.mark.parametrize("students", [5, pytest.param(1000, marks=pytest.mark.deep)])
def test_the_reference_meets_everything_with_the_numbers_of_each_student(students: int, tmp_path: Path) -> None:
    """All variants take about the same effort: the questions to the NATs differ by a tenth at most."""
    efforts = []
    for number in range(students):
        variant = COURSE.variant(LAB, f"student {number}")
        missed, calls = lost(REFERENCE, variant, tmp_path, seed=number)
        assert missed == {}, variant
        efforts.append(calls)

    assert max(efforts) <= 1.1 * min(efforts)


def test_the_order_of_the_nats_is_another_with_each_seed(tmp_path: Path) -> None:
    """So a check that counts learns nothing, and nobody knows the order of a grading with a key."""
    file = tmp_path / "check.py"
    file.write_text("SEEN = []\n\n\ndef check(nat):\n    SEEN.append(1)\n    return str(len(SEEN))\n")
    variant = Course().variant(LAB, None)
    orders = [
        {name: each.found for name, each in verdicts(Here(file, "check"), variant, seed).items()}
        for seed in (1, 2)
    ]

    assert orders[0] != orders[1]
    assert set(orders[0].values()) == {str(number + 1) for number in range(len(orders[0]))}


def test_what_a_check_may_not_ask_is_named_with_what_it_may(tmp_path: Path) -> None:
    """It is a mistake of the check's, and not a finding."""
    missed, _ = lost(
        'def check(nat):\n    nat.send("198.51.100.1:7", "10.0.0.1:1")\n', Course().variant(LAB, None), tmp_path
    )

    assert (
        "called nat.send(198.51.100.1:7, 10.0.0.1:1, udp): an inside endpoint is 10.0.0.1:40000"
        in missed["silent"]
    )


@pytest.mark.parametrize("number", range(1, len(ON_THE_WIRE) + 1))
def test_a_suspect_declares_what_the_data_sheet_says_and_works_otherwise(number: int) -> None:
    """The file that a student gets makes the class, and does not say what is wrong."""
    made: dict[str, object] = {"__name__": "made"}
    exec(as_file(number), made)
    cls, own = made["Nat"], Sheet(32, 6, 300, 6).settings

    assert isinstance(cls, type)
    assert issubclass(cls, Suspect)
    assert cls.__module__ == "made"
    assert cls.declare(own, None) == suspect(0, "made").declare(own, None)
    assert cls.bug in [bug for bugs in BUGS.values() for bug in bugs]
    assert own.model_copy(update=cls.bug.really(own)) != own if cls.bug else False


def test_the_figures_in_the_instructors_part_are_those_of_the_marks() -> None:
    """Each row of its table is a mistake that is tried here, with the points that are left."""
    page = (ROOT / "docs/labs/answers/09-find-the-bug.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (.+) \|$", page, re.MULTILINE)

    assert len(rows) >= 10
    for what, points, names in rows:
        named = set(re.findall("`(.+?)`", names))
        failed = {*REQUIREMENTS} - named if names.startswith("everything") else named
        assert WRONG[what][2] == failed, what
        assert int(points) == LAB.points - sum(LAB.requirements[name].points for name in failed), what
