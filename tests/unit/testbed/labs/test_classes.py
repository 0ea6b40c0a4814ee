"""A class: what all handed in, one table, and the formats of other programs."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.labs import formats
from testbed.labs.classes import handed_in, lost_most, marks, only_one
from testbed.labs.grading import Mark
from testbed.labs.lab import find
from testbed.labs.pages import Pages, pages
from testbed.labs.starting import start
from testbed.labs.submission import Hidden
from testbed.labs.variants import Course
from testbed.sweep.spreading import processes

RIGHT = {
    "first-refused": 1024,
    "greedy-with-quota": 8,
    "modest-with-quota": 4,
    "unused-with-quota": 28,
    "one-port-one-service": 64,
    "one-port-many-services": 256,
}
"""What is right in lab 1 with the numbers of the sheet."""


def written(**changed: object) -> str:
    """Return predictions, some of them changed."""
    return "".join(f"{name}: {value}\n" for name, value in (RIGHT | changed).items())


@pytest.fixture
def graded(tmp_path: Path) -> list[Mark]:
    """Mark a class of five with the sheet's own numbers."""
    folder = tmp_path / "handed-in"
    for student, text in {
        "=alice": written(),
        "bob": written(**{"unused-with-quota": "<b>28</b>", "first-refused": 256}),
        "carol": "- no\n- names\n",
        "dave<i>": written(**{"one-port-many-services": "9" * 400, "unused-with-quota": "[1, 2]"}),
    }.items():
        (folder / student).mkdir(parents=True)
        (folder / student / "predictions.yaml").write_text(text)
    (folder / "erin.yaml").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text(written())
    return list(marks(find("01"), folder, Course(), Hidden()))


def test_each_student_gets_a_mark_and_the_reason_of_each_lost_point(graded: list[Mark]) -> None:
    """A file that is none, and a link to somebody else's file, get no points, and do not end the marking."""
    reasons = {
        mark.student: {item.requirement: item.seen for item in mark.items if not item.is_won} for mark in graded
    }

    assert [(mark.student, mark.score) for mark in graded] == [
        ("=alice", 10),
        ("bob", 6),
        ("carol", 0),
        ("dave<i>", 6),
        ("erin", 0),
    ]
    assert reasons["bob"] == {"first-refused": "256", "unused-with-quota": "'<b>28</b>', which is no whole number"}
    assert "has no lines such as" in reasons["carol"]["first-refused"]
    assert reasons["dave<i>"]["one-port-many-services"] == "a huge number"
    assert "Too many levels of symbolic links" in reasons["erin"]["first-refused"]


def test_a_folder_without_submissions_is_refused(tmp_path: Path) -> None:
    """Most often it is another one that was meant."""
    (tmp_path / "notes.txt").write_text("")

    with pytest.raises(ConfigurationError, match=r"has no submissions: put STUDENT.py into it"):
        list(marks(find("02"), tmp_path, Course(), Hidden()))


