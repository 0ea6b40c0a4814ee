"""The user's terminal as that of a program in the sandbox: every key goes there, and what it writes comes here.

The program has a terminal of its own, which knows its Ctrl-C and Ctrl-Z, and this one passes them on as they are.
So while the program runs, the user's terminal is in raw mode. If the program stops, the terminal has its own mode
again and this process stops as well, so that the user's shell takes over. `fg` lets both go on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import stat
import struct
import termios
import threading
import tty
from typing import Any

from testbed.exec.lines import write_all
from testbed.sandbox.guarded import Guarded

READ_BYTES = 1 << 16
STOPS_WITHIN_S = 1.0
"""Seconds after which a signal that should have stopped this process did not: nobody would let it go on."""
_SIZE = struct.Struct("4H")


def at_terminal() -> tuple[int, ...]:
    """Return which of the standard files are to be a program's terminal: those that are the user's.

    There are none where the input is no terminal. In a pipe to another program, which may use the same terminal as
    `less` does, there are none either.
    """
    if not os.isatty(0) or stat.S_ISFIFO(os.fstat(1).st_mode):
        return ()
    return tuple(number for number in range(3) if os.isatty(number))


def is_in_background() -> bool:
    """Return whether the standard input is a terminal that another job of the shell has."""
    try:
        return os.tcgetpgrp(0) != os.getpgrp()
    except OSError:  # it is none, or nobody's
        return False


class Terminal:
    """The user's terminal while one program has it. Give its methods to the program's `Guarded`."""

    def __init__(self) -> None:
        self._mode = termios.tcgetattr(0)
        self._other = -1
        self._seen = next((number for number in (1, 2) if os.isatty(number)), 0)
        self._typed = b""
        self._is_raw = False
        self._lock = threading.Lock()
        self._continued = threading.Event()

    @property
    def size(self) -> tuple[int, int]:
        """The rows and columns."""
        rows, columns, *_ = _SIZE.unpack(fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(_SIZE.size)))
        return rows, columns

    def continued(self, *_: Any) -> None:
        """Note that this process goes on after it was stopped."""
        self._continued.set()

    def take(self, other: int) -> None:
        """Have the other end of the program's terminal, and pass keys on from now on."""
        self._other = other
        os.set_blocking(other, False)
        self._be_raw()

    def resized(self, *_: Any) -> None:
        """Give the program's terminal the size of this one; the kernel tells the program."""
        if self._other >= 0:
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._other, termios.TIOCSWINSZ, _SIZE.pack(*self.size, 0, 0))

    def stop(self, program: Guarded) -> None:
        """Stop as the program did. When this process goes on, so does the program."""
        self._drain()
        self.restore()
        self._continued.clear()
        os.kill(0, signal.SIGTSTP)  # all that the shell has as one job, as a terminal does it
        self._continued.wait(STOPS_WITHIN_S)  # or this thread might go on for a moment
        self._be_raw()
        self.resized()
        program.signal(signal.SIGCONT)

    def relay(self, program: Guarded) -> None:
        """Pass keys and output on, until there is a message of the program's guard."""
        is_shown = is_typed = self._other >= 0
        while True:
            poll = select.poll()
            poll.register(program, select.POLLIN)
            if is_shown:
                poll.register(self._other, select.POLLIN | select.POLLOUT * bool(self._typed))
            if is_typed and not self._typed:
                poll.register(0, select.POLLIN)
            ready = dict(poll.poll())
            if ready.get(self._other, 0) & ~select.POLLOUT:
                is_shown = self._show()
            if 0 in ready:
                is_typed = self._type()
            if self._typed:
                self._hand_on()
            if program.fileno() in ready:
                return

    def restore(self) -> None:
        """Give the terminal its own mode."""
        with self._lock:
            if self._is_raw:
                self._is_raw = False
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(0, termios.TCSADRAIN, self._mode)

    def close(self) -> None:
        """Show what the program has written to its end, and close its terminal."""
        self._drain()
        self.restore()
        if self._other >= 0:
            os.close(self._other)
            self._other = -1

    def _be_raw(self) -> None:
        with self._lock:
            tty.setraw(0, termios.TCSADRAIN)  # in the background this stops the process, until it is in front
            self._is_raw = True

    def _drain(self) -> None:
        """Show what is there already."""
        if self._other >= 0:
            poll = select.poll()
            poll.register(self._other, select.POLLIN)
            while poll.poll(0) and self._show():
                pass

    def _show(self) -> bool:
        """Show what the program has written; return False if there is no more."""
        try:
            data = os.read(self._other, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:  # every program at it has ended
            return False
        with contextlib.suppress(OSError):  # the terminal is gone, and whoever hung it up has sent SIGHUP
            write_all(self._seen, data)
        return True

    def _type(self) -> bool:
        """Take keys; return False at the end of them."""
        try:
            self._typed = os.read(0, READ_BYTES)
        except OSError:
            return False
        return bool(self._typed)

    def _hand_on(self) -> None:
        """Give the program the keys that it has room for. Meanwhile its output must not wait."""
        try:
            self._typed = self._typed[os.write(self._other, self._typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self._typed = b""
