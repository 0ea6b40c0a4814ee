"""What the benches in a network have in common: raw flows through a NAT, a table that is filled, and figures.

Every flow has a source port of its own, so that a NAT which keeps ports where it can never has to search: the
kindest case for all.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from pydantic import Field

from benchmarks.processes import processor_s, switch
from testbed.api import Experiment, Parameters, Scenario
from testbed.traffic.generator import FIRST_PORT, RUN

PART = 4096
"""Flows that are opened at once to fill a table."""
RESOLUTION = 0.05
"""A search for a rate ends when its bounds differ by this share of the lower one."""
LEAST_RATE_S, MOST_RATE_S = 10.0, 100_000.0
"""Where a search ends in any case."""
UNBOUNDED = 32_768
"""Frames under way at once when the clock alone decides: without a bound, our own queues would overflow."""
SETTLE_S = 0.01
"""Seconds that the last packet may take on its way."""


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


class FlowsParameters(Parameters):
    """What every trial in a network has."""

    protocol: Literal["udp", "tcp"] = Field("udp", description="protocol")


P = TypeVar("P", bound=FlowsParameters)


class Measuring(Scenario[P]):
    """A scenario that measures; its figures are the series `samples`. `self.x` is what `run` is given."""

    claim = "none; it measures"
    wire_is_read = False
    settings = {"ports": 64512}
    offered: float = 1.0
    """Flows that there are for each port."""

    def run(self, x: Experiment[P]) -> None:
        """Make ready, measure, and check that the bench itself missed nothing."""
        self.x = x
        self.used = self.in_use = 0
        self.samples: list[dict[str, Any]] = []
        self.prepare()
        self.raw = x.lab.raw(x.protocol, flows=int(x.settings.port_count * self.offered))
        with x.phase("warm up"):
            self._warm_up()
        self.measure()
        x.series(samples=self.samples)
        x.check(
            "frames that the bench itself missed",
            expected=0,
            observed=self.raw.dropped(),
            source="packet(7): the kernel counts what found no room",
        )
        x.account()

    def prepare(self) -> None:
        """Do what must be done before there is any traffic."""

    @abstractmethod
    def measure(self) -> None:
        """Measure, and keep each figure by `sample`."""

    def sample(self, parameters: dict[str, Any], unit: str, value: float, **details: float) -> None:
        """Keep one figure."""
        self.samples.append({"parameters": parameters, "unit": unit, "value": value, "details": details})

    def fill(self, until: int) -> None:
        """Open flows until `until` ports are in use; `in_use` is less than that if the NAT refused some."""
        with self.x.phase(f"fill to {until}"):
            if isinstance(self.x.lab.gateway, Adopting) and self.used < until:
                plan, numbers = self.raw.plan, range(self.used, until)
                flows = [(plan.protocol, *self.raw.inside(number), FIRST_PORT + number) for number in numbers]
                self.x.lab.gateway.adopt(flows, (plan.server.address, plan.port))
                self.in_use += len(flows)
                self.used = until
            while self.used < until:
                part = min(PART, until - self.used)
                self.in_use += self.raw.open(self.used, part)["arrived"]
                self.used += part
                self.x.progress(self.used, until)

    def opens(self, first: int, count: int, rate: float, *, within: float = 0.0) -> bool:
        """Open flows at a rate, by the clock; return whether all arrive in time, and can be answered.

        The last one may arrive `within` seconds later than the others.
        """
        sent = self.raw.open(first, count, window=UNBOUNDED, rate=rate)
        back = self.raw.answer(first, count)
        in_time = sent["seconds"] <= count / rate * (1 + RESOLUTION) + SETTLE_S + within
        return bool(in_time and sent["arrived"] == back["arrived"] == count)

    def allocated(self) -> int:
        """Return the number of allocated ports, by the gateway's own count."""
        return self.x.counters().get("ports_allocated") or 0

    def processor_s(self) -> dict[str, float]:
        """Return the processor time of each program so far: the gateway's, the switch, and the generator."""
        pids = {"switch": switch(), "generator": self.raw.pid}
        if processes := self.x.lab.gateway.processes():
            pids["gateway"] = processes[0].pid
        return {name: processor_s(pid) for name, pid in pids.items()}

    def spent(self, before: dict[str, float], flows: int) -> dict[str, float]:
        """Return the processor time that each program took for a flow since `before`, in microseconds."""
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
