"""The user's end of a prompt in the sandbox: what is typed goes in, and what is printed comes out.

    user's terminal   <- bytes ->   a terminal of the prompt's own   <- the kernel ->   the prompt, in the sandbox

The prompt never has the user's own terminal, and nothing in the sandbox can type into it. Ctrl-C is a byte like
any other here. It ends a command at the prompt's terminal, and reaches neither the launcher nor what the lab lives
by. Ctrl-Z stops the launcher, and the lab goes on.

Where no terminal is on both sides, commands come from standard input as they are: from a file or a pipe.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from testbed.run.guest import Guest

IN, OUT, ERRORS = "prompt-in", "prompt-out", "prompt-errors"
FILES = (IN, OUT, ERRORS)
"""What the sandbox gets open for a prompt, by name. All three are one terminal, or they are a script's."""
READ_BYTES = 1 << 16
MOST_OF_LINE = 4096
"""The most bytes of an unfinished line that are drawn again after Ctrl-Z."""
LAST_OUTPUT_MS = 100
"""Milliseconds of silence after which nothing more of a prompt that is over is expected."""
_SUSPEND = 10
"""The place of Ctrl-Z among a terminal's control characters (termios.VSUSP)."""


class Conversation(Guest):
    """Standard input, output and error for a prompt, without a terminal."""

    def __init__(self) -> None:
        self.files = {
            name: os.fdopen(os.dup(each.fileno()), mode)
            for name, each, mode in ((IN, sys.stdin, "rb"), (OUT, sys.stdout, "wb"), (ERRORS, sys.stderr, "wb"))
        }

    def see(self, record: dict[str, Any]) -> None:
        """Take a record of the sandbox: the prompt begins, or is over."""

    def close(self) -> None:
        """Give back what is open."""
        for file in self.files.values():
            with contextlib.suppress(OSError):
                file.close()


class AtTerminal(Conversation):
    """A terminal for the prompt. While the prompt lasts, bytes are copied between it and the user's."""

    def __init__(self) -> None:
        self._ours, theirs = os.openpty()
        termios.tcsetattr(theirs, termios.TCSANOW, termios.tcgetattr(sys.stdin))
        self.files = {
            name: os.fdopen(each, "r+b", buffering=0)
            for name, each in ((IN, theirs), (OUT, os.dup(theirs)), (ERRORS, os.dup(theirs)))
        }
        self._fit()
        self._copied: _Copied | None = None

    def see(self, record: dict[str, Any]) -> None:
        """Take a record of the sandbox: the prompt begins, or is over."""
        if record["kind"] == "prompt" and self._copied is None:
            self._before = signal.signal(signal.SIGWINCH, lambda *_: self._fit())
            self._copied = _Copied(self._ours, self._fit)
        elif record["kind"] == "prompt_ended":
            self._leave()

    def close(self) -> None:
        """Leave the user's terminal as it was."""
        self._leave()
        super().close()
        os.close(self._ours)

    def _leave(self) -> None:
        if self._copied is not None:
            self._copied.stop()
            self._copied = None
            signal.signal(signal.SIGWINCH, self._before)

    def _fit(self) -> None:
        """Make the prompt's terminal as large as the user's."""
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(sys.stdin.fileno(), termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)


class _Copied:
    """Two threads, one for each direction: a terminal that takes no bytes must not keep the other waiting."""

    def __init__(self, prompt: int, fit: Callable[[], None]) -> None:
        self._prompt, self._fit = prompt, fit
        self._user, self._screen = sys.stdin.fileno(), sys.stdout.fileno()
        self._modes = termios.tcgetattr(self._user)
        self._over, self._end = os.pipe()
        self._line = b""
        tty.setraw(self._user, termios.TCSADRAIN)
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._typed, self._printed)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Copy what is still to be printed, and give the user's terminal its modes back."""
        os.close(self._end)
        for thread in self._threads:
            thread.join()
        os.close(self._over)
        self._restore()

    def _restore(self) -> None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._user, termios.TCSADRAIN, self._modes)

    def _typed(self) -> None:
        suspend = self._modes[6][_SUSPEND]
        for data in _parts(self._user, self._over):
            *before, rest = data.split(suspend)
            for part in before:
                _write(self._prompt, part)
                self._stop_as_asked()
            _write(self._prompt, rest)

    def _printed(self) -> None:
        for data in itertools.chain(_parts(self._prompt, self._over), _rest(self._prompt)):
            self._line = (self._line + data).rpartition(b"\n")[2][-MOST_OF_LINE:]
            _write(self._screen, data)

    def _stop_as_asked(self) -> None:
        """Stop this process. What is typed after `fg` is the prompt's again."""
        self._restore()
        signal.raise_signal(signal.SIGTSTP)  # to this thread: it must not go on before all of them are stopped
        tty.setraw(self._user, termios.TCSADRAIN)
        self._fit()
        _write(self._screen, self._line)


def _parts(descriptor: int, over: int) -> Iterator[bytes]:
    """Yield what can be read, until the end of it or of the conversation."""
    poll = select.poll()
    for each in (descriptor, over):
        poll.register(each, select.POLLIN)
    while over not in {ready for ready, _ in poll.poll()}:
        data = _read(descriptor)
        if not data:
            return
        yield data


def _rest(descriptor: int) -> Iterator[bytes]:
    """Yield what was printed last, until nothing comes for a moment."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while poll.poll(LAST_OUTPUT_MS):
        data = _read(descriptor)
        if not data:
            return
        yield data


def _read(descriptor: int) -> bytes:
    """Return what is there; nothing at the end, which a terminal reports as an error."""
    try:
        return os.read(descriptor, READ_BYTES)
    except OSError:
        return b""


def _write(descriptor: int, data: bytes) -> None:
    """Write all, unless nobody takes it any more."""
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(descriptor, data) :]


@contextmanager
def conversation() -> Iterator[Conversation]:
    """Give a conversation by what this process has for standard input and output."""
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    held = AtTerminal() if at_terminal else Conversation()
    try:
        yield held
    finally:
        held.close()
