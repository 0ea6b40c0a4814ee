"""Watching a NAT while attempts arrive: what is refused, how many ports are in use, and what is logged.

Nothing is counted before the NAT has filled up as far as it will: after the warm-up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.nat.model import Protocol
from controller.nat.settings import NatSettings
from controller.process.garbage import collect_seldom
from testbed.plan.arrivals import Arrival
from testbed.plan.interval import BatchMeans
from testbed.plan.logged import Logged
from testbed.plan.simulation import Simulation
from testbed.plan.tally import Tally

Second = tuple[float, Sequence[Arrival]]
"""The end of a simulated second, and the arrivals before it."""
SHOWN = (Protocol.TCP, Protocol.UDP)


@dataclass(slots=True)
class Occupancy:
    """The ports of one protocol that are in use, once a second."""

    total: int = 0
    peak: int = 0
    samples: int = 0
    series: list[int] = field(default_factory=list)
    every: int = 1

    def add(self, allocated: int) -> None:
        """Take the number of a second. The series is thinned where it grows long."""
        if self.samples % self.every == 0:
            self.series.append(allocated)
            if len(self.series) > MOST_SAMPLES:
                del self.series[1::2]
                self.every *= 2
        self.total += allocated
        self.samples += 1
        self.peak = max(self.peak, allocated)

    @property
    def mean(self) -> float:
        """The mean over all seconds."""
        return self.total / self.samples if self.samples else 0.0


MOST_SAMPLES = 600
TOGETHER = 25
"""The refusals that come together, for the interval of a share of which none was seen: those of a burst or two."""


@dataclass(slots=True)
class Watched:
    """What was counted after the warm-up."""

    tally: Tally
    means: BatchMeans
    occupancy: dict[Protocol, Occupancy]
    created: dict[Protocol, int]
    evicted: int
    seconds: float
    real_s: float
    """The seconds of the processor that all of it took."""
    attempts: int
    """The attempts of all of it, with those of the warm-up."""
    log: dict[str, Any]
    """The volume of each kind of log in a day."""


def watch(
    nat: NatSettings,
    rng: random.Random,
    stream: Iterable[Second],
    *,
    classes: int,
    destinations: int,
    warm_up: float,
    until: float,
) -> Watched:
    """Feed a NAT with a stream, and count what comes after `warm_up` and before `until`."""
    collect_seldom()
    logged, tally = Logged(nat), Tally(classes, destinations)
    simulation = Simulation(nat, rng, tally, listener=logged.hear)
    began, attempts, counters = time.process_time(), 0, simulation.nat.counters
    means = BatchMeans(TOGETHER)
    occupancy = {protocol: Occupancy() for protocol in SHOWN}
    before = dict.fromkeys(SHOWN, 0)
    evicted, is_counted, end = 0, False, 0.0
    for end, arrivals in stream:
        if not is_counted and end > warm_up:
            is_counted = True
            simulation.tally = tally = Tally(classes, destinations)
            logged.begin()
            before = {protocol: counters[protocol].port_mapping_creations for protocol in SHOWN}
            evicted = sum(each.evicted_mappings for each in counters.values())
        offered, refused = tally.offered, tally.refused
        simulation.feed(arrivals)
        simulation.pass_time(end)
        attempts += len(arrivals)
        if is_counted:
            means.add(tally.offered - offered, tally.refused - refused)
            for protocol, seen in occupancy.items():
                seen.add(simulation.nat.pool.allocated(protocol))
        if end >= until:
            break
    return Watched(
        tally,
        means,
        occupancy,
        {protocol: counters[protocol].port_mapping_creations - before[protocol] for protocol in SHOWN},
        sum(each.evicted_mappings for each in counters.values()) - evicted,
        end - warm_up,
        time.process_time() - began,
        attempts,
        logged.in_a_day(end - warm_up),
    )
