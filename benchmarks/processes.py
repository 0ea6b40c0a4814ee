"""What a process has used: processor time, to the nanosecond, and memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

SWITCH = Path("/run/openvswitch/ovs-vswitchd.pid")
"""Where the sandbox's switch says which process it is."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CPUCLOCK_SCHED = 2
"""The clock that counts how long a process has run, all of its threads together (clock_getcpuclockid(3))."""


def switch() -> int:
    """Return the process id of the switch."""
    return int(SWITCH.read_text())


def processor_s(pid: int) -> float:
    """Return how long a process has run so far."""
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def resident(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
