"""Scenarios that harm the machine in their run, as far as they are let."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbed.api import Experiment, Parameters, Scenario

WRITTEN = ("/etc", "/root", "/home", "/usr", "/var", "/opt", str(Path(__file__).parent), "/sys/kernel")
MS_REMOUNT_BIND = 32 | 4096
PTRACE_ATTACH = 16
MNT_DETACH = 2


def outcome(attempt: Callable[[], Any]) -> str:
    """Return `refused` if an attempt ends by an error, else what it returned."""
    try:
        return f"done: {attempt()}"
    except OSError:
        return "refused"


class System:
    """Calls that Python has no function for; each raises OSError."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Return a function of the C library."""

        def call(*arguments: Any) -> int:
            result: int = getattr(self._libc, name)(*arguments)
            if result < 0:
                raise OSError(ctypes.get_errno(), name)
            return result

        return call


class Trying(Scenario[Parameters]):
    """What can a scenario do to the machine?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Try to write, to mount, to reach the machine, and to trace what the run lives by."""
        system = System()
        attempts: dict[str, Callable[[], Any]] = {
            f"writes to {folder}": lambda folder=folder: Path(folder, "lastport-was-here").touch()  # type: ignore[misc]
            for folder in WRITTEN
        }
        attempts |= {
            "makes / writable": lambda: system.mount(b"none", b"/", None, MS_REMOUNT_BIND, None),
            "reveals the homes": lambda: system.umount2(b"/root", MNT_DETACH),
            "sets the kernel": lambda: Path("/proc/sys/kernel/core_pattern").write_text("|/bin/true"),
            "sets the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
            "reads passwords": Path("/etc/shadow").read_bytes,
            "makes a device": lambda: os.mknod("/tmp/disk", 0o60666, os.makedev(254, 0)),
            "traces PID 1": lambda: system.ptrace(PTRACE_ATTACH, 1, 0, 0),
            "opens the memory of PID 1": lambda: os.open("/proc/1/mem", os.O_RDWR),
            "names the machine": lambda: None if socket.gethostname() == os.environ["NAMED"] else os.stat("/none"),
            "reaches the machine": lambda: socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 5),
        }
        socket.sethostname("lastport-was-here")
        for what, attempt in attempts.items():
            x.check(what, expected="refused", observed=outcome(attempt), source="the test")
        x.check("hidden keys", expected=[], observed=os.listdir("/root"), source="the test")
        x.check("own files", expected=True, observed=Path("/run/lastport").is_dir(), source="the test")
        x.account()


class Forking(Scenario[Parameters]):
    """What if it forks for ever?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Fork, in every child as well."""
        while True:
            os.fork()


class Taking(Scenario[Parameters]):
    """What if it takes memory for ever?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Take memory without a use for it."""
        taken = []
        while True:
            taken.append(mmap.mmap(-1, 1 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


class Printing(Scenario[Parameters]):
    """What if it prints for ever?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Print."""
        while True:
            print("a line without a meaning " * 1000)


class Forging(Scenario[Parameters]):
    """Does the launcher believe all that is written to it?"""

    name = "forging"

    def run(self, x: Experiment[Parameters]) -> None:
        """Write to the channel of the reports, past these."""
        for forged in ({"kind": "unable", "reason": 1}, {"kind": "check", "check": 5}):
            x._report._channel._connection.sendall(json.dumps(forged).encode() + b"\n")
