"""A description of the machine that a run takes place on, and of its programs, for the reader of the results."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


def machine() -> dict[str, str]:
    """Return the system, its kernel, processor, cores and memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    return {
        "system": system,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / (1 << 30):.1f} GiB",
    }


def programs() -> dict[str, str]:
    """Return the versions of the programs that every lab is made with."""
    from mininet.net import VERSION

    said = subprocess.run(["ovs-vswitchd", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "python": platform.python_version(),
        "mininet": VERSION,
        "ovs": said.splitlines()[0].rsplit(maxsplit=1)[-1],
    }


def _processor() -> str:
    """Return the processor's name, or `unknown` if the kernel has none."""
    facts = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    names = (name.strip() for key, _, name in facts if key.strip() == "model name")
    return next(names, "unknown")
