"""A terminal of its own for a program, and what a person would see in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Sequence
from typing import Any

from tests.support.paths import ROOT
from tests.support.processes import awaited

SEQUENCE = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])|\x1b(.)|([\r\n\x08\x07])|([^\x1b\r\n\x08\x07]+)", re.DOTALL)


class Screen:
    """What a terminal shows: lines, and whether the cursor can be seen. A long line goes on in the next.

    It knows the control sequences that programs with a picture need, and keeps the others by name.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.lines: list[list[str]] = [[]]
        self._wraps: list[bool] = [False]
        """Whether a line goes on in the next one."""
        self._row = self._column = 0
        self.has_cursor = True
        self.unknown: set[str] = set()

    @property
    def text(self) -> str:
        """All lines, without what is blank at their ends."""
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()

    def resize(self, columns: int, rows: int) -> None:
        """Change the size. As most terminals do, fold lines that are too long, and join those that were folded."""
        whole: list[list[str]] = [[]]
        at = (0, 0)
        for number, line in enumerate(self.lines):
            if number == self._row:
                at = (len(whole) - 1, len(whole[-1]) + self._column)
            whole[-1] += line
            if not self._wraps[number]:
                whole.append([])
        self.columns, self.rows = columns, rows
        self.lines, self._wraps = [], []
        for number, line in enumerate(whole[:-1] if len(whole) > 1 else whole):
            parts = [line[start : start + columns] for start in range(0, len(line), columns)] or [[]]
            if number == at[0]:
                part = min(max(0, at[1] - 1) // columns, len(parts) - 1)
                self._row, self._column = len(self.lines) + part, at[1] - part * columns
            self.lines += parts
            self._wraps += [True] * (len(parts) - 1) + [False]

    def feed(self, text: str) -> None:
        """Take what a program has written."""
        for private, numbers, letter, other, control, plain in SEQUENCE.findall(text):
            if plain:
                for sign in plain:
                    self._put(sign)
            elif control:
                self._control(control)
            elif other:
                self.unknown.add(other)
            else:
                self._sequence(private + letter, numbers)

    def _put(self, sign: str) -> None:
        if self._column >= self.columns:
            self._wraps[self._row] = True
            self._column = 0
            self._down()
        line = self.lines[self._row]
        line += [" "] * (self._column + 1 - len(line))
        line[self._column] = sign
        self._column += 1

    def _control(self, sign: str) -> None:
        if sign == "\n":
            self._down()
        elif sign == "\r":
            self._column = 0

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append([])
            self._wraps.append(False)

    def _sequence(self, letter: str, numbers: str) -> None:
        if letter == "A":
            top = max(0, len(self.lines) - self.rows)
            self._row = max(top, self._row - int(numbers or 1))
        elif letter == "K" and numbers == "2":
            self.lines[self._row] = []
            self._wraps[self._row] = False
        elif letter in ("?h", "?l") and numbers == "25":
            self.has_cursor = letter == "?h"
        elif letter != "m":
            self.unknown.add(numbers + letter)


class Terminal:
    """A program, or a shell with job control, in a terminal of its own."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        passed: Sequence[int] = (),
        **environment: str,
    ) -> None:
        self._ours, theirs = pty.openpty()
        self.screen = Screen(columns, rows)
        self.written = ""
        """All that was written to the terminal."""
        variables: dict[str, str] = {
            **os.environ,
            "TERM": "xterm-256color",
            "PYTHONPATH": str(ROOT),
            **environment,
        }
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            if name not in environment:
                variables.pop(name, None)
        self._set_size(columns, rows)
        self.modes = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            env=variables,
            pass_fds=passed,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        self._theirs = theirs
        os.set_blocking(self._ours, False)

    def type(self, keys: str) -> None:
        """Type these keys."""
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal."""
        self.read()
        self.screen.resize(columns, rows)
        self._set_size(columns, rows)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> str:
        """Return what the terminal shows now."""
        try:
            while part := os.read(self._ours, 65536):
                text = part.decode(errors="replace")
                self.written += text
                self.screen.feed(text)
        except OSError:  # there is no more for now, or for good
            pass
        return self.screen.text

    def shows(self, words: str) -> str:
        """Wait until the terminal shows these words, and return all that it shows."""
        awaited(lambda: words in self.read(), f"{words!r} in the terminal, which shows:\n{self.screen.text}")
        return self.screen.text

    def modes_now(self) -> list[Any]:
        """Return how the terminal is set."""
        return termios.tcgetattr(self._theirs)

    def ended(self) -> int:
        """Wait until the program has ended, and return its exit status."""
        awaited(lambda: self.read() is not None and self.process.poll() is not None, "the program's end")
        self.read()
        return self.process.wait()

    def close(self) -> None:
        """Hang up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


PYTHON = (sys.executable, "-P")
