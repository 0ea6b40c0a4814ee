"""Tests that a busy machine may spoil: repeated alone, skipped with figures, and counted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.busy import allowed
from tests.support.paths import ROOT

SESSION = """
import pytest
from tests.support import busy

@pytest.mark.parametrize("number", range({tests}))
def test_it(number):
    if number < {busy}:
        busy.skip(busy.WORDS + " for what failed (12.0 tasks wanted its 2 processors)")
"""

ALONE = """
import os, pathlib, pytest
from tests.support import busy

@pytest.mark.parametrize("place", range(2))
def test_it(place, worker_id):
    with busy.alone():
        (folder,) = pathlib.Path(os.environ["TMPDIR"]).glob("lastport-tests-*")
    assert sorted(os.listdir(folder)) == ["lab", "turn"]
    pathlib.Path({seen!r}, worker_id).touch()
"""


@pytest.mark.parametrize(("tests", "skips"), [(1, 1), (99, 1), (100, 2), (149, 2), (150, 3)])
def test_two_in_a_hundred_may_be_skipped(tests: int, skips: int) -> None:
    """In a session of fewer, one may."""
    assert allowed(tests) == skips


@pytest.mark.parametrize(("busy", "status"), [(0, 0), (1, 0), (2, 1)])
def test_a_session_that_skips_too_many_fails(tmp_path: Path, busy: int, status: int) -> None:
    """It prints how many were skipped, and how many may be; workers of xdist add up."""
    (tmp_path / "test_it.py").write_text(SESSION.format(tests=10, busy=busy))
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.busy", "-p", "no:cacheprovider", "-n", "2"]

    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == status, done.stdout + done.stderr
    told = f"{busy} of 10 tests were skipped since the machine was too busy; 1 may be"
    assert (told in done.stdout) == (busy > 0)


def test_the_workers_of_a_session_share_locks_that_go_with_it(tmp_path: Path) -> None:
    """Nothing of it is left among the temporary files."""
    seen, temporary = tmp_path / "seen", tmp_path / "temporary"
    for folder in (seen, temporary):
        folder.mkdir()
    (tmp_path / "test_it.py").write_text(ALONE.format(seen=str(seen)))
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.busy", "-p", "no:cacheprovider", "-n", "2"]
    environment = {**os.environ, "TMPDIR": str(temporary)}

    done = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in seen.iterdir()) == ["gw0", "gw1"]
    assert [*temporary.glob("lastport-*")] == []
