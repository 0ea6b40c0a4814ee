"""Lab 10: what is right for every student, what wrong results get, and that the formulas are the product's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.settings import Settings
from testbed.labs.grading import grade
from testbed.labs.lab import find
from testbed.labs.predictions import EXPECTED
from testbed.labs.submission import Hidden
from testbed.labs.variants import Course, Variant
from testbed.natlog.asking import asked
from testbed.plan.deterministic import assignment
from testbed.plan.erlang import erlang_b
from tests.support.paths import ROOT

LAB = find("10")
COURSE = Course(b"the secret of a course")
SHEET = Course().variant(LAB, None)
ANSWERS = ROOT / "docs" / "labs" / "answers"
ROW = re.compile(r"^\| (`[a-z-]+:.*`) \| (\d+) \|", re.MULTILINE)


def right(variant: Variant) -> dict[str, int]:
    """Return a right number for each requirement."""
    return {name: EXPECTED[name](variant)[0] for name in LAB.requirements}


def score(text: str, folder: Path) -> int:
    """Return the points for a file."""
    file = folder / "predictions.yaml"
    file.write_text(text)
    return grade(LAB, file, Course(), None, Hidden()).score


def test_the_instructors_numbers_get_the_full_mark(tmp_path: Path) -> None:
    """With the sheet's own numbers."""
    assert score((ANSWERS / "10-a-carriers-nat.yaml").read_text(), tmp_path) == LAB.points == 10


def test_what_is_wrong_costs_its_own_points(tmp_path: Path) -> None:
    """As the table of the instructor's part has it."""
    rows = ROW.findall((ANSWERS / "10-a-carriers-nat.md").read_text())

    assert len(rows) == 5
    for changes, points in rows:
        numbers = {**right(SHEET), **dict(re.findall(r"`([a-z-]+): (\d+)`", changes))}
        assert score("".join(f"{name}: {number}\n" for name, number in numbers.items()), tmp_path) == int(points)


@pytest.mark.parametrize("student", [f"student {number}" for number in range(30)])
def test_the_arithmetic_is_that_of_the_log(student: str, tmp_path: Path) -> None:
    """`lastport who` finds the subscriber that the formula has, and the pool has as many blocks."""
    own = COURSE.variant(LAB, student)
    settings = Settings(external_addresses=4)
    assigned = assignment(settings, own["subscribers"], own["size"])
    log = tmp_path / "nat.log"
    log.write_text(assigned.line() + "\n")
    (holder,) = asked("192.0.2.1", 20_000, "2100-01-01T00:00:00Z", log).as_json()["holders"]

    assert int(holder["subscriber"].rpartition(".")[2]) == right(own)["whose-port"]
    assert right(own)["whose-port"] < min(own["subscribers"], 256)
    assert right(own)["addresses-by-arithmetic"] <= 4


def test_a_thousand_students_have_whole_numbers_and_about_the_same_work() -> None:
    """Loads are within a twentieth of the sheet's, and each port that is asked for is just enough."""
    for number in range(1000):
        own = COURSE.variant(LAB, f"student {number}")
        answers = right(own)
        assert own["rate"] * 270 % 60 == 0
        assert own["rate"] * 40 % 60 == 0
        assert abs(own["erlangs"] - SHEET["erlangs"]) <= SHEET["erlangs"] / 20
        ports = answers["ports-for-one"]
        assert erlang_b(own["erlangs"], ports) <= 0.001 < erlang_b(own["erlangs"], ports - 1)
