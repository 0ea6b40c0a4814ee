"""The very same attempts in the core, at the times at which they really came."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from controller.nat.settings import NatSettings
from testbed.plan.arrivals import Arrival
from testbed.plan.simulation import TICK_S, Simulation
from testbed.plan.tally import Tally
from testbed.traffic.records import Attempt

AGAIN = 4
"""How often the core gets the attempts once more, a little later."""
LATER_S = 0.01
"""The delay of a packet or a timer that any machine may have: its standard deviation."""


def refused_alike(
    nat: NatSettings,
    arrivals: Sequence[Arrival],
    lives: Sequence[float],
    attempts: Sequence[Attempt],
    moved: random.Random | None = None,
) -> list[bool]:
    """Return whether the core refuses each of these attempts, at the times at which they really came.

    If they are `moved`, each begins and ends by some milliseconds later, and all of them at another time between
    two ticks.
    """
    tally, first = Tally(1, 1), min((attempt.sent_at for attempt in attempts), default=0.0)
    simulation = Simulation(nat, random.Random("replay"), tally, reads_together=True)
    refused = [False] * len(attempts)
    begun = [attempt.sent_at - first for attempt in attempts]
    if moved is not None:
        phase = moved.uniform(0, TICK_S)
        begun = [phase + at + _later(moved) for at in begun]
    for place in sorted(range(len(attempts)), key=begun.__getitem__):
        _, packet, _, ending, *_ = arrivals[place]
        attempt, before = attempts[place], tally.refused
        # A client counts from the answer. One that the wire refused would have had its answer at once.
        ends = begun[place] + lives[place] + (attempt.seconds if attempt.outcome == "established" else 0.0)
        if moved is not None:
            ends += _later(moved)
        simulation.feed([(begun[place], packet, ends, ending, 0, 0)])
        refused[place] = tally.refused > before
    return refused


def _later(moved: random.Random) -> float:
    return abs(moved.gauss(0.0, LATER_S))


def shares_nearby(
    nat: NatSettings,
    arrivals: Sequence[Arrival],
    lives: Sequence[float],
    attempts: Sequence[Attempt],
    counted: Sequence[bool],
) -> list[float]:
    """Return the shares that the core refuses of the attempts that are counted if all are moved a little.

    Where ports are scarce, milliseconds decide who gets the next one, and that decides about others. So these
    shares show how exact any comparison can be.
    """
    every = (refused_alike(nat, arrivals, lives, attempts, random.Random(number)) for number in range(AGAIN))
    return [sum(itertools.compress(refused, counted)) / max(1, sum(counted)) for refused in every]
