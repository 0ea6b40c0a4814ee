"""The user's terminal as that of a program."""

from __future__ import annotations

import os
import subprocess
import sys
import termios
import threading
import tty

LINE = b"0123456789" * 5 + b"\n"
TIMES = 4000
WITHIN_S = 60.0
RELAY = """
import os, subprocess
from testbed.exec.terminal import Terminal

class Program:
    def __init__(self):
        self.ended, ends = os.pipe()
        other, slave = os.openpty()
        subprocess.Popen(["head", "-n", "NUMBER"], stdin=slave, stdout=slave, pass_fds=[ends])
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


def test_a_long_paste_reaches_a_program_that_answers_meanwhile() -> None:
    """Neither direction waits for the other: a program that has to write first does not read."""
    ours, theirs = os.openpty()
    tty.setraw(theirs, termios.TCSANOW)
    relay = subprocess.Popen(
        [sys.executable, "-P", "-c", RELAY.replace("NUMBER", str(TIMES))],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    threading.Thread(target=lambda: [os.write(ours, LINE) for _ in range(TIMES)], daemon=True).start()
    late = threading.Timer(WITHIN_S, relay.kill)
    late.start()
    seen = 0
    try:
        while data := os.read(ours, 65_536):
            seen += len(data)
    except OSError:  # everything at the other end has ended
        pass
    finally:
        late.cancel()
        relay.kill()
        relay.wait()
        os.close(ours)

    assert seen >= TIMES * len(LINE)
