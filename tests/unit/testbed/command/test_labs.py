"""The commands for a class, as students and instructors type them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.sheets import LABS
from tests.support.submissions import REFERENCE
from tests.support.walled import needs_walls
from tests.unit.testbed.command.conftest import Lastport

Started = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a course's key."""
    path = tmp_path_factory.mktemp("course") / "course.key"
    path.write_text("the secret of a course")
    path.chmod(0o600)
    return path


def test_the_labs_are_listed_with_their_points(lastport: Lastport) -> None:
    """By number."""
    printed = lastport("lab").out

    assert "01  out of ports: 10 points for predictions.yaml" in printed
    assert "02  write an allocator: 20 points for allocator.py" in printed


def test_a_sheet_has_a_students_own_numbers(lastport: Lastport, key: Path) -> None:
    """And without a key those of the file."""
    own, usual = (
        lastport("lab", "sheet", "2", "--student", "alice", "--key", str(key)),
        lastport("lab", "sheet", "02"),
    )

    assert "| `first` | 29000 |" in own.out
    assert "| `first` | 4000 |" in usual.out


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("lab", "sheets"), "did you mean 'sheet'?"),
        (("lab", "sheet"), "lastport lab sheet needs a lab's number, such as 02"),
        (("lab", "sheet", "99"), "lab '99' is not known; there are 01, 02"),
        (("lab", "variants", "class.csv"), "add --key FILE"),
        (("lab", "variants", "class.csv", "--student", "alice"), "every student of FILE; leave --student out"),
        (("lab", "list", "--key", "key"), "lastport lab list lists every lab; leave --key out"),
        (("lab", "list", "02"), "lastport lab list lists every lab; leave LAB out"),
        (
            ("grade", "02", "a.py", "--student", "x" * 300, "--out", "pages"),
            "has 300 bytes, and may have 150 as the name of a file",
        ),
        (
            ("lab", "check", "02"),
            "there is no allocator.py with numbers.yaml here; begin with: lastport lab start 02",
        ),
        (("grade", "02", "nowhere.py"), "nowhere.py cannot be read: No such file or directory"),
        (("grade", "07", "nowhere.py"), "nowhere.py cannot be read: No such file or directory"),
        (("grade", "02", "x" * 300), "cannot be read: File name too long; take one that can"),
        (("grade", "02", ".", "--gradescope", "x"), "--gradescope is for one submission"),
        (("grade", "02", "."), "has no submissions"),
        (
            ("grade", "02", "all.zip"),
            "is an archive; take the folder that `unzip -d handed-in all.zip` makes",
        ),
        (("lab", "sheet", "02", "--class", "class.csv"), "take both, with sheet, or none"),
        (("lab", "start", "02", "--class", "class.csv", "--out", "sheets"), "take both, with sheet, or none"),
        (("lab", "sheet", "02", "--class", "class.csv", "--out", "sheets"), "class.csv cannot be read"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_way_out(
    lastport: Lastport, command: tuple[str, ...], reason: str
) -> None:
    """Before anything is written."""
    finished = lastport(*command)

    assert finished.status == 2
    assert reason in finished.err


@pytest.fixture
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder for what an instructor writes and gets."""
    return tmp_path_factory.mktemp("course")


@pytest.fixture
def of_class(course: Path) -> Path:
    """Write the list of a class."""
    path = course / "class.csv"
    path.write_text("Name,Login\nAlice A.,alice\nBob B.,bob\n")
    return path


def test_the_sheets_of_a_class_are_written_at_once(
    lastport: Lastport, key: Path, of_class: Path, course: Path
) -> None:
    """One for each student, with their numbers, and never over older ones."""
    command = (
        "lab",
        "sheet",
        "02",
        "--class",
        str(of_class),
        "--key",
        str(key),
        "--out",
        str(course / "sheets"),
    )

    first, again = lastport(*command), lastport(*command)

    assert (first.status, first.out) == (0, f"2 sheets are in {course / 'sheets'}\n")
    assert sorted(path.name for path in (course / "sheets").iterdir()) == ["alice.md", "bob.md"]
    assert "| `first` | 29000 |" in (course / "sheets" / "alice.md").read_text()
    assert (again.status, again.err.count("is there already; take another folder")) == (2, 1)


def test_a_class_is_graded_with_its_list(lastport: Lastport, key: Path, of_class: Path, course: Path) -> None:
    """The table has those that handed in nothing; a name that is nobody's is refused before anything is made."""
    folder, out = course / "handed-in", course / "marks"
    folder.mkdir()
    (folder / "alice.yaml").write_text("no numbers")
    command = ("grade", "01", str(folder), "--class", str(of_class), "--out", str(out))

    whole = lastport(*command)
    (folder / "Erin.yaml").write_text("")
    refused = lastport(*command[:-1], str(course / "more"))

    assert whole.status == 0
    assert "  0 of 10  bob: no predictions.yaml was handed in\n" in whole.out
    assert "All were tried with the numbers of the sheet, since there is no --key." in whole.out
    assert whole.out.endswith(f"The pages begin with {out / 'index.html'}\n")
    assert (refused.status, refused.err.count("these have not: Erin.yaml")) == (2, 1)
    assert not (course / "more").exists()


def test_each_student_has_one_line_whatever_is_in_the_name_of_the_file(lastport: Lastport, course: Path) -> None:
    """Without a list, the names are those of files."""
    (course / "ali\nce\x1b[2J.yaml").write_text("no numbers")

    printed = lastport("grade", "01", str(course)).out

    assert "  0 of 10  ali\\nce\\x1b[2J: " in printed


def test_a_class_with_a_name_that_no_file_can_have_is_refused_before_anything_is_made(
    lastport: Lastport, of_class: Path, course: Path
) -> None:
    """By both commands that name files after students."""
    of_class.write_text("alice\nbo\0b\n")
    (course / "handed-in").mkdir()
    (course / "handed-in" / "alice.yaml").write_text("no numbers")
    listed = ("--class", str(of_class), "--out", str(course / "made"))

    for command in (("lab", "sheet", "01"), ("grade", "01", str(course / "handed-in"))):
        finished = lastport(*command, *listed)

        assert (finished.status, finished.err.count("'bo\\x00b' cannot be the name of a file")) == (2, 1)
        assert not (course / "made").exists()


def test_a_class_that_lost_nothing_has_a_sentence(lastport: Lastport, course: Path) -> None:
    """And no heading above nothing."""
    (course / "alice.yaml").write_text((LABS / "answers" / "05-timers.yaml").read_text())

    printed = lastport("grade", "05", str(course)).out

    assert " 10 of 10  alice\nEvery student meets every requirement.\n" in printed


def test_a_students_folder_is_one_submission(lastport: Lastport, key: Path, of_class: Path, course: Path) -> None:
    """A folder that `lab start` has made is graded as the file in it, for a student of the class."""
    (course / "lab-05").mkdir()
    for name, text in (("predictions.yaml", "pool: 1"), ("numbers.yaml", "")):
        (course / "lab-05" / name).write_text(text)
    command = ("grade", "05", str(course / "lab-05"), "--key", str(key), "--class", str(of_class), "--student")

    alice, nobody = lastport(*command, "Alice"), lastport(*command, "alcie")

    assert "0 of 10 points for Alice" in alice.out
    assert (nobody.status, nobody.err.count("did you mean 'alice'?")) == (2, 1)


def test_a_lab_that_cannot_begin_here_can_begin_elsewhere(
    lastport: Lastport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout may be somebody else's. Not even root makes folders in /proc."""
    monkeypatch.chdir("/proc")

    finished = lastport("lab", "start", "07")

    assert finished.status == 2
    assert "lab-07 cannot be written" in finished.err
    assert "take a folder of your own, and begin there" in " ".join(finished.err.split())


def test_a_key_needs_a_student(lastport: Lastport, key: Path) -> None:
    """Whose numbers would it be?"""
    finished = lastport("grade", "02", "x.py", "--key", str(key))

    assert (finished.status, finished.err.count("say whose, by --student ID")) == (2, 1)


def test_one_submission_of_a_class_needs_a_student(lastport: Lastport, of_class: Path, course: Path) -> None:
    """A list that nobody reads could be another class's, or not be there: it is refused, with no mark."""
    (course / "lab-05").mkdir()
    for name in ("predictions.yaml", "numbers.yaml"):
        (course / "lab-05" / name).write_text("pool: 1")

    for submission in (course / "lab-05", course / "lab-05" / "predictions.yaml"):
        for path in (of_class, Path("/nonexistent.csv")):
            finished = lastport("grade", "05", str(submission), "--class", str(path))

            assert (finished.status, finished.out) == (2, "")
            assert "is one submission: take --student ID too, or leave it out" in finished.err


def test_a_student_beside_a_class_is_refused(lastport: Lastport, of_class: Path, course: Path) -> None:
    """It would be ignored: the sheets are those of all."""
    out = course / "sheets"

    finished = lastport("lab", "sheet", "02", "--class", str(of_class), "--out", str(out), "--student", "zed")

    assert (finished.status, finished.err.count("take one of --class and --student")) == (2, 1)
    assert not out.exists()


def test_a_check_names_the_one_reason_and_the_numbers(started: Started, tmp_path: Path) -> None:
    """A file that says nothing, or that cannot be imported, has no other mistakes yet."""
    check = started("sh", "-c", f"cd {tmp_path} && lastport lab start 05 && lastport lab check 05")

    assert check.returncode == 1, check.stderr
    assert "All of it for one reason: nothing was written.\n" in check.stdout
    assert "Numbers of numbers.yaml: keepalive 25, pool 32, rate 25, reused 10\n" in check.stdout


@needs_walls
def test_a_student_starts_checks_and_hands_in(started: Started, tmp_path: Path) -> None:
    """The skeleton gets hints and a few points, and a right one the full mark."""
    start = started("sh", "-c", f"cd {tmp_path} && lastport lab start 02 && cd lab-02 && lastport lab check 02")

    assert start.returncode == 1, start.stderr
    assert "Hint: Fill the allocator" not in start.stdout
    assert "5 of 20 points, with these numbers and seeds that are always the same." in start.stdout
    (tmp_path / "lab-02" / "allocator.py").write_text(REFERENCE)
    graded = started(
        "sh", "-c", f"cd {tmp_path} && lastport grade 2 lab-02/allocator.py --json --gradescope r.json"
    )
    told = json.loads(graded.stdout)
    assert (graded.returncode, told["score"], told["of"], told["student"]) == (0, 20, 20, ""), told
    assert json.loads((tmp_path / "r.json").read_text())["score"] == 20
