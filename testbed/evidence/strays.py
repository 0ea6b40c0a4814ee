"""Witnesses of frames that should not be where they are: outside from a wrong source, or at the wrong host.

Filters in the kernels count them (`filters`), so the numbers are right at any rate. Only the frames that pass are
read, and a NAT that works has none.
"""

from __future__ import annotations

import ipaddress
import socket
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from testbed.evidence.filters import Networks, astray, foreign
from testbed.evidence.sockets import ETH_P_ALL, Program, listening, statistics
from testbed.evidence.witnesses import Syns, since_start
from testbed.traffic.records import Sighting
from testbed.traffic.wire import ANSWER, Endpoint, mark_of

LATE_S = 1.0
"""Seconds by which a busy server may note a client later than the client's packet passed the NAT."""
_IPV4 = b"\x08\x00"
_PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp", socket.IPPROTO_ICMP: "icmp"}

Use = tuple[str, Endpoint, Endpoint]
"""A protocol, an external endpoint, and a destination, whose port is 0 for pings."""


class Read(NamedTuple):
    """An answer that was read at a host: whose it is, the use that it belongs to, and when it came."""

    nonce: int
    use: Use
    at: float


class Caught:
    """A packet socket behind a filter, the number of frames that passed it, and those that were read."""

    def __init__(self, packets: socket.socket) -> None:
        self._socket = packets
        self.count = 0
        self.frames: list[tuple[bytes, float]] = []

    def look(self) -> None:
        """Count and read the frames that have come so far."""
        self.count += statistics(self._socket)[0]
        self.frames += since_start(self._socket)


@dataclass(frozen=True, slots=True)
class Exit:
    """A place where packets come out of a NAT, the sources that they may have, and the networks behind the NAT.

    It is a host's end of the link, or the NAT's own interface (`leaving`).
    """

    netns: str
    interface: str
    right: Collection[ipaddress.IPv4Network]
    inside: Collection[ipaddress.IPv4Network]
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Station:
    """A host: its interface, and the networks whose packets are for it. `is_client` is whether it is inside."""

    netns: str
    interface: str
    own: Collection[ipaddress.IPv4Network]
    is_client: bool


class Strays:
    """All these witnesses, from the moment when it is made."""

    def __init__(self, exits: Iterable[Exit], stations: Iterable[Station]) -> None:
        self._foreign = [
            Caught(
                listening(
                    each.netns,
                    each.interface,
                    foreign(each.right, each.inside, leaving=each.leaving),
                    ETH_P_ALL,
                    arriving=not each.leaving,
                )
            )
            for each in exits
        ]
        self._stations = [
            (each, Caught(listening(each.netns, each.interface, _program(each), ETH_P_ALL, arriving=True)))
            for each in stations
        ]

    def foreign(self) -> int:
        """Return the number of frames that left a NAT from a source which is neither its own nor inside."""
        return sum(_count(caught) for caught in self._foreign)

    def at_servers(self) -> int:
        """Return the number of packets at outside hosts that were sent to another, or are for another."""
        return sum(_count(caught) for station, caught in self._stations if not station.is_client)

    def at_clients(self, sightings: Callable[[], Iterable[Sighting]], syns: Callable[[], Syns]) -> int:
        """Return the number of packets at inside hosts that are for another, or answer another.

        An answer may come to the next user of an external endpoint, if the server sent it too late. That is no
        fault of the NAT, so these do not count. Servers and wire are asked only where an answer went astray.
        """
        came = sum(_count(caught) for station, caught in self._stations if station.is_client)
        answers = [
            answer
            for station, caught in self._stations
            if station.is_client
            for frame, at in caught.frames[: caught.count]
            if (answer := _answer(frame, at, station.own)) is not None
        ]
        return came - len(inherited(answers, sightings(), syns())) if answers else came


def inherited(answers: Iterable[Read], sightings: Iterable[Sighting], syns: Syns) -> list[Read]:
    """Return the answers whose external endpoint another client had taken over when they came."""
    first: dict[int, float] = {}
    taken_over: dict[Use, list[float]] = defaultdict(list)
    for seen in sightings:
        first[seen.nonce] = min(seen.first, first.get(seen.nonce, seen.first))
        taken_over[_use(seen.protocol, seen.external, seen.target)].append(seen.first)
    for (external, target), sent in syns.items():
        taken_over["tcp", external, target] += [at for _, at in sent]
    return [
        answer
        for answer in answers
        if answer.nonce in first
        and any(first[answer.nonce] < at <= answer.at + LATE_S for at in taken_over[answer.use])
    ]


def _program(station: Station) -> Program:
    return astray(station.own, answers_to=mark_of(station.netns) if station.is_client else None)


def _count(caught: Caught) -> int:
    caught.look()
    return caught.count


def _use(protocol: str, external: Endpoint, target: Endpoint) -> Use:
    return protocol, external, target if protocol != "icmp" else (target[0], 0)


def _answer(frame: bytes, at: float, own: Networks) -> Read | None:
    """Return what a frame answers, if it is for this host by its address, so that it came for its content."""
    content = frame[14 : 14 + int.from_bytes(frame[16:18], "big")][-ANSWER.size :]
    protocol = _PROTOCOLS.get(frame[23]) if frame[12:14] == _IPV4 else None
    if protocol is None or len(content) < ANSWER.size:
        return None
    target = ipaddress.IPv4Address(frame[30:34])
    if not any(target in network for network in own):
        return None
    nonce, _, address, port = ANSWER.unpack(content)
    transport = 14 + (frame[14] & 0x0F) * 4
    source = socket.inet_ntoa(frame[26:30]), int.from_bytes(frame[transport : transport + 2], "big")
    return Read(nonce, _use(protocol, (socket.inet_ntoa(address), port), source), at)
