"""Submissions that cheat or harm: each gets the mark of what it answers, learns no secret, and leaves nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.labs.grading import Mark, grade
from testbed.labs.submission import Hidden
from testbed.labs.variants import course
from tests.support.hostile import (
    ALLOCATOR,
    CHECK,
    HOSTILE,
    HOSTILE_CHECKS,
    HOSTILE_POLICIES,
    POLICY,
    Hostile,
    Kind,
)
from tests.support.paths import ROOT
from tests.support.processes import processes
from tests.support.walled import needs_walls

pytestmark = needs_walls
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


def mark(kind: Kind, hostile: Hostile, handed_in: Path) -> Mark:
    """Return the mark of a submission of alice's."""
    key = handed_in.parent / "key" / "course.key"
    key.parent.mkdir()
    key.write_text(SECRET)
    key.chmod(0o600)
    own = course(key)
    source = hostile.source(kind, handed_in=str(handed_in), key=str(key.parent), checkout=str(ROOT))
    file = handed_in / "alice.py"
    file.write_text(kind.own(source, dict(own.variant(kind.lab, "alice"))))
    return grade(kind.lab, file, own, "alice", Hidden.of(file, key))


def require(got: Mark, hostile: Hostile, points: int) -> None:
    """Require the points, words that show what was tried, and that no secret is in what was said."""
    reasons = "\n".join(item.seen for item in got.items if not item.is_won)
    assert got.score == points, got.said + reasons
    assert hostile.words in got.said + reasons
    assert SECRET not in got.said + reasons


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in USUAL else pytest.mark.deep) for each in HOSTILE]
)
def test_it_gets_the_mark_of_what_it_answers(name: str, handed_in: Path) -> None:
    """No more, and no less. What it tried is in what it printed, or is the reason of the points that are lost."""
    require(mark(ALLOCATOR, HOSTILE[name], handed_in), HOSTILE[name], HOSTILE[name].points)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param(
            kind,
            name,
            id=f"{what}-{name}",
            marks=[] if name == "reads the key, the checkout and the others" else pytest.mark.deep,
        )
        for what, kind, corpus in (("policy", POLICY, HOSTILE_POLICIES), ("check", CHECK, HOSTILE_CHECKS))
        for name in corpus
    ],
)
def test_a_policy_and_a_check_get_the_mark_of_what_they_answer(kind: Kind, name: str, handed_in: Path) -> None:
    """By the same walls: what is another kind is what they are asked."""
    hostile = (HOSTILE_POLICIES if kind is POLICY else HOSTILE_CHECKS)[name]
    points = kind.lab.points if hostile.points == 1 else hostile.points

    require(mark(kind, hostile, handed_in), hostile, points)
