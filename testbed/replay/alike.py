"""The very same attempts in the core, at the times at which they really came."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from controller.nat.settings import NatSettings
from testbed.experiment.expectations import met
from testbed.plan.arrivals import Arrival
from testbed.plan.simulation import TICK_S, Simulation
from testbed.plan.tally import Tally
from testbed.replay.figures import near
from testbed.traffic.records import Attempt

AGAIN, MOST_AGAIN = 4, 100
"""How often the core gets the attempts once more, a little later: at least, and at most while the wire's share is
not within those of the core."""
MOST_MOVED = 1_000_000
"""The attempts that the core gets once more in all, at most, unless AGAIN times are more: half a minute of a
processor."""
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

    If they are `moved`, each ends some milliseconds later. Each comes to the NAT later than it was sent: by some
    milliseconds and the time that any one of the answers took, but hardly after its own answer. And all of them
    are at another time between two ticks. A NAT that answers late has no port for longer by that.
    """
    tally, first = Tally(1, 1), min((attempt.sent_at for attempt in attempts), default=0.0)
    simulation = Simulation(nat, random.Random("replay"), tally, reads_together=True)
    refused = [False] * len(attempts)
    phase = 0.0 if moved is None else moved.uniform(0, TICK_S)
    sent = [phase + attempt.sent_at - first for attempt in attempts]
    answers = [attempt.seconds for attempt in attempts if attempt.outcome == "established"] or [0.0]
    begun = sent
    if moved is not None:
        begun = [
            at + min(_later(moved) + moved.choice(answers), max(attempt.seconds, 2 * LATER_S))
            for at, attempt in zip(sent, attempts, strict=True)
        ]
    for place in sorted(range(len(attempts)), key=begun.__getitem__):
        _, packet, _, ending, *_ = arrivals[place]
        attempt, before = attempts[place], tally.refused
        # A client counts from the answer. One that the wire refused would have had its answer at once.
        ends = sent[place] + lives[place] + (attempt.seconds if attempt.outcome == "established" else 0.0)
        if moved is not None:
            ends = max(begun[place], ends + _later(moved))
        simulation.feed([(begun[place], packet, ends, ending, 0, 0)])
        refused[place] = tally.refused > before
    return refused


def _later(moved: random.Random) -> float:
    return abs(moved.gauss(0.0, LATER_S))


def shares_alike(
    nat: NatSettings,
    arrivals: Sequence[Arrival],
    lives: Sequence[float],
    attempts: Sequence[Attempt],
    counted: Sequence[bool],
    simulated: Sequence[bool],
    *,
    wire: float,
) -> list[float]:
    """Return the shares that the core refuses of the attempts that are counted: as `simulated`, and moved.

    Where ports are scarce, milliseconds decide who gets the next one, and that decides about others. So these
    shares show how exact any comparison can be. They may lie around two values, one of which is rare. So a few of
    them do not show that the core never has the share of the `wire`: then it gets the attempts more often.
    """
    many = sum(counted)

    def share(refused: Sequence[bool]) -> float:
        return sum(itertools.compress(refused, counted)) / max(1, many)

    shares = [share(simulated)]
    for number in range(max(AGAIN, min(MOST_AGAIN, MOST_MOVED // max(1, len(attempts))))):
        if number >= AGAIN and met(near(shares, many), round(wire, 4)):
            break
        shares.append(share(refused_alike(nat, arrivals, lives, attempts, random.Random(number))))
    return shares
