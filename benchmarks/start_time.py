"""Bench `start`: seconds until a lab has started and has stopped, with our hosts and with Mininet's own.

`start_lab` measures them. A lab of 1,024 of Mininet's own hosts takes a minute each time.
"""

from __future__ import annotations

import functools
from typing import Any

from pydantic import Field

from benchmarks import start_lab
from testbed.bench.bench import Bench, BenchError, Measured, Parameters, Ratio, Sample, Trial
from testbed.bench.on_machine import DirectTrial


class StartParameters(Parameters):
    """What a user may choose about this bench."""

    hosts: list[int] = Field(list(start_lab.SIZES), description="inside hosts")


class Start(Bench):
    """How long does a lab take to start and to stop?"""

    name = "start"
    Parameters = StartParameters
    subjects = (start_lab.OURS, start_lab.STOCK)
    ratios = (Ratio(start_lab.STOCK, start_lab.OURS, "s"),)

    @classmethod
    def trials(cls, parameters: Any) -> list[Trial]:
        """Return a trial for each number of hosts and each kind of lab."""
        return [
            DirectTrial(kind, f"{hosts} hosts, {kind}", functools.partial(_measured, kind, hosts))
            for hosts in parameters.hosts
            for kind in cls.subjects
        ]


def _measured(kind: str, hosts: int) -> Measured:
    try:
        times = start_lab.measure(hosts, kind)
    except start_lab.StartError as error:
        raise BenchError(str(error)) from None
    samples = [
        Sample(kind, {"hosts": hosts, "what": "start"}, "s", times.start),
        Sample(kind, {"hosts": hosts, "what": "stop"}, "s", times.stop),
    ]
    return Measured(samples, {})