def test_a_class_has_a_mark_for_each_of_its_students_and_for_nobody_else(tmp_path: Path) -> None:
    """In the order of the list, also for those that handed in nothing. Files are named as platforms do."""
    for path in ("Bob B_77_assignsubmission_file/predictions.yaml", "zoe_LATE_88_99_answers.yaml"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(written())
    names = ["zoe", "Alice", "bob b"]

    got = list(marks(find("01"), tmp_path, Course(), Hidden(), names=names))

    assert [(mark.student, mark.score) for mark in got] == [("zoe", 10), ("Alice", 0), ("bob b", 10)]
    assert [mark.why_nothing for mark in got] == ["", "no predictions.yaml was handed in", ""]


def test_a_file_that_is_named_after_no_student_of_the_class_is_refused(tmp_path: Path) -> None:
    """It would be marked with the numbers of nobody."""
    for name in ("alice", "Erin_Late", "predictions (1)"):
        (tmp_path / f"{name}.yaml").write_text(written())

    with pytest.raises(ConfigurationError, match=r"have not: Erin_Late.yaml, predictions \(1\).yaml; take"):
        handed_in(find("01"), tmp_path, ["alice", "bob"])


def test_a_name_that_no_page_could_have_is_refused_before_anybody_is_marked(tmp_path: Path) -> None:
    """Without a list of the class, too."""
    (tmp_path / f"{'x' * 151}.yaml").touch()
    (tmp_path / "alice.yaml").touch()

    with pytest.raises(ConfigurationError, match="has 151 bytes, and may have 150 as the name of a file"):
        handed_in(find("01"), tmp_path)


def test_a_folder_that_a_student_worked_in_is_one_submission(tmp_path: Path) -> None:
    """Alone, or in the folder of the class, with what `lab start` has made beside it."""
    for lab, student in ((find("05"), None), (find("09"), "alice")):
        made = start(lab, Course().variant(lab, student), student, tmp_path)
        (tmp_path / lab.number / "alice").mkdir(parents=True)
        made.rename(tmp_path / lab.number / "alice" / made.name)

    assert only_one(find("05"), tmp_path / "05" / "alice" / "lab-05") == (
        tmp_path / "05" / "alice" / "lab-05" / "predictions.yaml"
    )
    for number, name in (("05", "predictions.yaml"), ("09", "check.py")):
        folder = tmp_path / number / "alice" / f"lab-{number}"
        assert handed_in(find(number), tmp_path / number) == {"alice": [folder / name]}
        (folder / name).rename(folder / f"mine{Path(name).suffix}")
        assert handed_in(find(number), tmp_path / number) == {"alice": [folder / f"mine{Path(name).suffix}"]}


def test_a_link_to_the_folder_of_somebody_else_is_no_folder_of_ones_own(tmp_path: Path) -> None:
    """An archive may have links in it."""
    (tmp_path / "alice").mkdir()
    (tmp_path / "alice" / "predictions.yaml").write_text(written())
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "lab-01").symlink_to("../alice")

    assert handed_in(find("01"), tmp_path)["bob"] == []


@pytest.mark.parametrize("rungs", [1, 2])
def test_a_submission_that_is_none_loses_the_points_that_others_can_get(tmp_path: Path, rungs: int) -> None:
    """On the wire as well, so that the table has the same columns for all."""
    for name in ("allocator.py", "bob.py"):
        (tmp_path / "bob").mkdir(exist_ok=True)
        (tmp_path / "bob" / name).symlink_to("nowhere")
    lab, spread = find("02"), processes(1)

    got = list(marks(lab, tmp_path, Course(), Hidden(), names=["alice", "bob"], rungs=rungs, spread=spread))

    assert {mark.of for mark in got} == {
        lab.points + (rungs == 2) * sum(each.points for each in lab.of_the_wire.values())
    }
    assert [mark.why_nothing for mark in got] == [
        "no allocator.py was handed in",
        "2 files were handed in: allocator.py, bob.py",
    ]


def test_one_reason_is_that_of_the_first_rung(graded: list[Mark]) -> None:
    """A run names another one for the same file, and a point that was won is none."""
    lost = graded[2]
    (item, *_), won = lost.items, graded[0].items[0]

    assert replace(lost, items=(*lost.items, replace(item, seen="the run broke"))).why_nothing == item.seen
    assert replace(lost, items=(*lost.items, won)).why_nothing == ""


def test_a_class_with_a_misnamed_file_is_no_single_submission(tmp_path: Path) -> None:
    """It has others beside it."""
    for name in ("alice", "predictions"):
        (tmp_path / f"{name}.yaml").write_text(written())

    assert only_one(find("01"), tmp_path) is None


def test_one_reason_for_all_lost_points_stands_for_them(graded: list[Mark]) -> None:
    """On the page of the student and of the class, in place of every requirement."""
    made = pages(graded)
    reason = graded[2].why_nothing

    assert [bool(mark.why_nothing) for mark in graded] == [False, False, True, False, True]
    assert "has no lines such as" in reason
    assert "Every point was lost for one reason: " in made["students/carol.html"]
    assert "has no lines such as" in made["index.html"]
    assert "for one reason" not in made["students/bob.html"]


