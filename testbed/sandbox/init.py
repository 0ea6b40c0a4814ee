"""PID 1 of a sandbox: prepares it, starts the runner, and watches every process that the run lives by.

`unshare` starts it, and it knows nothing of networks. When it ends, for whatever reason, the kernel ends every
process in the sandbox.

It alone decides why a run broke. When the runner fails, that may be since another process has just died: then
this death is the reason, whatever the runner raised.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.sandbox import deaths, mounts
from testbed.sandbox.linux import CAP_SYS_PTRACE, allow_tracing, drop_capabilities, prepare_network
from testbed.sandbox.records import Channel

MOST_BYTES = 1 << 17
"""Bytes of an order at most."""
LOOK_EVERY_S = 0.5
"""Seconds after which PID 1 reaps orphans, and looks which processes stand still."""
MOST_IN_FILES = "256m"
"""What the files of a stranger's code may take, among them what it prints."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A process that must not end before the run does."""

    name: str
    pid: int
    log: str


def main() -> None:
    """Prepare the sandbox, fork the runner, and watch it until the run is over."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for what runs, and ends no sandbox
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    channel.send("begun")
    try:
        job = channel.job()
        on_terminal, is_walled = job.pop("on_terminal"), job.pop("is_walled")
        mounts.prepare(**({"most": MOST_IN_FILES} if is_walled else {}))
        prepare_network()
        if is_walled:
            _print_to(mounts.FOLDER / "init.log")  # which is not the machine's, as what it has printed to so far
            allow_tracing(allowed=False)
    except OSError as error:
        channel.send("unable", reason=f"the sandbox could not be prepared: {error}")
        return
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    log = mounts.FOLDER / "runner.log"
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ours.close()
        if not on_terminal:
            _print_to(log)
        if is_walled:
            drop_capabilities([CAP_SYS_PTRACE])
            allow_tracing(allowed=True)  # of this process, whose open files are a way into the hosts' namespaces
        _run(job, channel, theirs)
    theirs.close()
    name = "Mininet's command" if on_terminal else "the scenario's process"
    # At a terminal, Ctrl-Z stops processes in good order.
    Watch(channel, ours, Watched(name, pid, str(log)), may_stop=on_terminal).until_the_end()


def _print_to(log: Path) -> None:
    """Have what this process prints go to a log line by line, so that its last words are there if it is killed."""
    with log.open("w") as words:
        os.dup2(words.fileno(), 1)
        os.dup2(words.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # it is a file's
    faulthandler.enable()


def _run(job: dict[str, Any], channel: Channel, supervision: socket.socket) -> None:
    """Be the runner. PID 1 ends it; it ends by itself only if it fails."""
    # Imported here: PID 1 itself stays small, and starts at once.
    from testbed.sandbox.supervision import Supervisor

    module, _, name = sys.argv[2].partition(":")
    try:
        getattr(importlib.import_module(module), name)(job, channel, Supervisor(supervision))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


class Watch:
    """The main loop of PID 1. With `may_stop`, a process that a signal stops is no reason to end the run."""

    def __init__(
        self, channel: Channel, supervision: socket.socket, runner: Watched, *, may_stop: bool = False
    ) -> None:
        self._channel = channel
        self._supervision = supervision
        self._runner = runner
        self._may_stop = may_stop
        self._watched: dict[int, Watched] = {}
        self._gone: list[Watched] = []
        self._stopped: dict[Watched, int] = {}
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self._failure: dict[str, Any] | None = None
        self._is_over = False
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)
        self._poll.register(supervision.fileno(), select.POLLIN)
        self._watch(runner)

    def until_the_end(self) -> None:
        """Return when the run is over, or cannot go on."""
        while True:
            wait_s = max(0.0, self._look_at - time.monotonic())
            ready = {descriptor for descriptor, _ in self._poll.poll(wait_s * 1000)}
            if self._channel.fileno() in ready:
                return  # the launcher is gone
            # When the run is over, processes end. So first read whether it is.
            if self._supervision.fileno() in ready:
                self._hear()
            if self._is_over or self._breaks_off(ready):
                return

    def _hear(self) -> None:
        """Take the runner's orders. When it is dead, its end of the socket is closed, and there are no more."""
        while True:
            try:
                message = self._supervision.recv(MOST_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if not message:
                self._poll.unregister(self._supervision.fileno())
                return
            order = json.loads(message)
            match order.pop("do"):
                case "watch":
                    self._watch(Watched(**order))
                case "fail":
                    self._failure = order
                case "end":
                    self._is_over = True

    def _watch(self, process: Watched) -> None:
        """Watch a process, unless it is watched already."""
        if any(process.pid == each.pid for each in self._watched.values()):
            return
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            self._gone.append(process)
            return
        self._watched[descriptor] = process
        self._poll.register(descriptor, select.POLLIN)

    def _breaks_off(self, ready: set[int]) -> bool:
        """Whether the run cannot go on. In this case the launcher is sent the reason."""
        if cause := self._cause(ready):
            self._send(*cause)
        return cause is not None

    def _cause(self, ready: set[int]) -> tuple[str, str] | None:
        """Return the reason why the run cannot go on, with last words.

        A process that ends closes its sockets before its end can be seen. So another may fail by that first, and
        must wait for the one that is ending.
        """
        dead = [*self._gone, *(self._watched[descriptor] for descriptor in ready & self._watched.keys())]
        others = [each for each in self._watched.values() if each is not self._runner]
        if self._failure is None and deaths.is_ending(self._runner.pid):  # which workers do not survive
            return self._told(self._runner) if self._runner in dead else None
        if dead := [each for each in dead if each is not self._runner]:
            return self._told(dead[0])
        if self._failure is not None:
            is_first = not any(deaths.is_ending(each.pid) for each in others)
            return (self._failure["reason"], self._failure["last_words"]) if is_first else None
        return self._look() if time.monotonic() >= self._look_at else None

    def _told(self, process: Watched, how: str = "") -> tuple[str, str]:
        """Return how a process ended, and its last words."""
        how = how or deaths.how_it_ended(process.pid)
        return f"{process.name} {how}", deaths.last_words(process.log)

    def _look(self) -> tuple[str, str] | None:
        """Reap the orphans. Return the reason if a process is stopped now, and has not run since the last look."""
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self._reap()
        before = self._stopped
        looked = {each: deaths.stopped(each.pid) for each in self._watched.values()}
        self._stopped = {each: runs for each, runs in looked.items() if runs is not None}
        standing = [] if self._may_stop else [*(before.items() & self._stopped.items())]
        return self._told(standing[0][0], "was stopped by a signal, and did not go on") if standing else None

    def _send(self, reason: str, last_words: str) -> None:
        """Send the launcher the reason why the run ends here."""
        os.kill(self._runner.pid, signal.SIGKILL)  # it must not write any more
        self._channel.end_line()
        self._channel.send("broken", reason=reason, last_words=last_words)

    def _reap(self) -> None:
        """Reap the orphans. How a watched process ended has to stay there to be read."""
        kept = {self._runner.pid, *(each.pid for each in self._watched.values())}
        with contextlib.suppress(ChildProcessError):
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if found.si_pid in kept:
                    return
                os.waitpid(found.si_pid, 0)


if __name__ == "__main__":
    main()
