"""Nothing is left of a run, however it ends: no process, interface, namespace, mount or file."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.emulation.conftest import FILES, Finished, Run, Start
from tests.support.processes import DEADLINE_S, awaited, child, descendants, gone, one

LONG = ("run", "port-exhaustion", "--set", "ports=16", "--set", "attempts=24", "--set", "patience=60", "--json")
"""A run that is certainly under way when it is killed, since its refused attempts wait for a minute."""

WORKER = "testbed.traffic.client"
SANDBOX = ("unshare", "init", "runner")
"""The sandbox's own processes, each the child of the one before."""
ASKING_SHELLS = Path(__file__).parent / "files" / "asking_shells.py"


def running(start: Start) -> tuple[subprocess.Popen[str], dict[int, str]]:
    """Start a long run, wait until its traffic flows, and return the run and its processes."""
    process = start(*LONG)
    awaited(lambda: any(WORKER in command for command in descendants(process.pid).values()), "the traffic")
    return process, descendants(process.pid)


@pytest.mark.parametrize(
    ("victim", "named"),
    [
        ("ovs-vswitchd unix:", "ovs-vswitchd was killed by SIGKILL"),
        ("ovsdb-server", "ovsdb-server was killed by SIGKILL"),
        ("-m controller", "controller was killed by SIGKILL"),
        (WORKER, r"tcp-client-\d+-\d+ was killed by SIGKILL"),
        ("mininet:gateway", "the shell of gateway was killed by SIGKILL"),
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


@pytest.mark.parametrize(("scenario", "node"), [("AskAShell", "alice"), ("AskTheGateway", "gateway")])
def test_a_shell_that_dies_ends_the_run_at_once(
    start: Start, before: dict[str, Any], scenario: str, node: str
) -> None:
    """A node has no shell until one is used. From then on, a call that waits for it must not wait for ever."""
    process = start("run", f"{ASKING_SHELLS}:{scenario}", "--json")
    awaited(lambda: any("sleep" in command for command in descendants(process.pid).values()), "the command")
    family = descendants(process.pid)
    assert not any("mininet:bob" in command for command in family.values())

    os.kill(one(family, f"mininet:{node}"), signal.SIGKILL)
    finished = Finished(process.wait(DEADLINE_S), *process.communicate())

    assert finished.status == 4, finished.complaints
    assert finished.result["error"] == f"the shell of {node} was killed by SIGKILL"
    awaited(lambda: gone(family), "its processes to end")


def test_a_controller_that_ends_before_it_listens_ends_the_run_at_once(run: Run, before: dict[str, Any]) -> None:
    """Its last words are the reason, and nobody waits until it would have been late."""
    finished = run("run", "port-exhaustion", "--gateway", f"{FILES}/broken_gateways.py:Stillborn", "--json")

    assert finished.status == 4, finished.complaints
    assert finished.result["error"] == "gateway's controller ended with status 3"
    assert finished.result["last_words"] == "This controller has no licence."
    assert finished.result["duration_s"] < 30


def test_a_process_that_is_stopped_ends_the_run(start: Start, before: dict[str, Any]) -> None:
    """A call that waits for it would wait for a minute."""
    process, family = running(start)

    os.kill(one(family, "-m controller"), signal.SIGSTOP)
    finished = Finished(process.wait(DEADLINE_S), *process.communicate())

    assert finished.status == 4, finished.complaints
    assert finished.result["error"] == "gateway's controller was stopped by a signal, and did not go on"
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
    who = "the scenario's process" if which == "runner" else "the sandbox's first process"
    assert finished.result["error"].startswith(f"{who} was killed")
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
