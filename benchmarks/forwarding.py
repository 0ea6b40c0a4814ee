"""Bench `forward`: packets a second and throughput of flows that are set up, by the number of mappings.

A trial is one network with one NAT. It opens flows until `mappings` are in place, and sends one datagram over
each, so that the switch has seen them all. Then it sends datagrams over all of them in turn, and times these. The
load is closed, so nothing is lost: `lost` in the series must be 0. The generator, both hosts' kernels and the NAT
share the machine's processors. So the figures are of all of them together, and comparable within a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from benchmarks.measuring import FlowsParameters, Measuring
from benchmarks.subjects import NATS
from controller.settings import ConfigurationError
from testbed.bench.bench import Bench, Parameters, Ratio, Trial
from testbed.bench.in_lab import lab_trial

SOCKET_BYTES = 150_000
"""Bytes under way at once: a switch in userspace reads each port from a socket with little more room."""
BOOKED_BYTES = 640
"""Bytes that the kernel counts for a frame besides its payload."""
SWITCH_DEFAULT = 200_000
"""Flows that Open vSwitch keeps in its cache by default. Here every packet is of a known flow."""
WARMING = 18
HEADERS = 42
"""Bytes of a frame before a datagram's payload."""
SUBJECTS = ("openflow", "ovs-ct", "netfilter")


class ForwardParameters(Parameters):
    """What a user may choose about this bench."""

    mappings: list[int] = Field([1, 1000, 64000], description="mappings in place, and used in turn")
    payloads: list[int] = Field([18, 1400], description="bytes of payload in a datagram")
    frames: int = Field(100_000, strict=True, ge=1, description="datagrams that are timed")
    ports: int = Field(64512, strict=True, ge=1, le=64512, description="ports of the external address")


class UseParameters(FlowsParameters):
    """The parameters of one trial."""

    mappings: list[int] = Field([1], description="mappings in place, and used in turn")
    payloads: list[int] = Field([18], description="bytes of payload in a datagram")
    frames: int = Field(100_000, strict=True, ge=1, description="datagrams that are timed")


class Forwarding(Measuring[UseParameters]):
    """How fast do packets of known flows pass?"""

    name = "bench-forward"
    cached_flows = SWITCH_DEFAULT

    def measure(self) -> None:
        """Open flows and time datagrams over them, for each number of mappings."""
        for mappings in self.x.parameters.mappings:
            self.fill(mappings)
            with self.x.phase(f"{mappings} mappings"):
                self.raw.flood(mappings, frames=mappings, window=_window(WARMING), payload=WARMING)
                for payload in self.x.parameters.payloads:
                    self._time(mappings, payload)

    def _time(self, mappings: int, payload: int) -> None:
        landed = self.raw.flood(
            mappings, frames=self.x.parameters.frames, window=_window(payload), payload=payload
        )
        cell = {"mappings": mappings, "payload": payload}
        rate = landed["arrived"] / landed["seconds"]
        lost = landed["sent"] - landed["arrived"]
        self.sample(cell, "packets/s", rate, lost=lost, in_use=self.in_use)
        self.sample(cell, "Mbit/s", rate * (HEADERS + payload) * 8 / 1e6, lost=lost)


def _window(payload: int) -> int:
    """Return the number of frames with a payload of this size that may be under way at once."""
    return SOCKET_BYTES // (BOOKED_BYTES + payload)


class Forward(Bench):
    """How fast do packets of known flows pass, with few mappings in place and with many?"""

    name = "forward"
    Parameters = ForwardParameters
    subjects = SUBJECTS
    ratios = (Ratio("openflow", "ovs-ct", "packets/s"), Ratio("openflow", "netfilter", "packets/s"))

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return a trial for each NAT."""
        if max(parameters.mappings) > parameters.ports or min(parameters.mappings) < 1:
            raise ConfigurationError(
                f"parameter mappings={parameters.mappings} is not possible with ports={parameters.ports}: "
                f"take 1 to {parameters.ports} mappings"
            )
        sets = {key: getattr(parameters, key) for key in ("mappings", "payloads", "frames", "ports")}
        return [
            lab_trial(
                subject,
                scenario=f"{Path(__file__)}:Forwarding",
                gateway=NATS[subject],
                sets=sets,
                title=f"forwarding by {subject}",
            )
            for subject in SUBJECTS
        ]
