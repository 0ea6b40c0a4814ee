"""Loads that are offered to a pool one after the other, as multiples of its capacity, without a pause."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scenarios.shared.rates import Pool, evenly
from testbed.api import Attempt, unserved

SETTLING = 1.0
"""A new load is offered for this multiple of a connection's time before attempts count: then it is in balance. The
first begins with an empty NAT, and its own end settles it: only its last connections could be refused."""


@dataclass(frozen=True, slots=True)
class Load:
    """One load: its rate in connections a second, the number of the first that counts, and how many do."""

    load: float
    rate: float
    first: int
    counted: int

    @property
    def predicted(self) -> float:
        """The share that is refused in the long run: what comes beyond capacity."""
        return max(0.0, 1 - 1 / self.load)


def plan(pool: Pool, multiples: Iterable[float], measured: float) -> tuple[list[float], list[Load]]:
    """Return when the attempts start, and which of them count for which load.

    `measured` is the duration of a load, in terms of the longest time for which a port is occupied.
    """
    arrivals: list[float] = []
    loads = []
    at = 0.0
    for multiple in multiples:
        rate = pool.rate * multiple
        settling = round(rate * pool.longest * SETTLING) if arrivals else 0
        counted = max(1, round(rate * pool.longest * measured))
        loads.append(Load(multiple, rate, len(arrivals) + settling + 1, counted))
        arrivals += evenly(settling + counted, rate, after=at)
        at += (settling + counted) / rate
    return arrivals, loads


def row(load: Load, attempts: list[Attempt]) -> dict[str, Any]:
    """Return the figures of a load, of all attempts."""
    counted = attempts[load.first - 1 : load.first - 1 + load.counted]
    refused = len(unserved(counted))
    seconds = counted[-1].sent_at - counted[0].sent_at
    return {
        "load": load.load,
        "offered_per_second": round(load.rate, 2),
        "measured_per_second": round((len(counted) - 1) / seconds, 2) if seconds else None,
        "attempts": len(counted),
        "refused": refused,
        "refused_share": round(refused / len(counted), 4),
        "predicted_share": round(load.predicted, 4),
    }
