"""What the subscribers do: arrivals for a simulation, second by second, in the order of time.

Bursts come as a Poisson process, as often as gives a class its connections at a time. The number of connections
in a burst is geometric, and their lives are lognormal. Which server a connection goes to is Zipf's law. All
resolvers are one. Every connection has a source port of its own, as programs choose them.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags
from testbed.plan.arrivals import Arrival, Ending
from testbed.plan.parameters import PlanParameters
from testbed.plan.subscribers import CLASSES, DNS_LIFE_S, PEERS, SPREAD, STEP_S, Class

FIRST_INSIDE = 0x64400001
"""100.64.0.1: the shared address space of RFC 6598."""
FIRST_SERVER = 0xC6120000
"""198.18.0.0 and up: addresses for benchmarks (RFC 2544)."""
FIRST_PEER = 0x0B000000
RESOLVER = Endpoint(0xC0000235, 53)
"""192.0.2.53"""
HTTPS = 443
FIRST_PORT, SOURCE_PORTS = 1024, 64512
DRAWN = 4096
"""The destinations and lives that are drawn at once."""


@dataclass(frozen=True, slots=True)
class Population:
    """The subscribers of one class: how many, the first of them, and the bursts of all of them in a second."""

    of: Class
    count: int
    first: int
    bursts: float


def populations(chosen: PlanParameters) -> list[Population]:
    """Return the subscribers of each class that has any."""
    heavy = round(chosen.subscribers * chosen.heavy)
    light = round(chosen.subscribers * chosen.light)
    counts = (light, chosen.subscribers - light - heavy, heavy)
    firsts = itertools.accumulate(counts, initial=FIRST_INSIDE)
    return [
        Population(of, count, first, count * of.sessions / seen(chosen, of) / of.burst)
        for of, count, first in zip(CLASSES, counts, firsts, strict=False)
        if count
    ]


def seen(chosen: PlanParameters, of: Class) -> float:
    """Return the seconds that a connection of a class counted for, where its sessions were counted."""
    queries = chosen.dns * (1 - of.peers)
    return queries * DNS_LIFE_S + (1 - queries) * chosen.life + chosen.seen_release


class Workload:
    """The arrivals of all subscribers. Destination 0 is the resolver, the last one is every peer."""

    def __init__(self, chosen: PlanParameters, rng: random.Random, of: Sequence[Population] | None = None) -> None:
        """Begin with the subscribers that were chosen, or with those `of` some populations."""
        self.chosen = chosen
        self.populations = populations(chosen) if of is None else list(of)
        self.destinations = chosen.destinations + 2
        self._rng = rng
        weights = [1 / rank**chosen.zipf for rank in range(1, chosen.destinations + 1)]
        self._cumulated = list(itertools.accumulate(weights))
        self.shares = [weight / self._cumulated[-1] for weight in weights]
        self._servers = [Endpoint(FIRST_SERVER + place, HTTPS) for place in range(chosen.destinations)]
        self._ports: dict[int, int] = {}
        self._later: list[Arrival] = []
        self._places = self._drawn_places()
        self._lives = self._drawn_lives()

    def name_of(self, destination: int) -> str:
        """Return what a destination is called."""
        if destination == 0:
            return f"resolver {RESOLVER}"
        if destination == self.destinations - 1:
            return "peers"
        return f"server {destination}"

    def seconds(self) -> Iterator[tuple[float, list[Arrival]]]:
        """Yield the end of each second, and its arrivals."""
        for second in itertools.count():
            start, end = float(second), second + 1.0
            arrivals = self._later
            for group, population in enumerate(self.populations):
                for at in poisson(population.bursts, start, self._rng):
                    arrivals += self._burst(at, group, population)
            arrivals.sort(key=_time)
            now = [each for each in arrivals if each[0] < end]
            self._later = arrivals[len(now) :]
            yield end, now

    def _burst(self, at: float, group: int, population: Population) -> Iterator[Arrival]:
        """Yield the connections of one burst of one subscriber."""
        rng = self._rng
        draw, chosen, of = rng.random, self.chosen, population.of
        inside = population.first + int(draw() * population.count)
        port = self._ports.get(inside, 0)
        count = geometric(of.burst, draw())
        self._ports[inside] = (port + count) % SOURCE_PORTS
        for number in range(port, port + count):
            source = Endpoint(inside, FIRST_PORT + number % SOURCE_PORTS)
            what = draw()
            if what < of.peers:
                yield self._with_peer(at, source, group)
            elif draw() < chosen.dns:
                yield at, Packet(_UDP, source, RESOLVER), at + DNS_LIFE_S, _SILENCE, group, 0
            else:
                place = next(self._places)
                ends = at + next(self._lives)
                if draw() < chosen.quic:
                    yield at, Packet(_UDP, source, self._servers[place]), ends, _SILENCE, group, place + 1
                else:
                    ending = _RESET if draw() < chosen.resets else _FIN
                    yield at, Packet(_TCP, source, self._servers[place], _SYN), ends, ending, group, place + 1
            at -= STEP_S * math.log(1 - draw())

    def _with_peer(self, at: float, source: Endpoint, group: int) -> Arrival:
        peer = Endpoint(FIRST_PEER + int(self._rng.random() * PEERS), 6881)
        return at, Packet(_UDP, source, peer), at + next(self._lives), _SILENCE, group, self.destinations - 1

    def _drawn_places(self) -> Iterator[int]:
        every = range(len(self._servers))
        while True:
            yield from self._rng.choices(every, cum_weights=self._cumulated, k=DRAWN)

    def _drawn_lives(self) -> Iterator[float]:
        middle = math.log(self.chosen.life) - SPREAD**2 / 2
        while True:
            yield from [self._rng.lognormvariate(middle, SPREAD) for _ in range(DRAWN)]


def poisson(rate: float, start: float, rng: random.Random) -> Iterator[float]:
    """Yield the times of a Poisson process in the second after `start`."""
    at = start
    while rate and (at := at - math.log(1 - rng.random()) / rate) < start + 1:
        yield at


def geometric(mean: float, draw: float) -> int:
    """Return a number of 1 or more with this mean, by a number drawn from 0 to 1."""
    return 1 + int(math.log(1 - draw) / math.log(1 - 1 / mean)) if mean > 1 else 1


def _time(arrival: Arrival) -> float:
    return arrival[0]


_TCP, _UDP, _SYN = Protocol.TCP, Protocol.UDP, TcpFlags.SYN
_FIN, _RESET, _SILENCE = Ending.FIN, Ending.RESET, Ending.SILENCE
