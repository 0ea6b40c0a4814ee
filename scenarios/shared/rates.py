"""Connections by the clock against a pool of ports: how many a second it can bear, and what becomes of the rest.

A connection occupies a port while it is used, and for a while longer: until the NAT gives the port again. A pool
of c ports that are occupied for D seconds each serves c / D connections a second, however short they are.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence
from dataclasses import dataclass

from controller.settings import ConfigurationError, Settings
from testbed.experiment.promise import room
from testbed.traffic.records import Opening, Served
from topologies.gateways.behaviour import Behaviour

MOST_PER_SECOND = 800.0
"""Connections a second that every machine can offer, so that only the NAT refuses."""
MOST_SPREAD_S = 2.0
"""By how much later than its timer a port may come back, where a rate is to be reckoned."""
LEAD_S = 0.2
"""From the order to the first start, for workers that are still reading."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What a NAT's pool can bear: `ports` connections at once, each for `occupied` seconds."""

    ports: int
    occupied: float
    source: str
    spread: float = 0.0
    """By how many seconds later a port may come back than `occupied` says."""
    by_chance: bool = False
    """Whether a closed connection's port comes back by no timer: a newcomer takes it at once, with some luck."""

    @classmethod
    def of(cls, behaviour: Behaviour, settings: Settings, *, clients: int, holding: float) -> Pool:
        """Read it from the settings, and from when the gateway gives a port again."""
        back = behaviour.port_back
        earliest, latest = back.value["close"]
        ports = room(settings, "tcp", clients)
        return cls(ports, holding + earliest, str(back), latest - earliest, by_chance=earliest == 0)

    @property
    def rate(self) -> float:
        """Connections a second that it serves without a pause."""
        return self.ports / self.occupied

    def waits(self, arrivals: Sequence[float]) -> list[float]:
        """Return how long each of these arrivals waits for a port, if all wait for as long as it takes."""
        starts: list[float] = []
        for number, arrival in enumerate(arrivals):
            free = starts[number - self.ports] + self.occupied if number >= self.ports else arrival
            starts.append(max(arrival, free))
        return [start - arrival for start, arrival in zip(starts, arrivals, strict=True)]

    def refuses(self, arrivals: Sequence[float]) -> list[bool]:
        """Return of each of these arrivals whether it finds no port, if none of them comes again."""
        free_at, refused = collections.deque([0.0] * self.ports), []
        for arrival in arrivals:
            refused.append(free_at[0] > arrival)
            if free_at[0] <= arrival:
                free_at.popleft()
                free_at.append(arrival + self.occupied)
        return refused


def check_offer(pool: Pool, settings: Settings, load: float) -> None:
    """Refuse what no machine could offer, and more than one pool. Raises ConfigurationError."""
    if len(settings.external_addresses) > 1:
        raise ConfigurationError(
            f"external_addresses={len(settings.external_addresses)} is not possible with this scenario: it "
            "reckons with one pool of ports; take external_addresses=1"
        )
    if pool.spread > MOST_SPREAD_S:
        raise ConfigurationError(
            f"this gateway gives a port again up to {pool.spread:g} s later than its timers say ({pool.source}), "
            "so what rate it can bear cannot be reckoned; take another --gateway"
        )
    if pool.rate * load > MOST_PER_SECOND:
        raise ConfigurationError(
            f"ports={settings.ports} would take {pool.rate * load:,.0f} connections a second, and "
            f"{MOST_PER_SECOND:,.0f} is what every machine can offer; take fewer ports, or a longer holding"
        )


def evenly(count: int, rate: float, *, after: float = 0.0) -> list[float]:
    """Return the starts of so many arrivals at a steady rate."""
    return [after + number / rate for number in range(count)]


def timetable(
    clients: Sequence[int],
    target: tuple[str, int],
    arrivals: Sequence[float],
    holding: float,
    *,
    first: int = 1,
) -> list[Served]:
    """Plan an attempt for each arrival, numbered from `first`, by these clients (by their places) in turn."""
    return [
        Served(Opening(first + turn, clients[turn % len(clients)], target), LEAD_S + arrival, holding)
        for turn, arrival in enumerate(arrivals)
    ]
