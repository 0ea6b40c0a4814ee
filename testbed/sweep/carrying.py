"""Carrying a sweep out: it is checked, it finds its folder and its executor, and each point is kept when done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.run import doctor
from testbed.run.interruptions import Interrupted
from testbed.sweep.cluster import OtherVersionError, cluster
from testbed.sweep.keeping import Kept
from testbed.sweep.point import Point
from testbed.sweep.spreading import Spread, labs, simulations
from testbed.sweep.sweep import Sweep

Tell = Callable[[dict[str, Any]], None]
"""What gets the line of each point."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A sweep that has come to its end, or was interrupted by a signal."""

    kept: Kept
    interrupted: str = ""


def carry_out(sweep: Sweep, out: Path | None, address: str | None, tell: Tell) -> Carried:
    """Carry out what is not done yet; `address` is that of a cluster's scheduler.

    Raises ConfigurationError and MachineError before anything starts, and MachineError if a worker that has come
    later is of another version. What is done is kept.
    """
    decided = [run for each in sweep.combinations if (run := sweep.subject.decided(each))]
    if address is None and decided:
        needs = {need for run in decided for need in run.needs}
        doctor.require(max(run.sockets for run in decided), needs=needs)
    files = sorted({str(file) for each in sweep.combinations for file in sweep.subject.files(each)})
    with _place(sweep, address, files) as spread:
        kept = Kept(sweep, out, files)
        try:
            for point, answer in spread.done(sweep.subject.carried_out, sweep.waiting(kept.log)):
                tell(_added(kept, point, answer))
        except Interrupted as interruption:
            return Carried(kept, str(interruption))
        finally:
            kept.keep()
    return Carried(kept)


def _place(sweep: Sweep, address: str | None, files: Sequence[str]) -> AbstractContextManager[Spread]:
    if address is not None:
        return cluster(address, labs=not sweep.subject.is_plan, files=files)
    return nullcontext(simulations() if sweep.subject.is_plan else labs())


def _added(kept: Kept, point: Point, answer: dict[str, Any] | Exception) -> dict[str, Any]:
    """Keep what a point has returned or raised, and return its line."""
    if isinstance(answer, OtherVersionError):
        raise answer
    if isinstance(answer, Exception):
        reason = str(answer) or type(answer).__name__
        answer = {"schema": 1, "verdict": "error", "error": reason, "command": kept.command(point)}
    return kept.log.add(point, answer)
