"""A trace on the wire: the first attempts of `lastport plan --trace FILE`, from hosts of the lab."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from controller.nat.settings import NatSettings
from controller.settings import Settings
from testbed.experiment.experiment import Experiment
from testbed.plan.traces.reading import read
from testbed.plan.traces.record import Record
from testbed.replay.course import Course, Foreseen, foreseen, of_trace
from testbed.replay.figures import Figure, exactly
from testbed.replay.many import ManyParameters, ReplayMany

CALLED = "the plan's trace"
"""The words for the file in an error: no option has named it."""


class OfTrace(ManyParameters):
    """A trace, and how much of it is replayed."""

    trace: str = Field("", description="the file")
    attempts: int = Field(1, ge=1, description="the first attempts of it, which are replayed")

    def records(self, nat: NatSettings) -> list[Record]:
        """Return all attempts of the file, as they are with the plan's own timers."""
        own = dataclasses.replace(nat, udp_timeout=nat.udp_timeout / self.pace)
        return read(Path(self.trace), own, called=CALLED).records

    def inside(self, settings: Settings) -> int:
        """Return the number of sources of the part that is replayed."""
        return len({each.source.address for each in self.records(settings.for_nat())[: self.attempts]})


class ReplayTrace(ReplayMany[OfTrace]):
    """Does the wire refuse the hosts of a trace what the plan has said?"""

    name = "plan-trace"

    def about(self, x: Experiment[OfTrace]) -> str:
        """Return which attempts of the trace are in the lab."""
        every, name = len(_records(x)), Path(x.parameters.trace).name
        if x.parameters.attempts >= every:
            return f"All {every:,} attempts of the trace {name} are replayed."
        return f"The first {x.parameters.attempts:,} of the {every:,} attempts of the trace {name} are replayed."

    def course(self, x: Experiment[OfTrace]) -> Course:
        """Return what the trace's hosts did."""
        return of_trace(_records(x)[: x.parameters.attempts], x.parameters.pace)

    def foreseen(self, x: Experiment[OfTrace]) -> Foreseen:
        """Simulate the same part of the trace."""
        nat = x.settings.for_nat()
        return foreseen(self.course(x), nat, x.lab.seed, warm_up=0.0, until=float("inf"))

    def planned(self, x: Experiment[OfTrace], foreseen: Foreseen) -> Iterator[Figure]:
        """Yield the plan's own share of the whole trace, and that of the part at the lab's pace."""
        if x.parameters.planned is not None:
            yield exactly("the plan's simulation", x.parameters.planned)
        yield exactly("simulation of this part at this pace", foreseen.means.share)


def _records(x: Experiment[OfTrace]) -> list[Record]:
    return x.parameters.records(x.settings.for_nat())
