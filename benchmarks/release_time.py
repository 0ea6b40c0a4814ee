"""Bench `release`: the seconds until a full table is empty again.

- By close: each end of every TCP connection sends a FIN, with a closing timer of TIMER_S.
- By timeout: every UDP mapping is used once more, and then no longer. The time after the last one is due counts.
- By operator: a command empties the whole table at once (`Gateway.flush`).

In each case the clock stops when the gateway itself counts no allocated port. It is asked every ASK_EVERY_S. Ports
that rest before they are given again (`ports_resting`) are free in this sense.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchmarks.measuring import FlowsParameters, Measuring
from benchmarks.subjects import NATS
from testbed.bench.bench import Bench, Parameters, Trial
from testbed.bench.in_lab import lab_trial
from testbed.traffic.frames import SMALLEST_PAYLOAD, Kind

TIMER_S = 0.1
ASK_EVERY_S = 0.02
EMPTY_WITHIN_S = 120.0
SETTINGS: dict[str, dict[str, Any]] = {
    "close": {"protocol": "tcp", "tcp_trans_close_timeout": TIMER_S},
    "timeout": {"protocol": "udp"},
    "operator": {"protocol": "udp"},
}
"""The trial's parameters and the NAT's settings, by the way in which the table is emptied."""
WAYS = {"openflow": ("close", "timeout", "operator"), "ovs-ct": ("operator",), "netfilter": ("operator",)}
"""The ways that are measured, by subject. conntrack keeps a closed connection's entry for whole seconds, so it is
not compared in the first two."""


class ReleaseParameters(Parameters):
    """What a user may choose about this bench."""

    ports: int = Field(64512, strict=True, ge=256, le=64512, description="ports of the external address")
    udp_timeout: float = Field(20.0, ge=1, description="idle time after which a UDP mapping ends, in seconds")


class WayParameters(FlowsParameters):
    """The parameters of one trial."""

    way: Literal["close", "timeout", "operator"] = Field("close", description="how the table is emptied")


class Emptying(Measuring[WayParameters]):
    """How long does it take until a full table is empty again?"""

    name = "bench-release"

    def measure(self) -> None:
        """Fill the table, empty it in one of the ways, and wait until it is empty."""
        self.ports = self.x.settings.port_count
        self.fill(self.ports)
        full = self.allocated()
        way = self.x.parameters.way
        with self.x.phase(f"release by {way}"):
            started = {"close": self._close, "timeout": self._idle, "operator": self._flush}[way]()
            seconds = self._empty_after(started)
        self.sample({"by": way, "ports": self.ports}, "s", seconds, mappings=full)

    def _close(self) -> float:
        started = time.monotonic()
        for first in range(0, self.ports, 4096):
            count = min(4096, self.ports - first)
            self.raw.out(Kind.FIN, first, count)
            self.raw.back(Kind.FIN, first, count)
        return started

    def _idle(self) -> float:
        """Use every mapping once more, and return the time when the last one is due."""
        self.raw.flood(self.ports, frames=self.ports, window=256, payload=SMALLEST_PAYLOAD)
        return time.monotonic() + self.x.settings.udp_timeout

    def _flush(self) -> float:
        started = time.monotonic()
        self.x.lab.gateway.flush()
        return started

    def _empty_after(self, started: float) -> float:
        """Return the seconds from `started` until no port is allocated any more."""
        deadline = max(started, time.monotonic()) + EMPTY_WITHIN_S
        while time.monotonic() < deadline:
            asked_at = time.monotonic()
            if not self.allocated():
                return max(0.0, asked_at - started)
            time.sleep(ASK_EVERY_S)
        raise TimeoutError(f"the table was not empty within {EMPTY_WITHIN_S:.0f} s")


class Release(Bench):
    """How long does it take until a full table is empty again?"""

    name = "release"
    Parameters = ReleaseParameters
    subjects = tuple(WAYS)

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return a trial for each NAT and way."""
        timers = {"timeout": {"udp_timeout": parameters.udp_timeout}}
        return [
            lab_trial(
                subject,
                scenario=f"{Path(__file__)}:Emptying",
                gateway=NATS[subject],
                sets={"way": way, "ports": parameters.ports, **SETTINGS[way], **timers.get(way, {})},
                title=f"release by {way}, {subject}",
            )
            for subject, way in itertools.chain.from_iterable(
                ((subject, way) for way in ways) for subject, ways in WAYS.items()
            )
        ]
