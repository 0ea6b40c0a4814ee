"""The processor time, to the nanosecond, and the memory that a process has used."""

from __future__ import annotations

import os
import time
from pathlib import Path

SWITCH = Path("/run/openvswitch/ovs-vswitchd.pid")
"""The file in which the sandbox's switch has its process id."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_CPUCLOCK_SCHED = 2
"""The clock of a process's processor time, with all of its threads (clock_getcpuclockid(3))."""


def switch() -> int:
    """Return the process id of the sandbox's switch."""
    return int(SWITCH.read_text())


def processor_s(pid: int) -> float:
    """Return the seconds of processor time that a process has used so far."""
    return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)


def resident(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
