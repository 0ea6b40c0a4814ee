"""The sampler of waiting processes, on a /proc that a test writes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from testbed.evidence import sampling
from testbed.evidence.busy import SAMPLE_S
from testbed.evidence.sampling import Sampler


class Proc:
    """A machine's /proc with some processes, whose waiting times a test advances."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stat(running=3, stolen=0)

    def stat(self, *, running: int, stolen: int) -> None:
        """Write the machine's own counts. Stolen ticks are hundredths of a second, of all processors together."""
        (self.folder / "stat").write_text(f"cpu  1 2 3 4 5 6 7 {stolen} 0 0\nprocs_running {running}\n")

    def waited(
        self, pid: int, seconds: float, *, times: int = 0, thread: int | None = None, command: str = ""
    ) -> None:
        """Let a thread have waited for this number of seconds in all, before it got a processor `times` times."""
        task = self.folder / str(pid) / "task" / str(thread or pid)
        task.mkdir(parents=True, exist_ok=True)
        (task / "schedstat").write_text(f"5000000 {int(seconds * 1e9)} {times}\n")
        if command:
            (self.folder / str(pid) / "cmdline").write_bytes(command.replace(" ", "\0").encode() + b"\0")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """A machine with a switch of two threads and two clients."""
    made = Proc(tmp_path)
    made.waited(10, 5.0, command="ovs-vswitchd unix:/run/db.sock")
    made.waited(10, 1.0, thread=11)
    made.waited(20, 0.0, command="python3 -P -m testbed.traffic.client 7 tcp")
    made.waited(21, 0.0, command="python3 -P -m testbed.traffic.client 8 tcp")
    return made


def test_waits_are_those_since_the_start_and_of_the_thread_that_waited_most(proc: Proc) -> None:
    """Programs add up, since a packet passes one after the other; threads and parallel workers do not."""
    sampler = Sampler(proc.folder)
    sampler.start()
    proc.waited(10, 5.5, times=5)
    proc.waited(10, 1.25, thread=11, times=50)
    proc.waited(20, 0.25)
    proc.waited(21, 0.125)

    busy = sampler.stop()

    assert busy.waits["ovs-vswitchd"].longest_s == 0.5
    assert busy.waits["client"].longest_s == 0.25
    assert busy.waited_s == pytest.approx(0.75)
    assert busy.late_s == pytest.approx(0.5 / 5 + 0.25), "the switch waited a tenth of a second each time"
    assert busy.wanted == 2.0, "without the sampler itself"
    assert busy.pressure is None, "this kernel does not count it"


def test_a_process_that_has_ended_is_no_error(proc: Proc) -> None:
    """What it had waited before counts."""
    sampler = Sampler(proc.folder)
    sampler.start()
    (proc.folder / "21" / "task" / "21" / "schedstat").write_text("")
    proc.waited(20, 0.5)

    assert sampler.stop().waits["client"].longest_s == 0.5


def test_a_process_that_ends_while_it_is_found_is_no_error(proc: Proc) -> None:
    """Its file could be opened, and has nothing any more."""
    (proc.folder / "20" / "task" / "20" / "schedstat").write_text("")
    sampler = Sampler(proc.folder)

    sampler.start()

    assert sampler.stop().waits["ovs-vswitchd"].longest_s == 0.0


def test_stolen_time_makes_everything_late(proc: Proc) -> None:
    """While another machine has the processor, nothing of this one runs, and nothing waits either."""
    sampler = Sampler(proc.folder)
    sampler.start()
    proc.stat(running=1, stolen=1000)

    assert sampler.stop().late_s > 0.1


def test_a_machine_that_stands_still_is_late_though_nothing_waits(
    proc: Proc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a virtual one does while its host is busy, or when it is suspended: the sampler itself comes late."""
    times = iter([10.0, 12.0, 12.0])
    sampler = Sampler(proc.folder)
    monkeypatch.setattr(sampling, "time", SimpleNamespace(monotonic=lambda: next(times)))
    sampler.start()

    assert sampler.stop().late_s == pytest.approx(2.0 - SAMPLE_S)


def test_the_machine_itself_can_be_sampled() -> None:
    """The kernel's own files have the form that is read."""
    sampler = Sampler()
    sampler.start()

    busy = sampler.stop()

    assert busy.seconds > 0
    assert "scenario" in busy.waits, "this process"
    assert busy.late_s >= 0
