"""The machine's part in a run: what is measured of it while the scenario runs, and judged when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from testbed.evidence.busy import NO_TROUBLE, Busy, Failure
from testbed.evidence.losses import counted, losses, packets
from testbed.evidence.sampling import Sampler
from testbed.experiment.lab import Lab
from testbed.experiment.report import Report
from testbed.sandbox.slowness import slowness


@contextmanager
def watched(lab: Lab, report: Report, failures: list[Failure]) -> Iterator[None]:
    """Measure the machine and the links during the block, and report it.

    `failures` are those of the checks in the block, which raises its own errors as ever. Raises TooBusyError if
    all of them may be the machine's fault, and LinksError if they may be due to what was set for the links.
    """
    if lab.links.sides:
        report.environment(**{f"{each.side}_links": each.words() for each in lab.links.sides})
    sampler, before, hosts = Sampler(), counted(), [host.netns for host in (*lab.clients, *lab.servers)]
    sampler.start()
    busy, trouble = Busy(), NO_TROUBLE
    try:
        yield
    finally:
        if lab.links.sides:
            trouble = lab.links.trouble()
            report.series(links=lab.links.figures())
        busy = replace(
            sampler.stop(),
            packet_in_s=_longest_answer(lab),
            lost=losses(hosts, before),
            packets=packets(hosts),
            slowness=slowness(),
        )
        report.machine(busy=busy.as_json())
    beside_strangers = any(each.is_strangers for each in lab.gateways.values())
    busy.require_idle_for(failures, trouble, beside_strangers=beside_strangers)


def _longest_answer(lab: Lab) -> float | None:
    answers = [gateway.longest_answer() for gateway in lab.gateways.values()]
    return max((each for each in answers if each is not None), default=None)
