"""A program that a scenario runs on a host: its output is kept, and its status, when it has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from testbed.experiment.programs import Programs, users_own
from testbed.sandbox.guarded import Guarded
from testbed.sandbox.program import Order, in_memory

TIMED_OUT = 124
MOST_KEPT = 64 << 20
"""Bytes of output that are kept. More is read, and forgotten."""
READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended, with its status as a shell has it, and what it wrote."""

    host: str
    command: tuple[str, ...]
    status: int
    output: str
    errors: str


@dataclass(slots=True)
class _Kept:
    """What came through a pipe, as far as there is room."""

    text: bytearray = field(default_factory=bytearray)
    is_whole: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def read(self, pipe: int) -> None:
        """Read to the end."""
        while not self.is_whole:
            data = os.read(pipe, READ_BYTES)
            with self.changed:
                self.text += data[: max(0, MOST_KEPT - len(self.text))]
                self.is_whole = not data
                self.changed.notify_all()
        os.close(pipe)

    def __str__(self) -> str:
        return self.text.decode(errors="backslashreplace")


class Started:
    """A program that has been started on a `host`."""

    def __init__(self, host: str, command: Sequence[str], guarded: Guarded, pipes: tuple[int, int]) -> None:
        self.host, self.command = host, tuple(command)
        self._guarded = guarded
        self._output, self._errors = _Kept(), _Kept()
        reading = zip((self._output.read, self._errors.read), pipes, strict=True)
        self._threads = [threading.Thread(target=read, args=(pipe,), daemon=True) for read, pipe in reading]
        self._threads.append(threading.Thread(target=guarded.follow, daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def output(self) -> str:
        """What it has written so far."""
        return str(self._output)

    def wait_for(self, text: str, timeout: float | None = None) -> None:
        """Wait until it has written a text. Raises TimeoutError, and ChildProcessError if it ends without."""
        kept = self._output
        with kept.changed:
            in_time = kept.changed.wait_for(lambda: text in str(kept) or kept.is_whole, timeout)
            if text not in str(kept):
                error = ChildProcessError if in_time else TimeoutError
                raise error(f"{self.host}: {self.command} did not write {text!r}: {kept}, {self._errors}")

    def signal(self, number: int) -> None:
        """Send it a signal, and to what it has started."""
        self._guarded.signal(number)

    def stop(self) -> Ended:
        """End it, and return what it was."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def wait(self, timeout: float | None = None) -> Ended:
        """Wait until it has ended. After `timeout` seconds it is ended, with the status 124."""
        self._threads[-1].join(timeout)
        is_late = self._threads[-1].is_alive()
        if is_late:
            self.signal(signal.SIGKILL)
        for thread in self._threads:
            thread.join()
        errors = "\n".join(filter(None, [str(self._errors), self._guarded.complaint]))
        status = TIMED_OUT if is_late else self._guarded.status or 0
        return Ended(self.host, self.command, status, self.output, errors)


def start(programs: Programs, host: str, command: Sequence[str], *, input: bytes = b"") -> Started:
    """Start a program on a host, with `input` to read. Raises UnknownHostError."""
    environment = {name: value for name, value in users_own(os.environ).items() if name != "TMPDIR"}
    order = Order(tuple(command), os.getcwd(), environment).written()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    given = in_memory("input", input)
    (output, writes), (errors, complains) = os.pipe(), os.pipe()
    with contextlib.ExitStack() as closing:
        for descriptor in (order, given, writes, complains):
            closing.callback(os.close, descriptor)
        closing.callback(theirs.close)
        host = programs.start(host, order, theirs, (given, writes, complains))
    return Started(host, command, Guarded(ours), (output, errors))
