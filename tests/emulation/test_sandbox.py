"""Nothing is left of a run, however it ends: no process, interface, namespace, mount or file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.emulation.conftest import Finished, Start

LONG = ("run", "port-exhaustion", "--set", "ports=16", "--set", "attempts=24", "--set", "patience=60", "--json")
"""A run that is certainly under way when it is killed, since its refused attempts wait for a minute."""

WORKER = "testbed.traffic.client"
SANDBOX = ("unshare", "init", "runner")
"""The sandbox's own processes, each the child of the one before."""
ASKING_SHELLS = Path(__file__).parent / "files" / "asking_shells.py"
DEADLINE_S = 30.0


def awaited(condition: Callable[[], Any], what: str) -> Any:
    """Return the value of a condition as soon as it is true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
    return value


def processes() -> dict[int, tuple[int, str]]:
    """Return the parent and the command line of every process, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
        found[int(folder.name)] = (parent, command)
    return found


def descendants(root: int) -> dict[int, str]:
    """Return the command lines of a process and of all its descendants, by process id."""
    table = processes()
    found = {root: table[root][1]}
    while more := {
        pid: command for pid, (parent, command) in table.items() if parent in found and pid not in found
    }:
        found |= more
    return found


def surroundings(temporary: Path) -> dict[str, Any]:
    """Return what a run could leave on the machine besides processes, and namespaces with them."""
    return {
        "interfaces": subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True).stdout,
        "mounts": Path("/proc/self/mountinfo").read_text(),
        "run": [name for name in ("lastport", "openvswitch", "netns") if Path("/run", name).exists()],
        "temporary": os.listdir(temporary),
    }


@pytest.fixture
def before(temporary: Path) -> Iterator[dict[str, Any]]:
    """Return the surroundings before the run, and check that they are the same again after the test."""
    noted = surroundings(temporary)
    yield noted
    awaited(lambda: surroundings(temporary) == noted, f"the machine to be as before: {noted}")


def running(start: Start) -> tuple[subprocess.Popen[str], dict[int, str]]:
    """Start a long run, wait until its traffic flows, and return the run and its processes."""
    process = start(*LONG)
    awaited(lambda: any(WORKER in command for command in descendants(process.pid).values()), "the traffic")
    return process, descendants(process.pid)


def one(family: dict[int, str], words: str) -> int:
    """Return the first process whose command line has these words."""
    return min(pid for pid, command in family.items() if words in command)


def child(parent: int, words: str) -> int:
    """Return the first child of a process with these words. A fork has its parent's words until it executes."""
    return min(pid for pid, (its, command) in processes().items() if its == parent and words in command)


def gone(family: dict[int, str]) -> bool:
    """Return whether none of these processes lives any more."""
    now = processes()
    return not any(pid in now and now[pid][1] == command for pid, command in family.items())


@pytest.mark.parametrize(
    ("victim", "named"),
    [
        ("ovs-vswitchd unix:", "ovs-vswitchd was killed by SIGKILL"),
        ("ovsdb-server", "ovsdb-server was killed by SIGKILL"),
        ("-m controller", "controller was killed by SIGKILL"),
        (WORKER, r"tcp-client-\d+-\d+ was killed by SIGKILL"),
    ],
)
def test_a_process_that_dies_ends_the_run_at_once(
    start: Start, before: dict[str, Any], victim: str, named: str
) -> None:
    """PID 1 watches each process that the run depends on, and reports which one died."""
    process, family = running(start)

    os.kill(one(family, victim), signal.SIGKILL)
    finished = Finished(process.wait(DEADLINE_S), *process.communicate())

    assert finished.status == 4, finished.complaints
    assert finished.result["verdict"] == "error"
    assert re.search(named, finished.result["error"])
    awaited(lambda: gone(family), "its processes to end")


def test_a_shell_that_dies_ends_the_run_at_once(start: Start, before: dict[str, Any]) -> None:
    """A host has no shell until one is used. From then on, a call that waits for it must not wait for ever."""
    process = start("run", f"{ASKING_SHELLS}:AskAShell", "--json")
    awaited(lambda: any("sleep" in command for command in descendants(process.pid).values()), "the command")
    family = descendants(process.pid)
    assert not any("mininet:bob" in command for command in family.values())

    os.kill(one(family, "mininet:alice"), signal.SIGKILL)
    finished = Finished(process.wait(DEADLINE_S), *process.communicate())

    assert finished.status == 4, finished.complaints
    assert "the shell of alice was killed by SIGKILL" in finished.result["error"]
    awaited(lambda: gone(family), "its processes to end")


@pytest.mark.parametrize("which", SANDBOX)
def test_a_sandbox_whose_process_is_killed_leaves_nothing(
    start: Start, before: dict[str, Any], which: str
) -> None:
    """Each of the sandbox's own processes takes all others with it when it is killed."""
    process, family = running(start)
    victim = process.pid
    for _ in SANDBOX[: SANDBOX.index(which) + 1]:
        victim = child(victim, "testbed.sandbox.init")

    os.kill(victim, signal.SIGKILL)
    finished = Finished(process.wait(DEADLINE_S), *process.communicate())

    assert finished.status == 4, finished.complaints
    assert finished.result["verdict"] == "error"
    assert finished.result["error"]
    awaited(lambda: gone(family), "its processes to end")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_can_be_interrupted_and_keeps_its_results(
    start: Start, before: dict[str, Any], number: signal.Signals
) -> None:
    """Ctrl-C and similar signals end the run in order: results are written, with the reason."""
    process, family = running(start)

    os.kill(process.pid, number)
    finished = Finished(process.wait(DEADLINE_S), *process.communicate())

    assert finished.status == 4, finished.complaints
    assert finished.result["error"] == f"interrupted by {number.name}"
    awaited(lambda: gone(family), "its processes to end")


def test_killing_the_launcher_leaves_nothing(start: Start, before: dict[str, Any]) -> None:
    """Even SIGKILL to the outermost process leaves nothing of the run."""
    process, family = running(start)

    os.kill(process.pid, signal.SIGKILL)
    process.wait(DEADLINE_S)

    awaited(lambda: gone(family), "its processes to end")
    process.communicate()
