"""Tests in real labs: each runs `lastport` as a user would, and examines what it prints and leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.experiment.judged import JUDGED
from tests.support import busy
from tests.support.machines import own_mounts, own_network
from tests.support.processes import awaited
from tests.support.reports import require_conforming

for number in (signal.SIGINT, signal.SIGHUP):  # tests that are started in the background ignore them
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

COMMAND = [sys.executable, "-P", "-c", "from testbed.command.cli import main; main()"]
FILES = Path(__file__).parent / "files"
BROKEN = FILES / "broken_gateways.py"
PERJURERS = FILES / "perjurers.py"
DEADLINE_S = 600
"""Seconds after which a command will not end, on a machine of whatever speed."""

SMALL = ("--set", "ports=16", "--set", "attempts=24", "--set", "clients=3")
"""A size at which a run takes little more than twice its patience."""


@dataclass(frozen=True)
class Finished:
    """A command that has ended: its exit status, and what it printed on standard output and standard error."""

    status: int
    output: str
    complaints: str

    @property
    def result(self) -> dict[str, Any]:
        """The object that `--json` printed, which must be all that it printed."""
        parsed: dict[str, Any] = json.loads(self.output)
        require_conforming(parsed)
        return parsed

    @property
    def own_checks(self) -> list[dict[str, Any]]:
        """The checks of the scenario itself, without those that follow every scenario."""
        return [check for check in self.result["checks"] if check["key"] not in JUDGED]

    @property
    def failed(self) -> list[str]:
        """The claims that did not hold."""
        return [check["claim"] for check in self.result["checks"] if not check["ok"]]

    @property
    def too_busy(self) -> str:
        """The reason why the run has no verdict, if it is that the machine was too busy, or ""."""
        said = f"{self.output}{self.complaints}"
        at = said.find(busy.WORDS) if self.status == 4 else -1
        return "" if at < 0 else re.split(r'["\n]', said[at:])[0]

    def check(self, words: str) -> dict[str, Any]:
        """Return the one check whose claim has these words."""
        (found,) = [check for check in self.result["checks"] if words in check["claim"]]
        return found


Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., Finished]


@pytest.fixture(scope="session", autouse=True)
def machine() -> None:
    """Skip all tests if there can be no lab: without root, on a machine that allows labs to root only."""
    done = subprocess.run([*COMMAND, "doctor"], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    if done.returncode == 3 and os.geteuid() != 0:
        pytest.skip("this machine has labs for root only: sudo ./lastport test")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Return a folder for the temporary files of a run."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def start(tmp_path: Path, temporary: Path) -> Iterator[Start]:
    """Start the command in a folder of its own, and return the process, which does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={**os.environ, "TMPDIR": str(temporary), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    # One that hangs would be a load on all later tests. The lab ends with it, and the pipes with the lab.
    for process in started:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def run(start: Start) -> Run:
    """Run the command in a folder of its own to its end.

    If the machine was too busy for what it found, run it again, alone. If that does not help, skip the test.
    """

    def once(*arguments: str, **environment: str) -> Finished:
        process = start(*arguments, **environment)
        output, complaints = process.communicate(timeout=DEADLINE_S)
        return Finished(process.returncode, output, complaints)

    def run(*arguments: str, **environment: str) -> Finished:
        with busy.one_of_many():
            finished = once(*arguments, **environment)
        if finished.too_busy and "--out" not in arguments:
            with busy.alone():
                finished = once(*arguments, **environment)
            if finished.too_busy:
                busy.skip(finished.too_busy)
        return finished

    return run


def surroundings(temporary: Path) -> dict[str, Any]:
    """Return what a run could leave on the machine besides processes, and namespaces with them."""
    return {
        "interfaces": subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout,
        "mounts": Path("/proc/thread-self/mountinfo").read_text(),
        "run": [name for name in ("lastport", "openvswitch", "netns") if Path("/run", name).exists()],
        "temporary": os.listdir(temporary),
    }


@pytest.fixture
def before(temporary: Path) -> Iterator[dict[str, Any]]:
    """Return the surroundings before the run, and check that they are the same again after the test.

    Network and mounts are the test's own, since other tests run at the same time, and other programs. A fixture
    that starts a run depends on this one.
    """
    with own_network(), own_mounts():
        noted = surroundings(temporary)
        yield noted
        awaited(lambda: surroundings(temporary) == noted, f"the machine to be as before: {noted}")
