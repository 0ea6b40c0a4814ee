"""Sampling how long the run's processes wait for processors, a few times a second, in a thread of this process.

Inside a sandbox, /proc has the sandbox's processes only. The kernel's scheduler counts the time for which each
thread could have run and did not (/proc/PID/schedstat). The descriptors stay open, so that a sample costs one read
for each thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.evidence.busy import SAMPLE_S, Busy, Wait

SCAN_EVERY = 4
"""Samples between two searches for new processes."""
_LOOK = 256
"""Bytes that hold any of these files, or the part of them that is needed."""


@dataclass(slots=True)
class _Thread:
    """A thread of the run: its program, the file with its counts, and these counts as they were read last."""

    program: str
    descriptor: int
    counts: tuple[float, int]
    in_all: float = 0.0


class Sampler:
    """Samples from `start` on, until `stop` returns what was found."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._threads: dict[tuple[int, int], _Thread] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._longest: dict[str, float] = defaultdict(float)
        self._mean: dict[str, float] = defaultdict(float)
        self._waited = 0.0
        self._late = 0.0
        self._sampled_at = 0.0
        self._wanted: list[int] = []
        self._started = 0.0
        self._pressure = 0.0
        self._stolen = 0.0

    def start(self) -> None:
        """Begin to sample."""
        self._started = self._sampled_at = time.monotonic()
        self._pressure = self._pressed() or 0.0
        self._stolen = self._steal()
        self._scan()
        self._thread.start()

    def stop(self) -> Busy:
        """Take a last sample, and return the figures of all."""
        self._is_over.set()
        self._thread.join()
        self._sample()
        seconds = time.monotonic() - self._started
        shares: dict[str, float] = defaultdict(float)
        for thread in self._threads.values():
            shares[thread.program] = max(shares[thread.program], thread.in_all / seconds)
            os.close(thread.descriptor)
        self._threads.clear()
        pressed = self._pressed()
        return Busy(
            seconds=seconds,
            processors=os.cpu_count() or 1,
            wanted=sum(self._wanted) / len(self._wanted),
            pressure=None if pressed is None else (pressed - self._pressure) / seconds,
            late_s=self._late,
            waited_s=self._waited,
            waits={
                name: Wait(*(round(of[name], 4) for of in (shares, self._longest, self._mean)))
                for name in sorted(shares)
            },
        )

    def _run(self) -> None:
        samples = 0
        while not self._is_over.wait(SAMPLE_S):
            samples += 1
            if samples % SCAN_EVERY == 0:
                self._scan()
            self._sample()

    def _sample(self) -> None:
        """Read how long each thread has waited since the last sample. Parallel processes do not add up."""
        waited: dict[str, float] = defaultdict(float)
        mean: dict[str, float] = defaultdict(float)
        for key, thread in list(self._threads.items()):
            try:
                counts = _counts(thread.descriptor)
            except OSError:  # it has ended
                os.close(self._threads.pop(key).descriptor)
                continue
            since, times = counts[0] - thread.counts[0], counts[1] - thread.counts[1]
            thread.counts = counts
            thread.in_all += since
            waited[thread.program] = max(waited[thread.program], since)
            mean[thread.program] = max(mean[thread.program], since / max(1, times))
        for program, since in waited.items():
            self._longest[program] = max(self._longest[program], since)
            self._mean[program] = max(self._mean[program], mean[program])
        stolen = self._steal()
        since, self._stolen = stolen - self._stolen, stolen
        now = time.monotonic()
        stood_still, self._sampled_at = now - self._sampled_at - SAMPLE_S, now
        self._late = max(self._late, stood_still, sum(mean.values()) + since)
        self._waited = max(self._waited, sum(waited.values()) + since)
        self._wanted.append(self._running())

    def _scan(self) -> None:
        """Find the threads that are new."""
        for pid, thread in self._alive():
            if (pid, thread) not in self._threads:
                folder = self._proc / str(pid)
                try:
                    descriptor = os.open(folder / "task" / str(thread) / "schedstat", os.O_RDONLY | os.O_CLOEXEC)
                except OSError:
                    continue
                try:
                    counts = _counts(descriptor)
                except OSError:  # it has ended since
                    os.close(descriptor)
                    continue
                self._threads[pid, thread] = _Thread(_program(folder), descriptor, counts)

    def _alive(self) -> Iterator[tuple[int, int]]:
        for pid in filter(str.isdigit, os.listdir(self._proc)):
            try:
                threads = os.listdir(self._proc / pid / "task")
            except OSError:
                continue
            yield from ((int(pid), int(thread)) for thread in threads)

    def _running(self) -> int:
        """Return the number of the machine's tasks that want a processor, without this one."""
        for line in (self._proc / "stat").read_text().splitlines():
            if line.startswith("procs_running"):
                return max(0, int(line.split()[1]) - 1)
        return 0

    def _steal(self) -> float:
        """Return the seconds so far in which another machine had a processor of this virtual one (proc(5))."""
        fields = (self._proc / "stat").read_text().split(maxsplit=9)
        return int(fields[8]) / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)

    def _pressed(self) -> float | None:
        """Return the seconds so far in which some task waited for a processor, if the kernel counts them."""
        try:
            some = (self._proc / "pressure" / "cpu").read_text().splitlines()[0]
        except OSError:
            return None
        return int(some.rpartition("total=")[2]) / 1e6


def _counts(descriptor: int) -> tuple[float, int]:
    """Return for how many seconds a thread has waited for a processor, and how often it got one.

    Raises OSError if the thread has ended.
    """
    counts = os.pread(descriptor, _LOOK, 0).split()
    if not counts:
        raise ProcessLookupError(descriptor)
    return int(counts[1]) / 1e9, int(counts[2])


def _program(folder: Path) -> str:
    """Return the name of a process's program: of Python's, the last part of its module."""
    if int(folder.name) == os.getpid():
        return "scenario"
    try:
        words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "?"
    if "-m" in words[:-1]:
        return words[words.index("-m") + 1].rpartition(".")[2]
    return os.path.basename(words[0])
