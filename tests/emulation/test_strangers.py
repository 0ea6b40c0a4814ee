"""What a scenario of a user's own can do in its run: nothing to the machine, and within limits."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from testbed.run.strangers import programs
from testbed.sandbox.enter import Walled, enter
from testbed.sandbox.walls import Limits
from tests.emulation.conftest import FILES, Run
from tests.emulation.files.hostile import WRITTEN
from tests.support.hostile_strategies import HOSTILE as STRATEGIES

HOSTILE = FILES / "hostile.py"


def test_a_run_changes_nothing_on_the_machine_whatever_it_tries(run: Run, before: dict[str, Any]) -> None:
    """It is root of its own namespaces, and nobody outside of them."""
    name = socket.gethostname()
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.setblocking(False)
        port = str(service.getsockname()[1])
        finished = run("run", f"{HOSTILE}:Trying", "--set", "clients=1", "--json", NAMED=name, PORT=port)
        with pytest.raises(BlockingIOError):
            service.accept()

    assert finished.status == 0, finished.output + finished.complaints
    assert socket.gethostname() == name
    assert [folder for folder in WRITTEN if os.path.lexists(f"{folder}/lastport-was-here")] == []


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("Forking", "BlockingIOError: [Errno 11]"),
        ("Taking", "OSError: [Errno 12]"),
        ("Printing", "OSError: [Errno 28]"),
        ("Forging", "it reported what no scenario reports: check at /check: found"),
    ],
)
def test_a_run_that_takes_more_than_it_may_is_ended_with_the_reason(
    run: Run, before: dict[str, Any], scenario: str, words: str
) -> None:
    """By the number of its processes, the memory of each, what its files take, and the shape of its records."""
    finished = run("run", f"{HOSTILE}:{scenario}", "--set", "clients=1", "--json")

    assert finished.status == 4, finished.output + finished.complaints
    assert finished.result["error"].startswith(words)


def test_an_allocator_that_patches_what_judges_is_judged_all_the_same(
    run: Run, before: dict[str, Any], tmp_path: Path
) -> None:
    """Its file is imported by the controller, which has no rights over other processes, and by no judge."""
    own = tmp_path / "own.py"
    own.write_text(STRATEGIES["patches the classes that judge"].source("allocator"))
    small = ("--set", "ports=4", "--set", "attempts=8", "--set", "clients=2", "--set", "patience=1")
    finished = run("run", "port-exhaustion", "--allocator", str(own), *small, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert "exactly 4 attempts are established" in finished.failed


def test_a_run_that_takes_too_long_is_ended_with_the_reason(before: dict[str, Any]) -> None:
    """The launcher ends it, whatever becomes of the processes in the sandbox."""
    limits = Limits(processes=64, memory=1 << 30)
    walled = Walled(programs(), [], limits, within_s=1.0)
    entered, _, broken = enter({"seconds": 600}, "tests.support.sleeping:sleep", walled=walled)

    assert entered["kind"] == "entered"
    assert broken["reason"] == "it took longer than 1 s, which is all that a file of one's own may take"


def test_root_s_run_is_nobody_s(before: dict[str, Any]) -> None:
    """Its users are none of the machine's."""
    walled = Walled(programs(), [], Limits(processes=64, memory=1 << 30), within_s=60.0)
    _, _, told, *_ = enter({}, "tests.support.sleeping:tell_users", walled=walled)

    users = {int(line.split()[1]) for line in told["users"].splitlines()}
    assert not users & {0, 65534} or os.geteuid() != 0
