"""The course of a plan in a lab: its attempts in the lab's time, and what each of them belongs to."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from controller.nat.model import Packet, Protocol, TcpFlags
from controller.nat.settings import NatSettings
from testbed.plan.arrivals import Arrival, Ending
from testbed.plan.interval import BatchMeans
from testbed.plan.parameters import PlanParameters
from testbed.plan.simulation import Simulation
from testbed.plan.tally import Tally
from testbed.plan.traces.record import Record
from testbed.plan.workload import Population, Workload

MOST_SIMULATED = 60_000
"""The attempts after which a figure of the core is sure enough to stand beside one of the wire."""
Second = Sequence[Arrival]


@dataclass(frozen=True, slots=True)
class Group:
    """What attempts belong to: a class of subscribers, and a protocol."""

    of: str
    protocol: str


class Course:
    """The attempts of a plan at a pace. The number of an attempt's class in it is that of a group.

    Attempts that nobody answers are in none of the groups, and have the number after these: on the wire nobody can
    tell whether they were refused.
    """

    def __init__(self, classes: Sequence[str], seconds: Iterable[Second], pace: float) -> None:
        """Begin with the names of the classes, and the arrivals of each second of the plan."""
        self.groups = [Group(name, protocol) for name in classes for protocol in ("tcp", "udp")]
        self._seconds, self._pace = seconds, pace

    def batches(self) -> Iterator[list[Arrival]]:
        """Yield the attempts of each second of the plan, in the lab's time."""
        for second in self._seconds:
            yield [self._grouped(arrival) for arrival in second]

    def _grouped(self, arrival: Arrival) -> Arrival:
        at, packet, ends, ending, of, destination = arrival
        group = 2 * of + (packet.protocol is Protocol.UDP)
        if ending is Ending.UNANSWERED:
            group = len(self.groups)
        return at * self._pace, packet, ends * self._pace, ending, group, destination

    def until(self, time: float) -> list[Arrival]:
        """Return the attempts before a time of the lab."""
        every = itertools.chain.from_iterable(self.batches())
        return [*itertools.takewhile(lambda arrival: arrival[0] < time, every)]


def of_subscribers(parameters: PlanParameters, of: Sequence[Population], pace: float, seed: int) -> Course:
    """Return the course of subscribers: the one that a plan with this seed has had."""
    workload = Workload(parameters, random.Random(f"{seed} arrivals"), of)
    return Course([each.of.name for each in of], (arrivals for _, arrivals in workload.seconds()), pace)


def of_trace(records: Sequence[Record], pace: float) -> Course:
    """Return the course of a trace."""
    first, places = records[0].at, dict[int, int]()
    arrivals = [
        (
            record.at - first,
            Packet(record.protocol, record.source, record.destination, _flags(record)),
            record.ends - first,
            record.ending,
            0,
            places.setdefault(record.destination, len(places)),
        )
        for record in records
    ]
    return Course(["trace"], [arrivals], pace)


def _flags(record: Record) -> TcpFlags:
    return TcpFlags.SYN if record.protocol is Protocol.TCP else TcpFlags.NONE


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What the core refuses of a course if nothing is late: all in all, and in each group."""

    means: BatchMeans
    offered: list[int]
    refused: list[int]


def foreseen(course: Course, nat: NatSettings, seed: int, *, warm_up: float, until: float) -> Foreseen:
    """Simulate a course, and count from the warm-up on until a time, or until it is known well enough."""
    groups, means = len(course.groups), BatchMeans()
    tally, unheard = Tally(groups + 1, 1), Tally(groups + 1, 1)
    simulation = Simulation(nat, random.Random(f"{seed} nat"), unheard, reads_together=True)
    for batch in course.batches():
        arrivals = [(*arrival[:5], 0) for arrival in batch]
        if arrivals and arrivals[0][0] >= warm_up:
            simulation.tally = tally
        simulation.feed(arrivals)
        if simulation.tally is tally:
            offered, refused = sum(tally.offered_by[:groups]), sum(tally.refused_by[:groups])
            means.add(offered - means.offered, refused - means.refused)
        if means.offered >= MOST_SIMULATED or (arrivals and arrivals[-1][0] >= until):
            break
    return Foreseen(means, tally.offered_by[:groups], tally.refused_by[:groups])
