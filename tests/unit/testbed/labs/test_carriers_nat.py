"""Lab 10: what is right for every student, what wrong results get, and that the formulas are the product's."""

from __future__ import annotations

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

LAB = find("10")
COURSE = Course(b"the secret of a course")
SHEET = Course().variant(LAB, None)


def right(variant: Variant) -> dict[str, int]:
    """Return a right number for each requirement."""
    return {name: EXPECTED[name](variant)[0] for name in LAB.requirements}


def score(numbers: dict[str, int], folder: Path) -> int:
    """Return the points for some numbers."""
    file = folder / "predictions.yaml"
    file.write_text("".join(f"{name}: {number}\n" for name, number in numbers.items()))
    return grade(LAB, file, Course(), None, Hidden()).score


def test_the_answers_of_the_sheet_get_the_full_mark(tmp_path: Path) -> None:
    """Those that the instructor's part has."""
    answers = {
        "held-by-one": 135,
        "held-with-the-short-timer": 20,
        "ports-for-one": 35,
        "ports-for-a-hundred": 2095,
        "blocks-of-an-address": 126,
        "addresses-by-arithmetic": 3,
        "whose-port": 148,
        "connections-a-minute": 32,
        "log-lines-of-a-day": 86400,
    }

    assert score(answers, tmp_path) == LAB.points == 12


@pytest.mark.parametrize(
    ("wrong", "points"),
    [
        ({"held-by-one": 8100, "held-with-the-short-timer": 1200}, 10),
        ({"ports-for-a-hundred": 3500}, 10),
        ({"blocks-of-an-address": 128, "whose-port": 156}, 9),
        ({"log-lines-of-a-day": 43200}, 11),
        ({"connections-a-minute": 35}, 11),
    ],
    ids=["rate in a second", "peaks together", "from port 0", "beginnings alone", "the trace's rate"],
)
def test_what_is_wrong_costs_its_own_points(wrong: dict[str, int], points: int, tmp_path: Path) -> None:
    """As the instructor's part has it."""
    assert score({**right(SHEET), **wrong}, tmp_path) == points


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
    """Loads are within a fifth of the sheet's, and each port that is asked for is just enough."""
    for number in range(1000):
        own = COURSE.variant(LAB, f"student {number}")
        answers = right(own)
        assert own["rate"] * 270 % 60 == 0
        assert own["rate"] * 40 % 60 == 0
        assert abs(own["erlangs"] - SHEET["erlangs"]) <= SHEET["erlangs"] / 5
        ports = answers["ports-for-one"]
        assert erlang_b(own["erlangs"], ports) <= 0.001 < erlang_b(own["erlangs"], ports - 1)
