"""Submissions that cheat or harm: each gets the mark of what it answers, learns no secret, and leaves nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.labs.grading import Mark, grade
from testbed.labs.lab import find
from testbed.labs.submission import Hidden
from testbed.labs.variants import course
from tests.support.hostile import HOSTILE
from tests.support.paths import ROOT
from tests.support.processes import processes
from tests.support.walled import needs_walls

pytestmark = needs_walls
LAB = find("02")
SECRET = "the-secret-of-the-course-0123456789"
USUAL = ("prints a forged mark", "reads the key, the checkout and the others")
"""Those that are tried each time."""


@pytest.fixture
def handed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make the folder of a class, and see that nothing changes in it, and no process and no folder is left."""
    folder, made = tmp_path / "handed-in", tmp_path / "made"
    folder.mkdir()
    made.mkdir()
    (folder / "bob.py").write_text("SOLUTION = 1\n")
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    yield folder
    assert {path.name for path in folder.iterdir()} == {"alice.py", "bob.py"}
    assert [*made.iterdir()] == []
    assert [command for _, command in processes().values() if str(made) in command] == []


def mark(name: str, handed_in: Path) -> Mark:
    """Return the mark of a submission of alice's."""
    key = handed_in.parent / "key" / "course.key"
    key.parent.mkdir()
    key.write_text(SECRET)
    key.chmod(0o600)
    own = course(key)
    source = HOSTILE[name].source(handed_in=str(handed_in), key=str(key.parent), checkout=str(ROOT))
    file = handed_in / "alice.py"
    file.write_text(source.replace("QUOTA = 16", f"QUOTA = {own.variant(LAB, 'alice')['quota']}"))
    return grade(LAB, file, own, "alice", Hidden.of(file, key))


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in USUAL else pytest.mark.deep) for each in HOSTILE]
)
def test_it_gets_the_mark_of_what_it_answers(name: str, handed_in: Path) -> None:
    """No more, and no less. What it tried is in what it printed, or is the reason of the points that are lost."""
    got = mark(name, handed_in)

    reasons = "\n".join(item.seen for item in got.items if not item.is_won)
    assert HOSTILE[name].words in got.said + reasons
    assert got.score == HOSTILE[name].points, reasons
    assert SECRET not in got.said + reasons
