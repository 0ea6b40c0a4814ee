"""The places of a lab that stand for those of a plan: inside addresses for subscribers, endpoints for servers.

Every subscriber has an address of its own, and every destination an endpoint of its own, the more popular ones
first. Where there are more destinations than endpoints, the rest shares the less popular half of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from controller.nat.model import Endpoint, Packet
from testbed.plan.arrivals import Arrival, Ending

Destination = tuple[Endpoint, bool]
"""A plan's destination, and whether it is to stay silent: then it is another place than the one that answers."""


@dataclass(frozen=True, slots=True)
class Places:
    """Which place each subscriber and each destination has."""

    subscribers: dict[int, int]
    """A number from 0, by the subscriber's address."""
    destinations: dict[Destination, int]
    """A number from 0, by the destination; silent ones have numbers of their own."""

    @property
    def sharing(self) -> int:
        """The number of destinations that have no endpoint of their own."""
        shared = Counter((place, silent) for (_, silent), place in self.destinations.items())
        return sum(count for count in shared.values() if count > 1)

    def count(self, *, silent: bool) -> int:
        """Return the number of endpoints that it takes."""
        return 1 + max((place for (_, is_so), place in self.destinations.items() if is_so is silent), default=-1)


def places(arrivals: Iterable[Arrival], most: int) -> Places:
    """Return the places for all that attempts come from and go to, with `most` endpoints at most."""
    subscribers: dict[int, int] = {}
    offered: Counter[Destination] = Counter()
    for arrival in arrivals:
        subscribers.setdefault(arrival[1].source.address, len(subscribers))
        offered[destination_of(arrival)] += 1
    ranks = Counter[bool]()
    destinations: dict[Destination, int] = {}
    for destination, _ in offered.most_common():
        silent = destination[1]
        destinations[destination] = shared_out(ranks[silent], most)
        ranks[silent] += 1
    return Places(subscribers, destinations)


def destination_of(arrival: Arrival) -> Destination:
    """Return the destination of an attempt."""
    return arrival[1].destination, arrival[3] is Ending.UNANSWERED


def shared_out(rank: int, most: int) -> int:
    """Return the place of a destination by its popularity, from 0."""
    half = most // 2
    return rank if rank < most else half + (rank - most) % (most - half)


@dataclass(frozen=True, slots=True)
class Map:
    """A lab's own addresses for the places of a plan."""

    places: Places
    sources: Sequence[Sequence[int]]
    """The addresses of each client."""
    answering: Sequence[Endpoint]
    silent: Sequence[Endpoint]

    def host(self, arrival: Arrival) -> tuple[int, int]:
        """Return the client of an attempt's subscriber, and the place of its address among the client's."""
        number = self.places.subscribers[arrival[1].source.address]
        return number % len(self.sources), number // len(self.sources)

    def moved(self, arrival: Arrival) -> Arrival:
        """Return an attempt with the lab's addresses."""
        at, packet, ends, ending, group, number = arrival
        client, place = self.host(arrival)
        source = Endpoint(self.sources[client][place], packet.source.port)
        destination = destination_of(arrival)
        endpoints = self.silent if destination[1] else self.answering
        target = endpoints[self.places.destinations[destination]]
        return at, Packet(packet.protocol, source, target, packet.flags), ends, ending, group, number
