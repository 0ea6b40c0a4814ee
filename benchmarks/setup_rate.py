"""Bench `setup`: new flows a second, end to end through the switch, while the table fills.

A trial is one network with one NAT and one protocol. It fills the table up to a share of the ports, opens a window
of new flows and measures, and goes on with the next share. The load is closed: a fixed number of first packets is
under way at once, so that no queue overflows. The rate is the number of flows by the time from the first packet's
departure to the last one's arrival at the server. It counts only if every flow arrived, and if every answer of the
server reaches the host and port of its flow. Otherwise the next flows are tried with half as many under way.

The series `details` has percentiles of the latency, and the processor time that each program took for a flow. This
shows what limits the rate, and hardly depends on other load on the machine.

The textbook's table is filled by raw messages. Its own controller would take half a minute and more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchmarks.measuring import FlowsParameters, Measuring
from benchmarks.subjects import NATS
from controller.settings import ConfigurationError
from testbed.bench.bench import Bench, Parameters, Ratio, Trial
from testbed.bench.in_lab import lab_trial

TRIES = 3
RUN_UP = 500
"""Flows of the other protocol right before a window. They take none of its ports, and no program starts cold."""


class SetupParameters(Parameters):
    """What a user may choose about this bench."""

    protocols: list[Literal["udp", "tcp"]] = Field(["udp", "tcp"], description="protocols")
    fills: list[float] = Field(
        [0.0, 0.25, 0.5, 0.75, 0.95], description="shares of the ports in use when a window starts"
    )
    window: int = Field(2000, strict=True, ge=1, le=16000, description="new flows that are timed")
    in_flight: int = Field(256, strict=True, ge=1, le=512, description="first packets under way at once")
    ports: int = Field(64512, strict=True, ge=1, le=64512, description="ports of the external address")


class WindowParameters(FlowsParameters):
    """The parameters of one trial."""

    fills: list[float] = Field([0.0], description="shares of the ports in use when a window starts")
    window: int = Field(2000, strict=True, ge=1, description="new flows that are timed")
    in_flight: int = Field(256, strict=True, ge=1, description="first packets under way at once")


class SettingUp(Measuring[WindowParameters]):
    """How many new flows a second does a NAT set up, and how does that change as its table fills?"""

    name = "bench-setup"

    def measure(self) -> None:
        """Fill the table to each share in turn, and time a window of new flows there."""
        fills = self.x.parameters.fills
        run_up = min(RUN_UP, self.x.settings.port_count // len(fills))
        other = self.x.lab.raw("tcp" if self.x.protocol == "udp" else "udp", flows=run_up * len(fills))
        for number, fill in enumerate(fills):
            self.fill(int(fill * self.x.settings.port_count))
            with self.x.phase(f"{self.x.parameters.window} flows"):
                other.open(number * run_up, run_up)
                self._time(fill)

    def _time(self, fill: float) -> None:
        """Open a window of flows and answer them. If one is lost, do so again with a smaller load."""
        window, in_flight = self.x.parameters.window, self.x.parameters.in_flight
        for _ in range(TRIES):
            before, in_use = self.processor_s(), self.in_use
            sent = self.raw.open(self.used, window, window=in_flight)
            spent = self.spent(before, window)
            back = self.raw.answer(self.used, window)
            self.used += window
            self.in_use += sent["arrived"]
            lost = window - min(sent["arrived"], back["arrived"])
            if not lost or self.used + window > self.x.settings.port_count:
                break
            in_flight = max(1, in_flight // 2)
        latencies = {key: value for key, value in sent.items() if key.endswith("_ms")}
        self.sample(
            {"protocol": self.x.protocol, "fill": fill},
            "flows/s",
            sent["arrived"] / sent["seconds"],
            **latencies,
            **spent,
            lost=lost,
            in_flight=in_flight,
            in_use=in_use,
        )


class Setup(Bench):
    """How many new flows a second does each NAT set up, and how does that change as its table fills?"""

    name = "setup"
    Parameters = SetupParameters
    subjects = tuple(NATS)
    ratios = (Ratio("openflow", "textbook", "flows/s"), Ratio("openflow", "ceiling", "flows/s"))

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return a trial for each NAT and protocol."""
        _check(parameters)
        common = {key: getattr(parameters, key) for key in ("fills", "window", "in_flight", "ports")}
        return [
            lab_trial(
                subject,
                scenario=f"{Path(__file__)}:SettingUp",
                gateway=gateway,
                sets={**common, "protocol": protocol},
                title=f"setup of {subject}, {protocol}",
            )
            for protocol in parameters.protocols
            for subject, gateway in NATS.items()
        ]


def _check(parameters: SetupParameters) -> None:
    most = parameters.ports - parameters.window
    for fill in parameters.fills:
        if not 0 <= fill <= 1 or fill * parameters.ports > most:
            raise ConfigurationError(
                f"parameter fills={fill} is not possible with ports={parameters.ports} and "
                f"window={parameters.window}: the window must find room; take 0 to "
                f"{max(0, most) / parameters.ports:.2f}"
            )
    if sorted(parameters.fills) != parameters.fills:
        raise ConfigurationError(f"parameter fills={parameters.fills} must go up: a table is only filled")
