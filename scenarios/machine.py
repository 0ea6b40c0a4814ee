"""The machine that a run takes place on, described for whoever reads its results."""

from __future__ import annotations

import os
import platform


def machine() -> dict[str, str]:
    """Return the system, its kernel, and how much of a computer it is."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    return {
        "system": system,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / (1 << 30):.1f} GiB",
    }
