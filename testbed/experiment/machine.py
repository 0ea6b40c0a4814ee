"""The machine's part in a run: what is measured of it while the scenario runs, and judged when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from testbed.evidence.busy import Busy, Failure
from testbed.evidence.losses import counted, losses, packets
from testbed.evidence.sampling import Sampler
from testbed.experiment.lab import Lab
from testbed.experiment.report import Report


@contextmanager
def watched(lab: Lab, report: Report, failures: list[Failure]) -> Iterator[None]:
    """Measure the machine during the block, and report it. Raises TooBusyError if all `failures` may be its fault.

    `failures` are those of the checks in the block, which raises its own errors as ever.
    """
    sampler, before, hosts = Sampler(), counted(), [host.netns for host in (*lab.clients, *lab.servers)]
    sampler.start()
    busy = Busy()
    try:
        yield
    finally:
        busy = replace(
            sampler.stop(),
            packet_in_s=_longest_answer(lab),
            lost=losses(hosts, before),
            packets=packets(hosts),
        )
        report.machine(busy=busy.as_json())
    busy.require_idle_for(failures, beside_strangers=any(each.is_strangers for each in lab.gateways.values()))


def _longest_answer(lab: Lab) -> float | None:
    answers = [gateway.longest_answer() for gateway in lab.gateways.values()]
    return max((each for each in answers if each is not None), default=None)
