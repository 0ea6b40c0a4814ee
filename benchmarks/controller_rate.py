"""Bench `controller`: the packet-ins a second that a controller answers, from a switch that only asks.

The fast path is our own controller. The stock handlers are the same NAT behind the framework's own receive loop
and message classes. See `fake_switch`. A packet-in counts when its PacketOut has come, after its two FlowMods.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

from pydantic import Field

from benchmarks import fake_switch
from controller.nat.model import Protocol
from testbed.bench.bench import Bench, BenchError, Measured, Parameters, Ratio, Sample, Trial
from testbed.bench.on_machine import DirectTrial

SLOW = "stock handlers"
SLOW_SHARE = 20
"""The factor by which the slow subject is measured with fewer flows."""


Behaviour = Annotated[str, Field(pattern="^(eim|adm|edm)/(eif|adf|edf)$")]


class ControllerParameters(Parameters):
    """What a user may choose about this bench."""

    protocols: list[Literal["udp", "tcp"]] = Field(["udp", "tcp"], description="protocols")
    behaviours: list[Behaviour] = Field(
        ["eim/eif", "edm/edf"], description="mapping and filtering behaviours, each pair as eim/eif"
    )
    flows: int = Field(60_000, strict=True, ge=SLOW_SHARE, le=64_512, description="packet-ins in each trial")


class Controller(Bench):
    """How many packet-ins a second does the controller answer, with the complete NAT?"""

    name = "controller"
    Parameters = ControllerParameters
    subjects = tuple(fake_switch.SUBJECTS)
    ratios = (Ratio("fast path", SLOW, "packet-ins/s"),)

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return a trial for each subject, behaviour and protocol."""
        return [
            DirectTrial(
                subject,
                f"{subject}, {behaviour}, {protocol}",
                functools.partial(_measured, subject, parameters.flows, protocol, behaviour),
            )
            for protocol in parameters.protocols
            for behaviour in parameters.behaviours
            for subject in cls.subjects
        ]


def _measured(subject: str, flows: int, protocol: str, behaviour: str) -> Measured:
    count = flows // SLOW_SHARE if subject == SLOW else flows
    mapping, _, filtering = behaviour.partition("/")
    settings: dict[str, object] = {"mapping_type": mapping, "filtering_type": filtering}
    try:
        found = fake_switch.measure(subject, count, Protocol[protocol.upper()], settings)
    except (TimeoutError, ConnectionError) as error:
        raise BenchError(f"{subject}, {behaviour}, {protocol}: {error}") from None
    cell = {"protocol": protocol, "behaviour": behaviour}
    samples = [
        Sample(subject, cell, "packet-ins/s", found.packet_ins_s, {"packet_ins": count}),
        Sample(subject, cell, "us of CPU each", found.cpu_us),
    ]
    return Measured(samples, {"framework": found.framework})
