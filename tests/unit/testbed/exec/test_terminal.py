"""The user's terminal as that of a program."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from typing import Any

import pytest

LINE = b"0123456789" * 5 + b"\n"
TIMES = 4000
WITHIN_S = 60.0
RELAY = """
import os, subprocess, sys
from testbed.exec.terminal import Terminal

class Program:
    def __init__(self):
        self.ended, ends = os.pipe()
        other, slave = os.openpty()
        subprocess.Popen(["sh", "-c", sys.argv[1]], stdin=slave, stdout=slave, pass_fds=[ends])
        os.close(ends)
        self.slave = slave
        terminal.take(other)
    def fileno(self):
        return self.ended

terminal = Terminal()
program = Program()
terminal.relay(program)
terminal.close()
"""


@pytest.fixture
def relay() -> Iterator[Callable[[str], tuple[int, subprocess.Popen[bytes]]]]:
    """Return a function that has a shell's command relayed: the user's end of the terminal, and the process."""
    with contextlib.ExitStack() as closing:

        def begin(command: str) -> tuple[int, subprocess.Popen[bytes]]:
            ours, theirs = os.openpty()
            tty.setraw(theirs, termios.TCSANOW)
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", RELAY, command], stdin=theirs, stdout=theirs, stderr=subprocess.PIPE
            )
            os.close(theirs)
            late = threading.Timer(WITHIN_S, process.kill)
            late.start()
            closing.callback(late.cancel)
            closing.enter_context(process)
            closing.callback(process.kill)
            return ours, process

        yield begin


def test_a_long_paste_reaches_a_program_that_answers_meanwhile(relay: Any) -> None:
    """Neither direction waits for the other: a program that has to write first does not read."""
    ours, _ = relay(f"exec head -n {TIMES}")
    threading.Thread(target=lambda: [os.write(ours, LINE) for _ in range(TIMES)], daemon=True).start()
    seen = 0
    with contextlib.suppress(OSError):  # everything at the other end has ended
        while data := os.read(ours, 65_536):
            seen += len(data)
    os.close(ours)

    assert seen >= TIMES * len(LINE)


def test_a_terminal_that_is_hung_up_keeps_no_program_from_its_end(relay: Any) -> None:
    """What it writes from then on is read, and goes nowhere."""
    ours, process = relay("echo begun; sleep 0.3; exec head -c 300000 /dev/zero")
    assert os.read(ours, 5) == b"begun"
    os.close(ours)

    assert process.communicate() == (None, b"")
    assert process.returncode == 0
