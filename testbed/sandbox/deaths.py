"""How a process ended or that it stands still, in words, and the last lines that it wrote.

A process need not be a child of the one that asks. `/proc` has its exit status until its parent reads it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

LAST_WORDS_BYTES = 2000
_PF_EXITING = 0x4  # include/linux/sched.h; the ninth field of /proc/PID/stat has it


def how_it_ended(pid: int) -> str:
    """Return how a dead process ended, by its exit status."""
    status = _stat(pid)[-1:]
    return in_words(int(status[0])) if status else "ended"


def in_words(status: int) -> str:
    """Return a wait status in words: an exit status, or the signal's name."""
    if not os.WIFSIGNALED(status):
        return f"ended with status {os.WEXITSTATUS(status)}"
    number = os.WTERMSIG(status)
    known = number in set(signal.Signals)  # most of the real-time signals have no name
    return f"was killed by {signal.Signals(number).name if known else f'signal {number}'}"


def stopped(pid: int) -> int | None:
    """Return how often a process had run when a signal, such as SIGSTOP, stopped it; None if none has.

    One that a debugger stopped does not count.
    """
    if _stat(pid)[:1] != ["T"]:
        return None
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return None


def is_ending(pid: int) -> bool:
    """Whether a process has begun to end, or has ended. It may have closed some of its files by then."""
    fields = _stat(pid)
    return not fields or bool(int(fields[6]) & _PF_EXITING)


def last_words(log: str) -> str:
    """Return the last lines of a log, as far as it can be read. A line that is cut begins with an ellipsis."""
    try:
        with Path(log).open("rb") as file:
            length = os.fstat(file.fileno()).st_size
            file.seek(max(0, length - LAST_WORDS_BYTES))
            words = file.read(LAST_WORDS_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""
    return f"…{words}" if length > LAST_WORDS_BYTES else words


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; nothing if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
