"""Each student's own numbers: the same ones every time, possible ones for everybody, and nobody else's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.labs.lab import Lab, find, numbers
from testbed.labs.sheets import listed, text
from testbed.labs.students import students
from testbed.labs.variants import Course, course

COURSE = Course(b"the secret of a course")
LABS = [find(number) for number in numbers()]
CLASS = [f"student {number}" for number in range(1000)]

each_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.number)


def test_a_variant_is_the_same_for_good() -> None:
    """On every machine and with every version: what is printed today is graded in a month."""
    assert COURSE.variant(find("2"), "alice") == {"first": 29000, "ports": 124, "quota": 17}


@pytest.mark.parametrize("name", ["Zoe\N{COMBINING DIAERESIS}", " zo\N{LATIN SMALL LETTER E WITH DIAERESIS} "])
def test_a_name_is_the_same_however_it_is_written(name: str) -> None:
    """A file's name and a list's may differ in capitals, spaces and composed accents."""
    assert COURSE.variant(find("02"), name) == COURSE.variant(
        find("02"), "ZO\N{LATIN CAPITAL LETTER E WITH DIAERESIS}"
    )


@each_lab
def test_a_thousand_students_have_all_values_about_equally_often(lab: Lab) -> None:
    """No value is left out, and none has twice its share, with room for chance."""
    variants = [COURSE.variant(lab, student) for student in CLASS]

    for name, number in lab.variant.items():
        counts = Counter(variant[name] for variant in variants)
        share = len(CLASS) / len(number.values())
        assert set(counts) == set(number.values())
        assert max(counts.values()) < 2.5 * share


@each_lab
def test_another_key_another_lab_and_another_seed_give_other_numbers(lab: Lab) -> None:
    """Whoever knows one of them knows nothing about the others."""
    other = Course(b"the secret of another course")

    assert [COURSE.variant(lab, each) for each in CLASS] != [other.variant(lab, each) for each in CLASS]
    assert COURSE.seeds(lab, "alice") != Course().seeds(lab, "alice")
    assert COURSE.seeds(lab, "alice") != COURSE.seeds(lab, "bob")


@each_lab
def test_without_a_key_the_numbers_are_those_of_the_sheet(lab: Lab) -> None:
    """Then the sheet is the file, to the letter."""
    assert text(lab, Course().variant(lab, "alice")) == lab.sheet.read_text()


@each_lab
def test_a_sheet_has_every_number_of_its_student(lab: Lab) -> None:
    """All the places that print a number change, and nothing else does."""
    extreme = {name: number.most for name, number in lab.variant.items()}
    printed, sheet = text(lab, extreme), lab.sheet.read_text()

    for number in lab.variant.values():
        assert number.printed
        for form in number.printed:
            assert printed.count(form.format(number.most)) == sheet.count(form.format(number.sheet)) > 0
    assert len(printed.splitlines()) == len(sheet.splitlines())


def test_a_class_is_listed_with_a_line_for_each_student(tmp_path: Path) -> None:
    """The first cell of a line is the student; a heading is none."""
    file = tmp_path / "class.csv"
    file.write_text("Student,Name\nalice,Alice A.\n\nbob,Bob B.\n")

    table = listed([find("02")], COURSE, students(file))

    assert table == [
        ["student", "02 first", "02 ports", "02 quota"],
        ["alice", "29000", "124", "17"],
        ["bob", *(str(value) for value in COURSE.variant(find("02"), "bob").values())],
    ]


@pytest.mark.parametrize(
    ("mode", "content", "reason"),
    [
        (0o644, b"x" * 40, "can be read or written by others; what to do: chmod 600"),
        (0o600, b"short\n", "has 5 bytes, and needs at least 16"),
    ],
)
def test_a_key_that_is_no_secret_is_refused(tmp_path: Path, mode: int, content: bytes, reason: str) -> None:
    """Others could find everybody's numbers, and the seeds of the grading."""
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(mode)

    with pytest.raises(ConfigurationError, match=reason):
        course(file)


def test_a_line_end_behind_the_key_does_not_count(tmp_path: Path) -> None:
    """An editor adds one."""
    file = tmp_path / "key"
    file.write_bytes(b"the secret of a course\n")
    file.chmod(0o600)

    assert course(file) == COURSE
