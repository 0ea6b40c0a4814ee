"""Bench `rfc9693`: the measurements of RFC 9693 at this scale. Single host, not RFC-grade.

RFC 9693 asks for line rate, and for a tester of its own on each side of the NAT. Here all share one machine. The
search procedures are those of the RFC, as far as the scale allows:

- Maximum connection establishment rate (section 4.5): a search by doubling, then by halves, to within 5 %. Each
  step begins with an empty table, and opens new connections by the clock at one rate. It passes if every first
  packet arrives in time. The rate is validated in the step itself: every connection is answered from outside, and
  every answer must reach its host and port. A step that fails is tried once more, since on a shared machine it may
  be the tester that was late. Deviation: answers go out in a bounded window, not at a set share of the rate.
- Connection tracking table capacity (section 4.9): connections are opened beyond the number of ports, and those
  that can be answered afterwards are counted. Deviation: the number of ports is known, so there is no search.
- Connection tear-down rate (section 4.8): the operator's command empties the full table. The rate is the number of
  connections by the seconds until the gateway counts none.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchmarks.eviction_rate import SLACK_S
from benchmarks.measuring import FlowsParameters, Measuring, highest_rate
from benchmarks.release_time import ASK_EVERY_S, EMPTY_WITHIN_S
from benchmarks.subjects import NATS
from controller.settings import PORT_REST_S, ConfigurationError
from testbed.bench.bench import Bench, Parameters, Ratio, Trial
from testbed.bench.in_lab import lab_trial
from testbed.traffic.generator import RUN

SUBJECTS = ("openflow", "ovs-ct", "netfilter")


class SearchParameters(Parameters):
    """What a user may choose about this bench."""

    ports: int = Field(32768, strict=True, ge=256, le=60000, description="ports of the external address")
    connections: int = Field(4000, strict=True, ge=1, description="connections of one step of the search")
    protocol: Literal["udp", "tcp"] = Field("tcp", description="protocol")


class StepParameters(FlowsParameters):
    """The parameters of one trial."""

    connections: int = Field(1000, strict=True, ge=1, description="connections of one step of the search")


class Searching(Measuring[StepParameters]):
    """What are a NAT's maximum connection establishment rate, table capacity and tear-down rate?"""

    name = "bench-rfc9693"
    offered = 1.0625

    def measure(self) -> None:
        """Search for the highest rate, fill the table, and empty it."""
        with self.x.phase("connection establishment"):
            rate = self._search()
        self.sample(self._cell("maximum establishment rate"), "connections/s", rate)
        with self.x.phase("capacity"):
            capacity = self._capacity()
        self.sample(self._cell("table capacity"), "connections", capacity)
        with self.x.phase("tear-down"):
            seconds = self._tear_down()
        self.sample(self._cell("tear-down rate"), "connections/s", capacity / seconds)

    def _cell(self, what: str) -> dict[str, Any]:
        return {"what": what, "protocol": self.x.protocol}

    def _search(self) -> float:
        """Return the highest rate that passes, with one more try for a rate that fails."""
        return highest_rate(lambda rate: self._passes(rate) or self._passes(rate))

    def _passes(self, rate: float) -> bool:
        """Return whether connections that are opened in an empty table at this rate pass."""
        self._tear_down()
        time.sleep(PORT_REST_S + SLACK_S)  # no event marks the end of the ports' rest
        self.raw.open(0, RUN, window=1)  # it passes when the NAT has carried out all earlier messages
        return self.opens(RUN, self.x.parameters.connections, rate)

    def _capacity(self) -> int:
        """Open more connections than there are ports, and return the number of those that can be answered."""
        everything = self.raw.plan.flows
        self.raw.open(0, everything)
        answered: int = self.raw.answer(0, everything)["arrived"]
        return answered

    def _tear_down(self) -> float:
        started = time.monotonic()
        self.x.lab.gateway.flush()
        while self.allocated():
            if time.monotonic() - started > EMPTY_WITHIN_S:
                raise TimeoutError(f"the table was not empty within {EMPTY_WITHIN_S:.0f} s")
            time.sleep(ASK_EVERY_S)
        return time.monotonic() - started


class Rfc9693(Bench):
    """What are the maximum connection establishment rate, the table capacity and the tear-down rate?"""

    name = "rfc9693"
    note = "single host, not RFC-grade"
    Parameters = SearchParameters
    subjects = SUBJECTS
    ratios = (Ratio("openflow", "ovs-ct", "connections/s"), Ratio("openflow", "netfilter", "connections/s"))

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return a trial for each NAT."""
        if parameters.connections + RUN > parameters.ports:
            raise ConfigurationError(
                f"parameter connections={parameters.connections} is not possible with ports={parameters.ports}: "
                f"a step begins with {RUN} flows besides; take 1 to {parameters.ports - RUN} connections"
            )
        sets = {key: getattr(parameters, key) for key in ("ports", "connections", "protocol")}
        return [
            lab_trial(
                subject,
                scenario=f"{Path(__file__)}:Searching",
                gateway=NATS[subject],
                sets=sets,
                title=f"RFC 9693 on {subject}",
            )
            for subject in SUBJECTS
        ]
