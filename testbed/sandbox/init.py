"""PID 1 of a sandbox: prepares it, starts the runner, and watches every process that the run lives by.

`unshare` starts it, and it knows nothing of networks. When it ends, for whatever reason, the kernel ends every
process in the sandbox.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.sandbox import mounts
from testbed.sandbox.linux import CAP_SYS_PTRACE, allow_tracing, drop_capabilities, prepare_network
from testbed.sandbox.records import Channel

LAST_WORDS_BYTES = 2000
REAP_EVERY_MS = 1000
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
    name = "Mininet's command" if on_terminal else "scenario"
    Watch(channel, ours, Watched(name, pid, str(log))).until_the_end()


def _print_to(log: Path) -> None:
    with log.open("w") as words:
        os.dup2(words.fileno(), 1)
        os.dup2(words.fileno(), 2)


def _run(job: dict[str, Any], channel: Channel, supervision: socket.socket) -> None:
    """Be the runner. PID 1 ends it; it ends by itself only if it fails."""
    # Imported here: PID 1 itself stays small, and starts at once.
    from testbed.sandbox.supervision import Supervisor

    module, _, name = sys.argv[2].partition(":")
    try:
        getattr(importlib.import_module(module), name)(job, channel, Supervisor(supervision))
    finally:
        sys.stderr.flush()
        os._exit(1)


class Watch:
    """The main loop of PID 1."""

    def __init__(self, channel: Channel, supervision: socket.socket, runner: Watched) -> None:
        self._channel = channel
        self._supervision = supervision
        self._runner = runner
        self._watched: dict[int, Watched] = {}
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)
        self._poll.register(supervision.fileno(), select.POLLIN)
        self._is_over = False
        self._watch(runner)

    def until_the_end(self) -> None:
        """Return when the run is over, or cannot go on."""
        while True:
            ready = {descriptor for descriptor, _ in self._poll.poll(REAP_EVERY_MS)}
            if self._channel.fileno() in ready:
                return  # the launcher is gone
            # When the run is over, processes end. So first read whether it is.
            while self._hear():
                pass
            if self._is_over:
                return
            for descriptor in ready & self._watched.keys():
                self._ended(self._watched[descriptor])
                return
            self._reap()

    def _hear(self) -> bool:
        try:
            message = self._supervision.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not message:
            self._poll.unregister(self._supervision.fileno())
            return False
        order = json.loads(message)
        if order["do"] == "watch":
            self._watch(Watched(order["name"], order["pid"], order["log"]))
        else:
            self._is_over = True
        return True

    def _watch(self, process: Watched) -> None:
        try:
            descriptor = os.pidfd_open(process.pid)
        except ProcessLookupError:
            self._watched[-process.pid] = process
            return self._ended(process)
        self._watched[descriptor] = process
        self._poll.register(descriptor, select.POLLIN)
        return None

    def _ended(self, process: Watched) -> None:
        """Send the launcher the reason why the run ends here."""
        how = _how_it_ended(process.pid)
        os.kill(self._runner.pid, signal.SIGKILL)  # it must not write any more
        self._channel.end_line()
        self._channel.send("broken", reason=f"{process.name} {how}", last_words=_last_words(process.log))

    def _reap(self) -> None:
        """Reap the orphans. The runner, the only child of PID 1, is left for `_ended`."""
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or found.si_pid == self._runner.pid:
                return
            os.waitpid(found.si_pid, 0)


def _how_it_ended(pid: int) -> str:
    """Return how a dead process ended, in words: by its exit status. It need not be a child of this one."""
    try:
        status = int(Path(f"/proc/{pid}/stat").read_text().rsplit(maxsplit=1)[1])
    except (OSError, ValueError):
        return "ended"
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.WEXITSTATUS(status)}"


def _last_words(log: str) -> str:
    try:
        return Path(log).read_bytes()[-LAST_WORDS_BYTES:].decode(errors="replace").strip()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
