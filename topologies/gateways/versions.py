"""Which version of somebody's program is installed, for facts that are true of one version and not of another."""

from __future__ import annotations

import functools
import subprocess


@functools.cache
def printed(*command: str) -> str:
    """Return what a command prints, such as that for a version; empty if it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip()


def read_of(read: str, installed: str) -> str:
    """Return of which version facts were read, and which one is installed if it is another."""
    return f"read of {read}; installed is {installed}" if installed not in ("", read) else read
