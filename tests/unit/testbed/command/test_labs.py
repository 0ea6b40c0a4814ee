"""The commands for a class, as students and instructors type them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

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

    assert "01  out of ports: 10 points" in printed
    assert "02  write an allocator: 20 points" in printed


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
        (
            ("lab", "check", "02"),
            "there is no allocator.py with numbers.yaml here; begin with: lastport lab start 02",
        ),
        (("grade", "02", "nowhere.py"), "nowhere.py cannot be read: No such file or directory"),
        (("grade", "07", "nowhere.py"), "nowhere.py cannot be read: No such file or directory"),
        (("grade", "02", "x" * 300), "cannot be read: File name too long; take one that can"),
        (("grade", "02", ".", "--gradescope", "x"), "--gradescope is for one submission"),
        (("grade", "02", "."), "has no submissions"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_way_out(
    lastport: Lastport, command: tuple[str, ...], reason: str
) -> None:
    """Before anything is written."""
    finished = lastport(*command)

    assert finished.status == 2
    assert reason in finished.err


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
