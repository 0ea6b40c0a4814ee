"""Bench `evict`: new flows a second when each evicts another mapping, and when none does.

It finds the highest rate at which all new flows pass, by the search of RFC 9693. Flows are opened by the clock. A
step passes if each flow arrives in time, and can be answered. With `evict-lru` the table is full, and stays full:
every new flow evicts the mapping that was idle longest, and waits until its port has rested. So a step is several
rests long. Without `evict-lru`, the table is emptied before each step.
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
"""The rate at which the search begins. At a lower rate, a step would take long."""
SLACK_S = 0.1
"""Seconds after its rest within which a port may be given, since the controller examines ports every 0.05 s."""


class EvictParameters(Parameters):
    """What a user may choose about this bench."""

    ports: int = Field(64512, strict=True, ge=256, le=64512, description="ports of the external address")
    connections: int = Field(24000, strict=True, ge=1, description="new flows of one step of the search")


class StepParameters(FlowsParameters):
    """The parameters of one trial."""

    connections: int = Field(24000, strict=True, ge=1, description="new flows of one step of the search")


class Replacing(Measuring[StepParameters]):
    """How many new flows a second can a NAT set up, if each evicts another mapping?"""

    name = "bench-evict"
    settings = {"ports": 64512, "hold_down_timeout": 0}
    offered = 2.0
    cached_flows = 0

    def measure(self) -> None:
        """Fill the table, if mappings are to be evicted, and search for the highest rate."""
        self._spent: dict[str, float] = {}
        self._evicts = self.x.settings.on_exhaustion == "evict-lru"
        if self._evicts:
            self.fill(self.x.settings.port_count)
        with self.x.phase("search"):
            rate = highest_rate(self._passes, first=FIRST_RATE_S)
        counters = self.x.counters()
        evicted = counters.get("evicted_mappings") or 0
        self.sample({"protocol": self.x.protocol}, "flows/s", rate, evicted=evicted, **self._spent)

    def _passes(self, rate: float) -> bool:
        """Return whether flows at this rate pass: those longest without a mapping, or any in an empty table."""
        count, flows = self.x.parameters.connections, self.raw.plan.flows
        if not self._evicts:
            self.x.lab.gateway.flush()
            time.sleep(PORT_REST_S + SLACK_S)  # no event marks the end of the ports' rest
        if self.used + RUN + count > flows:
            self.used = 0
        self.raw.open(self.used, RUN, window=1)  # it passes when the switch has carried out all earlier messages
        self.used += RUN
        before = self.processor_s()
        passed = self.opens(self.used, count, rate, within=PORT_REST_S + SLACK_S if self._evicts else 0.0)
        if passed:
            self._spent = self.spent(before, count)
        self.used += count
        return passed


class Evict(Bench):
    """What does it cost a NAT to evict the least recently used mapping for each new one?"""

    name = "evict"
    Parameters = EvictParameters
    subjects = ("openflow", "evict-lru")
    ratios = (Ratio("evict-lru", "openflow", "flows/s"),)

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return a trial with a full table that evicts, and one without."""
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