def test_what_most_students_lost_comes_first(graded: list[Mark]) -> None:
    """For the next lecture."""
    found = [(item.requirement, students) for item, students in lost_most(graded)]

    assert found[0] == ("unused-with-quota", 4)
    assert dict(found)["greedy-with-quota"] == 2


def test_the_table_has_a_line_for_each_and_no_formula(graded: list[Mark]) -> None:
    """A spreadsheet computes what begins with an equals sign."""
    rows = list(csv.reader(io.StringIO(formats.table(graded))))

    assert rows[0][:4] == ["student", "score", "of", "first-refused"]
    assert rows[1] == ["'=alice", "10", "10", "2", "1", "1", "2", "2", "2"]
    assert [row[1] for row in rows[1:]] == ["10", "6", "0", "6", "0"]


def test_gradescope_gets_each_requirement_with_its_points(graded: list[Mark]) -> None:
    """In the words of its specification of results.json."""
    told = json.loads(json.dumps(formats.gradescope(graded[1])))

    assert told["score"] == 6
    assert told["tests"][0] == {
        "name": "first-refused",
        "number": "1",
        "score": 0,
        "max_score": 2,
        "status": "failed",
        "output": told["tests"][0]["output"],
        "visibility": "visible",
    }
    assert "Seen: 256. Expected: 1022 to 1025." in told["tests"][0]["output"]


def test_junit_has_a_suite_for_each_student(graded: list[Mark]) -> None:
    """A requirement that is not met is a failure."""
    suites = ET.fromstring(formats.junit(graded))

    assert [suite.get("failures") for suite in suites] == ["0", "2", "6", "2", "6"]
    assert suites[1].get("name") == "lab 01 of bob"
    assert [case.get("name") for case in suites[1] if case.find("failure") is not None] == [
        "first-refused",
        "unused-with-quota",
    ]


def test_the_object_has_the_keys_that_were_promised(graded: list[Mark]) -> None:
    """Each item with what was seen and expected, won or lost."""
    told = formats.as_object(graded[1])

    assert {"schema": 1, "lab": "01", "student": "bob", "score": 6, "of": 10}.items() <= told.items()
    assert told["items"][1] == {
        "requirement": "greedy-with-quota",
        "points": 1,
        "of": 1,
        "seen": "8",
        "expected": "8",
        "asks": "the connections that alice keeps with the quota",
        "source": "lab 1, part 4; RFC 6888 REQ-4",
        "calls": [],
    }


def test_there_is_a_page_for_each_and_one_for_the_class(graded: list[Mark], tmp_path: Path) -> None:
    """Links lead to files that are there, and a student's words are no HTML."""
    Pages(tmp_path / "pages").keep(graded)
    made = pages(graded)

    assert set(made) == {
        "index.html",
        *(f"students/{name}.html" for name in ("=alice", "bob", "carol", "dave<i>", "erin")),
    }
    assert all((tmp_path / "pages" / name).read_text() == text for name, text in made.items())
    assert 'href="students/%3Dalice.html"' in made["index.html"]
    assert "<td>4 of 5</td>" in made["index.html"]
    assert not any("<i>" in text for text in made.values())


def test_pages_never_replace_older_ones(tmp_path: Path) -> None:
    """Marks may have been changed by hand."""
    with pytest.raises(ConfigurationError, match="is there already; take another folder"):
        Pages(tmp_path)


def test_a_class_is_graded_in_the_order_of_its_names_however_many_are_at_once(tmp_path: Path) -> None:
    """And each mark is the same."""
    for number in range(12):
        (tmp_path / f"student-{number:02}.yaml").write_text(written(**{"first-refused": 1000 + 4 * number}))
    one, several = (
        list(marks(find("01"), tmp_path, Course(), Hidden(), spread=processes(count))) for count in (1, 4)
    )

    assert one == several
    assert [mark.student for mark in several] == [f"student-{number:02}" for number in range(12)]
    assert len({mark.score for mark in several}) == 2
