"""A cluster of Dask in network namespaces of its own: the scheduler in one, each worker in another.

        10.99.0.1 [scheduler, and the sweep] 10.99.1.1
             |                                  |
        10.99.0.2 [worker]                 10.99.1.2 [worker]

All of it is in a sandbox of Linux's, and gone with its first process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.support.paths import ROOT

Found = TypeVar("Found")
SCHEDULER = "tcp://10.99.0.1:8786"
SANDBOX = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


class Machines:
    """The scheduler's machine, and those of the workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._outer = subprocess.Popen([*SANDBOX, "sleep", "infinity"])
        self._inner = wait_for(lambda: _children(self._outer.pid))[0]
        wait_for(lambda: os.readlink(f"/proc/{self._inner}/ns/net") != os.readlink("/proc/self/ns/net"))
        self.run("mount -t tmpfs tmpfs /run && ip link set lo up && echo 1 > /proc/sys/net/ipv4/ip_forward")
        for place in (0, 1):
            self.run(
                f"ip netns add w{place} && ip link add v{place} type veth peer name eth0 netns w{place} && "
                f"ip address add 10.99.{place}.1/24 dev v{place} && ip link set v{place} up && "
                f"ip -n w{place} link set lo up && ip -n w{place} link set eth0 up && "
                f"ip -n w{place} address add 10.99.{place}.2/24 dev eth0 && "
                f"ip -n w{place} route add default via 10.99.{place}.1"
            )

    def run(self, script: str) -> None:
        """Run a script on the scheduler's machine."""
        subprocess.run(self._within("sh", "-euc", script), check=True, timeout=60)

    def start(self, *command: str, name: str) -> subprocess.Popen[bytes]:
        """Start a program on the scheduler's machine; what it prints is in a file of this name."""
        with (self.folder / name).open("wb") as log:
            process = subprocess.Popen(
                self._within(*command), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        self._started.append(process)
        return process

    def schedule(self) -> None:
        """Start Dask's scheduler, and wait until it listens."""
        self.start(f"{ROOT}/vagrant/dask", "scheduler", "--port", "8786", "--no-dashboard", name="scheduler.log")
        wait_for(lambda: "Scheduler at" in self.said("scheduler.log"), 300)

    def work(self, place: int, checkout: Path = ROOT) -> subprocess.Popen[bytes]:
        """Start a worker on its machine, and wait until the scheduler knows it."""
        worker = self.start(
            *("ip", "netns", "exec", f"w{place}", f"{checkout}/vagrant/dask", "worker", SCHEDULER),
            *("--nthreads", "1", "--resources", "lab=1", "--no-dashboard", "--name", f"w{place}"),
            *("--local-directory", str(self.folder / f"w{place}")),
            name=f"worker-{place}.log",
        )
        wait_for(lambda: "Registered to" in self.said(f"worker-{place}.log"), 300)
        return worker

    def sweep(self, *arguments: str, name: str = "sweep.log") -> subprocess.Popen[bytes]:
        """Start a sweep on the cluster."""
        return self.start(f"{ROOT}/lastport", "sweep", *arguments, "--cluster", SCHEDULER, name=name)

    def said(self, name: str) -> str:
        """Return what a program has printed so far."""
        return (self.folder / name).read_text(errors="replace")

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a program and all that it has started, at once."""
        for each in _tree(process.pid):
            os.kill(each, signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """End everything."""
        self._outer.kill()
        for process in (self._outer, *self._started):
            process.wait(timeout=30)

    def _within(self, *command: str) -> list[str]:
        return ["nsenter", f"--target={self._inner}", "--net", "--mount", "--pid", "--", *command]


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """Three machines without anything on them."""
    made = Machines(tmp_path)
    yield made
    made.end()


def _children(process: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def _tree(process: int) -> list[int]:
    """Return a process and all below it, those of every thread's."""
    found = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _tree(int(child))
    return found


def wait_for(condition: Callable[[], Found], within: float = 30.0) -> Found:
    """Wait for a condition, and return what it has returned."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)
    return found
