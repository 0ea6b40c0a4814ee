"""How many processes a program may have: what ends a fork bomb, on every kernel.

Since Linux 6.14 `pid_max` belongs to a PID namespace, so the kernel refuses a program further processes. On an
older one, PID 1 of the program's namespace looks at how many there are, and ends with all of them if these are too
many.
A limit of the user's (RLIMIT_NPROC) would not do: root has none, and another user's other programs count as well.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

MOST_PROCESSES = 4096
"""Processes and threads that a program may have."""
COUNTED_SINCE = (6, 14)
"""The first Linux in which kernel.pid_max belongs to a PID namespace."""
LOOK_EVERY_MS = 50
TOO_MANY = f"it had more than {MOST_PROCESSES:,} processes, and was ended"


def kernel_counts() -> bool:
    """Have the kernel refuse more to this PID namespace, which /proc must be of. Return whether it does."""
    if tuple(map(int, os.uname().release.split(".")[:2])) < COUNTED_SINCE:
        return False
    try:
        Path("/proc/sys/kernel/pid_max").write_text(str(MOST_PROCESSES))
    except OSError:
        return False
    return True


def go_before_others() -> None:
    """Give this process, and none that it starts, a processor before all others, if that is allowed."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def is_too_large() -> bool:
    """Return whether this PID namespace has too many processes and threads."""
    count = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it has ended
            count += os.stat(f"/proc/{process}/task").st_nlink - 2
    return count > MOST_PROCESSES
