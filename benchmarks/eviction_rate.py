"""Bench `evict`: new flows a second while each throws out another, and while none has to.

The highest rate at which all new flows pass, by the search of RFC 9693: flows are opened by the clock, a step
passes if each arrives in time, and can be answered. With `evict-lru` the table is full, and stays so: every new
flow ends the one that was idle longest, and waits until that one's port has rested; so a step is several rests
long. Without, the table is emptied before each step.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pydantic import Field

from benchmarks.measuring import FlowsParameters, Measuring, highest_rate
from controller.settings import PORT_REST_S
from testbed.bench.bench import Bench, Parameters, Ratio, Trial
from testbed.bench.in_lab import lab_trial
from testbed.traffic.generator import RUN

FIRST_RATE_S = 8000.0
"""Where the search begins: below it, a step would take long."""
SLACK_S = 0.1
"""By how much later than its rest a port may be given: the controller looks every 0.05 s."""


class EvictParameters(Parameters):
    """What a user may choose about this bench."""

    ports: int = Field(64512, strict=True, ge=256, le=64512, description="ports of the external address")
    connections: int = Field(24000, strict=True, ge=1, description="new flows of one step of the search")


class StepParameters(FlowsParameters):
    """Of one trial."""

    connections: int = Field(24000, strict=True, ge=1, description="new flows of one step of the search")


class Replacing(Measuring[StepParameters]):
    """How many new flows a second can a NAT set up, if each throws out another?"""

    name = "bench-evict"
    settings = {"ports": 64512, "hold_down_timeout": 0}
    offered = 2.0
    cached_flows = 0

    def measure(self) -> None:
        """Fill, if somebody is to be thrown out, and search."""
        self._spent: dict[str, float] = {}
        self._evicts = self.x.settings.on_exhaustion == "evict-lru"
        if self._evicts:
            self.fill(self.x.settings.ports)
        with self.x.phase("search"):
            rate = highest_rate(self._passes, first=FIRST_RATE_S)
        counters = self.x.counters()
        evicted = counters.get("evicted_mappings") or 0
        self.sample({"protocol": self.x.protocol}, "flows/s", rate, evicted=evicted, **self._spent)

    def _passes(self, rate: float) -> bool:
        """Open flows that were longest without a mapping, or that have none since all were ended."""
        count, flows = self.x.parameters.connections, self.raw.plan.flows
        if not self._evicts:
            self.x.lab.gateway.flush()
            time.sleep(PORT_REST_S + SLACK_S)  # the rest itself is what there is to wait for
        if self.used + RUN + count > flows:
            self.used = 0
        self.raw.open(self.used, RUN, window=1)  # it passes when the switch has done all that it was told before
        self.used += RUN
        before = self.processor_s()
        passed = self.opens(self.used, count, rate, within=PORT_REST_S + SLACK_S if self._evicts else 0.0)
        if passed:
            self._spent = self.spent(before, count)
        self.used += count
        return passed


class Evict(Bench):
    """What does it cost a NAT to throw out the least recently used mapping for each new one?"""

    name = "evict"
    Parameters = EvictParameters
    subjects = ("openflow", "evict-lru")
    ratios = (Ratio("evict-lru", "openflow", "flows/s"),)

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """One network with a full table, and one without."""
        settings: dict[str, dict[str, Any]] = {
            "openflow": {},
            "evict-lru": {"on_exhaustion": "evict-lru", "hold_queue": parameters.ports},
        }
        common = {"ports": parameters.ports, "connections": parameters.connections}
        return [
            lab_trial(
                subject,
                scenario=f"{Path(__file__)}:Replacing",
                gateway="openflow",
                sets={**common, **own},
                title=f"set-up of {subject}",
            )
            for subject, own in settings.items()
        ]
