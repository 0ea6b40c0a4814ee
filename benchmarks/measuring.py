"""What the benches in a network have in common: raw flows through a NAT, a table that is filled, and figures.

Every flow has a source port of its own, so that a NAT which keeps ports where it can never has to search: the
kindest case for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field

from benchmarks.processes import processor_s, switch
from controller.settings import Settings
from testbed.experiment.parameters import Parameters as ScenarioParameters
from testbed.experiment.scenario import Scenario
from testbed.traffic.generator import FIRST_PORT, RUN

if TYPE_CHECKING:
    from testbed.experiment.lab import Lab
    from testbed.experiment.report import Report

PART = 4096
"""Flows that are opened at once to fill a table."""
RESOLUTION = 0.05
"""A search for a rate ends when its bounds are so close, as a share of the lower one."""
LEAST_RATE_S, MOST_RATE_S = 10.0, 100_000.0
"""Where a search gives up."""
UNBOUNDED = 32_768
"""Frames under way at once when the clock alone decides; some bound there must be, or our own queues overflow."""
SETTLE_S = 0.01
"""What the last packet may take on its way."""


def highest_rate(passes: Callable[[float], bool], *, first: float = 500.0) -> float:
    """Return the highest rate that passes: doubled until one fails, then halving what is between."""
    passed, failed, rate = 0.0, math.inf, first
    while True:
        if passes(rate):
            passed = rate
        else:
            failed = rate
        if failed - passed <= RESOLUTION * passed or rate >= MOST_RATE_S or failed <= LEAST_RATE_S:
            return passed
        rate = (passed + failed) / 2 if failed < math.inf else passed * 2


@runtime_checkable
class Adopting(Protocol):
    """A gateway whose table can be filled by other means than packets."""

    def adopt(self, flows: list[tuple[str, str, int, int]], remote: tuple[str, int]) -> None:
        """Fill the table."""


class FlowsParameters(ScenarioParameters):
    """Of every trial in a network."""

    protocol: Literal["udp", "tcp"] = Field("udp", description="protocol")


class Measuring(Scenario):
    """A scenario that measures; its figures are the series `samples`."""

    claim = "none; it measures"
    Parameters: ClassVar[type[ScenarioParameters]] = FlowsParameters
    wire_is_read = False
    settings: ClassVar[dict[str, Any]] = {"ports": 64512}
    offered: ClassVar[float] = 1.0
    """Flows that there are for each port."""

    def run(self, lab: Lab, parameters: Any, settings: Settings, report: Report) -> None:
        """Make ready, measure, and see that nothing escaped us."""
        self.lab, self.parameters, self.nat, self.report = lab, parameters, settings, report
        self.used = self.in_use = 0
        self.samples: list[dict[str, Any]] = []
        self.prepare()
        self.raw = lab.raw(parameters.protocol, flows=int(settings.ports * self.offered))
        with report.phase("warm up"):
            self._warm_up()
        self.measure()
        report.series(samples=self.samples)
        report.check(
            "no frame was missed by the bench itself",
            expected=0,
            observed=self.raw.dropped(),
            source="packet(7): the kernel counts what found no room",
        )

    def prepare(self) -> None:
        """Do what must be done before there is any traffic."""

    def measure(self) -> None:
        """Measure."""
        raise NotImplementedError

    def sample(self, parameters: dict[str, Any], unit: str, value: float, **details: float) -> None:
        """Keep one figure."""
        self.samples.append({"parameters": parameters, "unit": unit, "value": value, "details": details})

    def fill(self, until: int) -> None:
        """Open flows until so many ports are in use; fewer are, `in_use`, if the NAT refused some."""
        with self.report.phase(f"fill to {until}"):
            if isinstance(self.lab.gateway, Adopting) and self.used < until:
                plan, numbers = self.raw.plan, range(self.used, until)
                flows = [(plan.protocol, *self.raw.inside(number), FIRST_PORT + number) for number in numbers]
                self.lab.gateway.adopt(flows, (plan.server.address, plan.port))
                self.in_use += len(flows)
                self.used = until
            while self.used < until:
                part = min(PART, until - self.used)
                self.in_use += self.raw.open(self.used, part)["arrived"]
                self.used += part
                self.report.progress(self.used, until)

    def opens(self, first: int, count: int, rate: float, *, within: float = 0.0) -> bool:
        """Open flows at a rate, by the clock; return whether all arrive in time, and can be answered.

        `within` is how many seconds later than the others the last one may arrive.
        """
        sent = self.raw.open(first, count, window=UNBOUNDED, rate=rate)
        back = self.raw.answer(first, count)
        in_time = sent["seconds"] <= count / rate * (1 + RESOLUTION) + SETTLE_S + within
        return bool(in_time and sent["arrived"] == back["arrived"] == count)

    def allocated(self) -> int:
        """Return how many ports are allocated, by the gateway's own count."""
        return self.lab.gateway.counters(self.parameters.protocol).get("ports_allocated") or 0

    def processor_s(self) -> dict[str, float]:
        """Return how long each program has run so far: the gateway's, the switch, and the generator."""
        pids = {"switch": switch(), "generator": self.raw.pid}
        if processes := self.lab.gateway.processes():
            pids["gateway"] = processes[0].pid
        return {name: processor_s(pid) for name, pid in pids.items()}

    def spent(self, before: dict[str, float], flows: int) -> dict[str, float]:
        """Return how much processor time each program took for a flow since `before`, in microseconds."""
        return {
            f"{name}_us": (seconds - before[name]) / flows * 1e6 for name, seconds in self.processor_s().items()
        }

    def _warm_up(self) -> None:
        """Let every host open and answer some flows, so that all know their neighbours."""
        self.used = min(len(self.raw.plan.clients) * RUN, self.raw.plan.flows)
        self.raw.open(0, self.used, window=1)
        back = self.raw.answer(0, self.used, window=RUN)
        if back["arrived"] < self.used:
            raise RuntimeError(
                f"of the first {self.used} flows only {back['arrived']} passed both ways: is it a NAT?"
            )
        self.in_use = self.used
