"""PID 1's main loop, with real processes and sockets: which death ends a run, and which reason counts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed.sandbox.supervision import MOST_LETTERS, Supervisor
from tests.support.processes import DEADLINE_S, awaited

SLEEPER = [sys.executable, "-c", "import time; print('I sleep', flush=True); time.sleep(600)"]
LOOP = """
import socket, sys
from testbed.sandbox import init
from testbed.sandbox.records import Channel

class InSteps(init.Watch):
    def _look(self):
        is_asked = looks.recv(1)
        found = super()._look()
        if is_asked:
            looks.send(b".")
        return found

channel, orders, looks = (socket.socket(fileno=int(number)) for number in sys.argv[1:4])
runner = init.Watched("the scenario's process", int(sys.argv[4]), sys.argv[5])
Watch = InSteps if sys.argv[7] == "True" else init.Watch
Watch(Channel(channel), orders, runner, may_stop=sys.argv[6] == "True").until_the_end()
"""
STEPS = 5


@dataclass
class Watching:
    """A running main loop, its runner and the orders from there, and the launcher's end of its records."""

    loop: subprocess.Popen[bytes]
    runner: subprocess.Popen[bytes]
    orders: socket.socket
    launcher: socket.socket
    looks: socket.socket
    folder: Path
    begun: list[subprocess.Popen[bytes]]
    """All processes, so that none outlives the test."""

    def started(self, name: str) -> subprocess.Popen[bytes]:
        """Start a process that is watched, and wait until it has said something."""
        log = self.folder / name
        process = Supervisor(self.orders).start(name, SLEEPER, log)
        self.begun.append(process)
        awaited(log.read_text, "its first words")
        return process

    def look(self) -> None:
        """Have a loop that goes in steps look which processes stand still."""
        self.looks.send(b"?")
        assert self.looks.recv(1) == b"."

    def fails(self, reason: str, words: str = "") -> None:
        """Send the order of a runner that has failed, which then only waits."""
        threading.Thread(target=Supervisor(self.orders).fail, args=(reason, words), daemon=True).start()

    def records(self) -> list[dict[str, Any]]:
        """Return what the launcher gets until the loop ends."""
        self.loop.wait(DEADLINE_S)
        with self.launcher.makefile("rb") as lines:
            return [json.loads(line) for line in lines if line.strip()]

    def reason(self) -> str:
        """Return the reason in the one record that the launcher gets."""
        (record,) = self.records()
        return str(record["reason"])


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watching]]:
    """Start the main loop for a runner, which is a process that sleeps; in steps it looks only when asked."""
    started: list[subprocess.Popen[bytes]] = []

    def watch(*, may_stop: bool = False, in_steps: bool = False) -> Watching:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        launcher, sandbox = socket.socketpair()
        looks, asked = socket.socketpair()
        looks.settimeout(DEADLINE_S)
        log = tmp_path / "runner.log"
        with log.open("w") as words:
            runner = subprocess.Popen(SLEEPER, stdout=words)
        started.append(runner)
        numbers = [sandbox.fileno(), theirs.fileno(), asked.fileno()]
        arguments = [*map(str, numbers), str(runner.pid), str(log), str(may_stop), str(in_steps)]
        loop = subprocess.Popen([sys.executable, "-c", LOOP, *arguments], pass_fds=numbers)
        started.append(loop)
        sandbox.close()
        theirs.close()
        asked.close()
        return Watching(loop, runner, ours, launcher, looks, tmp_path, started)

    yield watch
    for process in started:
        process.kill()
        process.wait()


Start = Callable[..., Watching]


def state(pid: int) -> str:
    """Return the state of a process, in the kernel's letters."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]


def test_a_watched_process_that_dies_ends_the_run_with_its_last_words(watching: Start) -> None:
    """The runner is killed at once: it must not report any more."""
    at = watching()
    at.started("the controller").kill()

    assert at.records() == [
        {"kind": "broken", "reason": "the controller was killed by SIGKILL", "last_words": "I sleep"}
    ]
    assert at.runner.wait() == -signal.SIGKILL


def test_the_runner_s_own_death_is_told_whether_its_socket_or_its_end_is_seen_first(watching: Start) -> None:
    """The end of its orders alone is no reason to stop watching."""
    at = watching()
    at.orders.close()
    os.kill(at.runner.pid, signal.SIGTERM)

    assert at.reason() == "the scenario's process was killed by SIGTERM"


def test_a_death_is_the_reason_for_what_the_runner_raised_because_of_it(watching: Start) -> None:
    """A closed socket shows before its process has ended."""
    at = watching()
    process = at.started("a worker")
    at.loop.send_signal(signal.SIGSTOP)  # so that it sees both at once
    at.fails("BrokenPipeError: [Errno 32] Broken pipe")
    process.send_signal(signal.SIGABRT)
    awaited(lambda: os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), "its end")
    at.loop.send_signal(signal.SIGCONT)

    assert at.reason() == "a worker was killed by SIGABRT"


def test_without_a_death_the_runner_s_own_reason_counts(watching: Start) -> None:
    """Words of any length and alphabet fit in the order."""
    at = watching()
    at.started("a worker")
    at.fails("\N{PILE OF POO}" * 9000, "\N{PILE OF POO}" * 9000)

    (told,) = at.records()
    assert (len(told["reason"]), len(told["last_words"])) == (MOST_LETTERS, MOST_LETTERS)


@pytest.mark.parametrize("may_stop", [False, True])
def test_a_process_that_is_stopped_ends_the_run_but_at_a_terminal(watching: Start, may_stop: bool) -> None:
    """At a terminal, Ctrl-Z stops processes in good order."""
    at = watching(may_stop=may_stop)
    process = at.started("the switch")
    process.send_signal(signal.SIGSTOP)
    if may_stop:
        with pytest.raises(subprocess.TimeoutExpired):
            at.loop.wait(2.0)
        process.kill()

    how = "was killed by SIGKILL" if may_stop else "was stopped by a signal, and did not go on"
    assert at.reason() == f"the switch {how}"


def test_a_process_that_is_stopped_again_and_again_goes_on(watching: Start) -> None:
    """Each look may find it stopped, and it has run meanwhile."""
    at = watching(in_steps=True)
    process = at.started("the switch")
    for _ in range(STEPS):
        process.send_signal(signal.SIGSTOP)
        awaited(lambda: state(process.pid) == "T", "its stop")
        at.look()
        process.send_signal(signal.SIGCONT)
        awaited(lambda: state(process.pid) == "S", "its sleep")
    process.kill()
    at.looks.close()

    assert at.reason() == "the switch was killed by SIGKILL"


def test_a_process_that_is_gone_before_it_is_watched_ends_the_run(watching: Start) -> None:
    """Nothing is left of it but its name."""
    at = watching()
    gone = subprocess.Popen(["true"])
    gone.wait()
    Supervisor(at.orders).watch("the short one", gone.pid, at.folder / "none")

    assert at.reason() == "the short one ended"


def test_a_run_that_is_over_has_no_death_to_tell(watching: Start) -> None:
    """Its processes end with it."""
    at = watching()
    process = at.started("a worker")
    at.orders.send(b'{"do": "end"}')
    process.kill()

    assert at.records() == []
