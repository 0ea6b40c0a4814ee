"""Bench `setup`: new flows a second, end to end through the switch, while the table fills.

A trial is one network with one NAT and one protocol. It fills the table up to a share of the ports, then opens a
window of new flows and measures, and so on up to the next share. The load is closed: a fixed number of first
packets are under way at once, so that no queue overflows. The rate is the number of flows by the time from the
first packet's leaving a host to the last one's arrival at the server; it counts only if every flow arrived, and if
every answer that the server then sends reaches the host and port that the flow has. If not, the next flows are
tried with half as many under way.

Every flow has a source port of its own, so that a NAT which keeps ports where it can never has to search: the
kindest case for all. The textbook's table is filled by raw messages; its own hand would take half a minute and
more.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field

from benchmarks.subjects import NATS
from controller.configuration import ConfigurationError, Settings
from scenarios.base import Parameters as ScenarioParameters
from scenarios.base import Scenario
from scenarios.bench.base import Bench, Parameters, Ratio, Trial
from scenarios.bench.in_lab import lab_trial
from scenarios.traffic.generator import FIRST_PORT, RUN

if TYPE_CHECKING:
    from scenarios.lab import Lab
    from scenarios.report import Report
    from scenarios.traffic.raw import RawTraffic

PROTOCOLS = ("udp", "tcp")
PART = 4096
"""Flows that are opened at once to fill a table."""
TRIES = 3


@runtime_checkable
class Adopting(Protocol):
    """A gateway whose table can be filled by other means than packets."""

    def adopt(self, flows: list[tuple[str, str, int, int]], remote: tuple[str, int]) -> None:
        """Fill the table."""


class SetupParameters(Parameters):
    """What a user may choose about this bench."""

    protocols: list[Literal["udp", "tcp"]] = Field(["udp", "tcp"], description="protocols")
    fills: list[float] = Field(
        [0.0, 0.25, 0.5, 0.75, 0.95], description="shares of the ports in use when a window starts"
    )
    window: int = Field(2000, strict=True, ge=1, le=16000, description="new flows that are timed")
    in_flight: int = Field(256, strict=True, ge=1, le=512, description="first packets under way at once")
    ports: int = Field(64512, strict=True, ge=1, le=64512, description="ports of the external address")


class FlowsParameters(ScenarioParameters):
    """Of one trial."""

    protocol: Literal["udp", "tcp"] = Field("udp", description="protocol")
    fills: list[float] = Field([0.0], description="shares of the ports in use when a window starts")
    window: int = Field(2000, strict=True, ge=1, description="new flows that are timed")
    in_flight: int = Field(256, strict=True, ge=1, description="first packets under way at once")


class SettingUp(Scenario):
    """How many new flows a second does a NAT set up, and how does that change as its table fills?"""

    name = "bench-setup"
    claim = "a controller makes a NAT slow"
    Parameters = FlowsParameters
    wire_is_read = False
    settings: ClassVar[dict[str, Any]] = {"ports": 64512}

    def run(self, lab: Lab, parameters: Any, settings: Settings, report: Report) -> None:
        """Fill, time a window, and so on."""
        self._lab, self._report, self._window = lab, report, parameters.window
        self._raw = lab.raw(parameters.protocol, flows=settings.ports)
        with report.phase("warm up"):
            self._used = warmed_up(self._raw)
        samples = []
        for fill in parameters.fills:
            with report.phase(f"fill to {fill}"):
                self._fill(int(fill * settings.ports))
            with report.phase(f"{parameters.window} flows"):
                samples.append(self._timed(fill, parameters, settings.ports))
        report.series(samples=samples)
        report.check(
            "no frame was missed by the bench itself",
            expected=0,
            observed=self._raw.dropped(),
            source="packet(7): the kernel counts what found no room",
        )

    def _fill(self, until: int) -> None:
        """Open flows until so many ports are in use."""
        count = max(0, until - self._used)
        if isinstance(self._lab.gateway, Adopting) and count:
            plan = self._raw.plan
            numbers = range(self._used, self._used + count)
            flows = [(plan.protocol, *self._raw.inside(number), FIRST_PORT + number) for number in numbers]
            self._lab.gateway.adopt(flows, (plan.server.address, plan.port))
            self._used += count
        while self._used < until:
            part = min(PART, until - self._used)
            self._raw.open(self._used, part)
            self._used += part
            self._report.progress(self._used, until)

    def _timed(self, fill: float, parameters: Any, ports: int) -> dict[str, Any]:
        """Open a window of flows, and answer them; again with a smaller load, if one was lost."""
        in_flight = parameters.in_flight
        for _ in range(TRIES):
            sent = self._raw.open(self._used, self._window, window=in_flight)
            back = self._raw.answer(self._used, self._window)
            self._used += self._window
            lost = self._window - min(sent["arrived"], back["arrived"])
            if not lost or self._used + self._window > ports:
                break
            in_flight = max(1, in_flight // 2)
        return {
            "parameters": {"protocol": parameters.protocol, "fill": fill},
            "unit": "flows/s",
            "value": sent["arrived"] / sent["seconds"],
            "details": {
                **{key: value for key, value in sent.items() if key.endswith("_ms")},
                "lost": lost,
                "in_flight": in_flight,
            },
        }


def warmed_up(raw: RawTraffic) -> int:
    """Let every host open and answer some flows, so that all know their neighbours; return how many they were."""
    flows = len(raw.plan.clients) * RUN
    raw.open(0, flows, window=1)
    raw.answer(0, flows, window=1)
    return flows


class Setup(Bench):
    """How many new flows a second does each NAT set up, and how does that change as its table fills?"""

    name = "setup"
    Parameters = SetupParameters
    subjects = tuple(NATS)
    ratios = (Ratio("openflow", "textbook", "flows/s"), Ratio("openflow", "ceiling", "flows/s"))

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """One network for each NAT and protocol."""
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
