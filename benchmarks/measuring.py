"""What the benches in a network have in common: raw flows through a NAT, a table that is filled, and figures.

Every flow has a source port of its own, so that a NAT which keeps ports where it can never has to search: the
kindest case for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field

from benchmarks.processes import processor_s, switch
from controller.configuration import Settings
from scenarios.base import Parameters as ScenarioParameters
from scenarios.base import Scenario
from scenarios.traffic.generator import FIRST_PORT, RUN

if TYPE_CHECKING:
    from scenarios.lab import Lab
    from scenarios.report import Report

PART = 4096
"""Flows that are opened at once to fill a table."""


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
        self.used = 0
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
        """Open flows until so many ports are in use."""
        with self.report.phase(f"fill to {until}"):
            if isinstance(self.lab.gateway, Adopting) and self.used < until:
                plan, numbers = self.raw.plan, range(self.used, until)
                flows = [(plan.protocol, *self.raw.inside(number), FIRST_PORT + number) for number in numbers]
                self.lab.gateway.adopt(flows, (plan.server.address, plan.port))
                self.used = until
            while self.used < until:
                part = min(PART, until - self.used)
                self.raw.open(self.used, part)
                self.used += part
                self.report.progress(self.used, until)

    def allocated(self) -> int:
        """Return how many ports are allocated, by the gateway's own count."""
        return self.lab.gateway.counters(self.parameters.protocol)["ports_allocated"] or 0

    def processor_s(self) -> dict[str, float]:
        """Return how long each program has run so far: the gateway's, the switch, and the generator."""
        pids = {"switch": switch(), "generator": self.raw.pid}
        if processes := self.lab.gateway.processes():
            pids["gateway"] = processes[0].pid
        return {name: processor_s(pid) for name, pid in pids.items()}

    def _warm_up(self) -> None:
        """Let every host open and answer some flows, so that all know their neighbours."""
        self.used = min(len(self.raw.plan.clients) * RUN, self.raw.plan.flows)
        self.raw.open(0, self.used, window=1)
        back = self.raw.answer(0, self.used, window=RUN)
        if back["arrived"] < self.used:
            raise RuntimeError(
                f"of the first {self.used} flows only {back['arrived']} passed both ways: is it a NAT?"
            )
