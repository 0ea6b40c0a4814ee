"""A class's CSV file as programs export it, and whose submission a file or folder is."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.labs.students import require_listed, students, whose

CLASS = ["Alice Liddell", "bob", "bob_smith", "1001", "Zoë"]


def listed(folder: Path, text: str, encoding: str = "utf-8") -> list[str]:
    """Return the students of a file with this text."""
    file = folder / "class.csv"
    file.write_bytes(text.encode(encoding))
    return students(file)


@pytest.mark.parametrize(
    "text",
    [
        "alice\nbob\n",
        "alice,Alice A.\n bob ,Bob B.\n",
        "Student\nalice\nbob\n",
        "Name;Login;Group\nAlice A.;alice;1\nBob, B.;bob;1\n",
        "Surname\tUsername\nSmith\talice\nSmith\tbob\n",
        '\ufeff"Last name","ID number","Email"\r\n"Smith","alice","a@b"\r\n"Smith",bob,"b@b"\r\n\r\n,,\r\n',
        "sep=;\r\nStudent;Group\r\nalice;1\r\nbob;1\r\n",
        '"SEP=|"\nName|Login\nA, B, C|alice\nD, E, F|bob\n',
        "sep=\t\nalice\t1\nbob\t2\n",
    ],
    ids=["list", "first-cell", "heading", "semicolons", "tabs", "moodle", "excel", "excel-bar", "excel-tab"],
)
def test_a_class_is_what_spreadsheets_and_learning_platforms_export(tmp_path: Path, text: str) -> None:
    """The first cell of each line, or the column whose heading is known."""
    assert listed(tmp_path, text) == ["alice", "bob"]


def test_a_name_may_have_spaces_that_do_not_break_and_joiners(tmp_path: Path) -> None:
    """As a spreadsheet writes the one, and Persian the other."""
    names = ["Ada\N{NO-BREAK SPACE}Lovelace", "علی\N{ZERO WIDTH NON-JOINER}رضا", "ë" * 75]

    assert listed(tmp_path, "\n".join(names)) == names


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Smith,Ann\nSmith,Bob\n", "names 'Smith' twice; take a column that differs, with the heading `student`"),
        ("Zoe\n zoe\n", "names 'zoe' twice"),
        ("Name,Login\nAnn,ann\nBob,\n", "the line of 'Bob ' names no student; take it out"),
        ("Smith/Jones\n", "'Smith/Jones' cannot be the name of a file; take a login or a number"),
        ("..\n", "cannot be the name of a file"),
        ("ali\0ce\n", r"'ali\\x00ce' cannot be the name of a file; take a login or a number"),
        ('"ali\nce"\n', r"'ali\\nce' cannot be the name of a file"),
        ("\x1b[2Jalice\n", r"'\\x1b\[2Jalice' cannot be the name of a file"),
        ("ali\u2028ce\n", r"'ali\\u2028ce' cannot be the name of a file"),
        ("ë" * 76 + "\n", r"'ë{40}'... has 152 bytes, and may have 150 .*; take a login or a number"),
        ("Student,Name\n", "names no student: write one a line, in the first cell"),
        ("", "names no student"),
    ],
)
def test_a_class_whose_students_cannot_be_told_apart_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """Two students of one name would get the same numbers."""
    with pytest.raises(ConfigurationError, match=reason):
        listed(tmp_path, text)


def test_a_file_that_is_not_there_and_one_that_is_no_utf_8_are_refused(tmp_path: Path) -> None:
    """With the reason, and what to write."""
    with pytest.raises(ConfigurationError, match=r"class.csv cannot be read: No such file or directory$"):
        students(tmp_path / "class.csv")
    with pytest.raises(ConfigurationError, match="take CSV in UTF-8"):
        listed(tmp_path, "Zoë\n", "latin-1")


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("bob", "bob"),
        ("BOB", "bob"),
        ("Zoe\N{COMBINING DIAERESIS}", "Zoë"),
        ("Alice Liddell_77_assignsubmission_file", "Alice Liddell"),
        ("alice liddell_77_assignsubmission_file_allocator", "Alice Liddell"),
        ("bob_LATE_88_99_allocator-1", "bob"),
        ("Lab 2_bob_attempt_2026-11-29-12-00-00_allocator", "bob"),
        ("bob_smith_88_99_allocator", "bob_smith"),
        ("liddellalice_1001_99_allocator", "1001"),
        ("bob_1001_99_allocator", None),
        ("bobby", None),
        ("allocator (1)", None),
    ],
)
def test_a_submission_is_whose_name_it_has_alone_or_between_underscores(name: str, student: str | None) -> None:
    """As learning platforms name them. Two students in one name are none."""
    assert whose(name, CLASS) == student


def test_a_student_is_one_of_the_class(tmp_path: Path) -> None:
    """A name that is written wrongly would get the numbers of nobody."""
    file = tmp_path / "class.csv"
    file.write_text("alice\nBob\n")

    require_listed("bob", file)
    with pytest.raises(ConfigurationError, match=r"student 'alcie' is not in .*: did you mean 'alice'\?"):
        require_listed("alcie", file)
    with pytest.raises(ConfigurationError, match=r"student 'zz' is not in .*: take one of its 2 students"):
        require_listed("zz", file)
