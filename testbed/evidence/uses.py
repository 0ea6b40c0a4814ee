"""Who shares an external endpoint, where programs are of a user's own and tell nothing of themselves.

Packet sockets at all hosts' ends see the SYNs, FINs and RSTs of TCP, and datagrams. A NAT changes neither sequence
numbers nor data, so what arrives at a host leads back to the inside endpoint that sent it. Two inside endpoints
share if both used one external endpoint toward one destination at the same time. That is certain:

    TCP   a SYN came while another endpoint's connection was open: answered, with no FIN or RST from either end
    UDP   a datagram came between two of another endpoint, closer to each other than a NAT may forget a mapping

What may have been a new use is no sharing. A content that several other hosts sent leads to nobody.
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from testbed.evidence.sockets import BUFFER, ETH_P_IP, Program, close
from testbed.evidence.taps import Tap, gathered
from testbed.traffic.wire import Endpoint

MOST_SEEN = 600_000
"""Packets that are remembered. After that many there is no more to say."""
GATHER_S = 0.02
"""Seconds for which packets gather in the kernel's buffers."""
MOST_AT_ONCE = 1_000
MOST_DATAGRAMS = 20_000
"""After this number of datagrams, or if MOST_AT_ONCE of them wait, half as many are taken from then on."""
MOST_HALVINGS = 24
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
_IP, _SNAP = 14, 128
_DROP, _GIVE_ALL = (0x06, 0, 0, 0), (0x06, 0, 0, 2 * _SNAP)
TCP: tuple[int, Program] = (
    socket.IPPROTO_TCP,
    [(0x50, 0, 0, _IP + 13), (0x45, 0, 1, SYN | FIN | RST)],
)
"""What chooses segments that begin or end a connection."""
_PORTS = struct.Struct("!HH")
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD_AFTER, _LOAD_BYTE_AFTER, _HEADER_LENGTH = 0x30, 0x28, 0x40, 0x50, 0xB1
_AND, _EQUAL, _ANY_BIT, _STORE, _XOR_INDEX, _RESTORE_INDEX = 0x54, 0x15, 0x45, 0x02, 0xAC, 0x61
"""Instructions of classic BPF (linux/filter.h)."""


class Seen(NamedTuple):
    """A packet at one host's end: its time, the host, whether the host sent it, its ends, flags and content.

    `flags` are those of TCP, and 0 for a datagram. `content` is the sequence number, or the data.
    """

    at: float
    host: int
    is_own: bool
    source: Endpoint
    target: Endpoint
    flags: int
    content: int | bytes


Origin = tuple[int, Endpoint]
"""The host that sent, and its own endpoint."""


def sharing_connections(seen: Iterable[Seen], keep_s: float) -> int:
    """Return the number of SYNs that came on another's open connection, which a NAT keeps for `keep_s` seconds."""
    senders: dict[int | bytes, set[Origin]] = defaultdict(set)
    answered: dict[tuple[int, Endpoint, Endpoint], float] = {}
    ends: dict[tuple[int, frozenset[Endpoint]], list[float]] = defaultdict(list)
    arrivals: dict[tuple[int, Endpoint, Endpoint], dict[int | bytes, float]] = defaultdict(dict)
    own: dict[tuple[int | bytes, Origin], Seen] = {}
    for each in sorted(seen):
        both = frozenset((each.source, each.target))
        if each.flags & (FIN | RST):
            ends[each.host, both].append(each.at)
        elif each.flags & ACK and not each.is_own:
            answered.setdefault((each.host, each.target, each.source), each.at)
        elif not each.flags & ACK and each.is_own:
            origin = each.host, each.source
            senders[each.content].add(origin)
            own.setdefault((each.content, origin), each)
        elif not each.flags & ACK:
            arrivals[each.host, each.source, each.target].setdefault(each.content, each.at)

    def is_open(number: int | bytes, since: float, until: float, place: tuple[int, Endpoint, Endpoint]) -> bool:
        (origin,) = senders[number]
        first = own[number, origin]
        host, source, target = place
        replied = answered.get((first.host, first.source, first.target), until)
        over = [ends[host, frozenset((source, target))], ends[first.host, frozenset((first.source, first.target))]]
        return replied < until and not any(_within(each, since, until) for each in over)

    found = 0
    for place, numbers in arrivals.items():
        known = [(at, number) for number, at in numbers.items() if len(senders[number]) == 1]
        for (since, one), (until, other) in itertools.pairwise(known):
            if senders[one] != senders[other] and until - since < keep_s:
                found += is_open(one, since, until, place)
    return found


def sharing_datagrams(seen: Iterable[Seen], keep_s: float) -> int:
    """Return the number of datagrams that came amid another's, if a NAT keeps a mapping for `keep_s` seconds."""
    senders: dict[int | bytes, set[Origin]] = defaultdict(set)
    arrivals: dict[tuple[int, Endpoint, Endpoint], list[tuple[float, int | bytes]]] = defaultdict(list)
    for each in sorted(each for each in seen if not each.flags):
        if each.is_own:
            senders[each.content].add((each.host, each.source))
        else:
            arrivals[each.host, each.source, each.target].append((each.at, each.content))
    found = 0
    for (host, _, _), came in arrivals.items():
        others = [(at, [each for each in senders[content] if each[0] != host]) for at, content in came]
        known = [(at, each[0]) for at, each in others if len(each) == 1]
        latest: dict[Origin, tuple[float, int]] = {}
        for place, (at, origin) in enumerate(known):
            before, where = latest.get(origin, (at, place))
            if at - before < keep_s:
                found += sum(other != origin for _, other in known[where + 1 : place])
            latest[origin] = at, place
    return found


def _within(times: Sequence[float], since: float, until: float) -> bool:
    place = bisect_left(times, since)
    return place < len(times) and times[place] <= until


class Uses:
    """What is seen at all hosts' ends, from the moment when it is made until it is asked for."""

    def __init__(self, hosts: Sequence[str]) -> None:
        """Begin. `hosts` are the paths of their network namespaces."""
        self._halvings = 0
        self._hosts = len(hosts)
        self._connections = [Tap(netns, _program(TCP)) for netns in hosts]
        self._datagrams = [Tap(netns, _program(_shared_out(0)), buffer=BUFFER) for netns in hosts]
        self._seen: list[Seen] = []
        self._count = 0
        self._ends: dict[Endpoint, Endpoint] = {}
        self._lock = threading.Lock()
        self._is_over = False
        self.unseen: dict[str, int] = {}
        """The packets that found no room, of `connections` and of `datagrams`. Then nothing is known of these."""
        threading.Thread(target=self._read, daemon=True).start()

    def sharing(self, keeps: Mapping[str, float]) -> int:
        """End, and return how often endpoints were shared. `keeps` are the seconds for which a NAT keeps them.

        What it keeps for no such time, by `tcp` and `udp`, is not judged.
        """
        taps = [*self._connections, *self._datagrams]
        with self._lock:
            self._take(range(len(taps)))
            self._is_over = True
            for kind, each in (("connections", self._connections), ("datagrams", self._datagrams)):
                if missed := sum(tap.dropped() for tap in each) + self.unseen.get(kind, 0):
                    self.unseen[kind] = missed
            close([tap.socket for tap in taps])
        found = 0
        if "connections" not in self.unseen and "tcp" in keeps:
            found += sharing_connections((each for each in self._seen if each.flags), keeps["tcp"])
        if "datagrams" not in self.unseen and "udp" in keeps:
            found += sharing_datagrams((each for each in self._seen if not each.flags), keeps["udp"])
        return found

    def _read(self) -> None:
        for ready in gathered([*self._connections, *self._datagrams], GATHER_S):
            with self._lock:
                if self._is_over:
                    return
                self._take(ready)

    def _take(self, places: Iterable[int]) -> None:
        before = self._count
        for place in places:
            is_tcp, host = place < self._hosts, place % self._hosts
            taken = (self._connections if is_tcp else self._datagrams)[host].take()
            for at, is_own, frame in taken if is_tcp else itertools.islice(taken, MOST_AT_ONCE):
                if len(self._seen) >= MOST_SEEN:
                    kind = "connections" if is_tcp else "datagrams"
                    self.unseen[kind] = self.unseen.get(kind, 0) + 1
                    continue
                one = seen(frame, at=at, host=host, is_own=is_own)
                self._count += not is_tcp
                self._seen.append(one._replace(source=self._known(one.source), target=self._known(one.target)))
        is_flood = self._count - before >= MOST_AT_ONCE
        if (is_flood or self._count > MOST_DATAGRAMS * (1 + self._halvings)) and self._halvings < MOST_HALVINGS:
            self._halvings += 1
            for tap in self._datagrams:
                tap.choose(_program(_shared_out(self._halvings)))

    def _known(self, end: Endpoint) -> Endpoint:
        """Return the one object for equal endpoints, which takes less memory."""
        return self._ends.setdefault(end, end)


def seen(frame: bytes, *, at: float, host: int, is_own: bool) -> Seen:
    """Return what a frame that passed the filter shows."""
    begin = _IP + (frame[_IP] & 0x0F) * 4
    source, target = (socket.inet_ntoa(frame[place : place + 4]) for place in (_IP + 12, _IP + 16))
    ports = _PORTS.unpack_from(frame, begin)
    ends = (source, ports[0]), (target, ports[1])
    if frame[_IP + 9] == socket.IPPROTO_TCP:
        number = int.from_bytes(frame[begin + 4 : begin + 8], "big")
        return Seen(at, host, is_own, *ends, frame[begin + 13] & (FIN | SYN | RST | ACK), number)
    return Seen(at, host, is_own, *ends, 0, frame[begin + 8 : begin + 8 + _SNAP])


def _program(chosen: tuple[int, Program]) -> Program:
    """Return a filter for IPv4 of a protocol, but for later fragments: what the rest of the program chooses."""
    protocol, rest = chosen
    return [
        (_LOAD_HALF, 0, 0, 12),
        (_EQUAL, 1, 0, ETH_P_IP),
        _DROP,
        (_LOAD_HALF, 0, 0, 20),
        (_ANY_BIT, 0, 1, 0x1FFF),
        _DROP,
        (_HEADER_LENGTH, 0, 0, _IP),
        (_LOAD_BYTE, 0, 0, 23),
        (_EQUAL, 1, 0, protocol),
        _DROP,
        *rest,
        _GIVE_ALL,
        _DROP,
    ]


def _shared_out(halvings: int) -> tuple[int, Program]:
    """Return what chooses datagrams: all, or one of 2 ** `halvings` of those with 16 bytes of data or more.

    Data that repeat themselves are not chosen: they would be again and again.
    """
    share: Program = [
        (_LOAD_WORD_AFTER, 0, 0, _IP + 8 + 4),
        (_STORE, 0, 0, 0),
        (_LOAD_WORD_AFTER, 0, 0, _IP + 8 + 12),
        (_RESTORE_INDEX, 0, 0, 0),
        (_XOR_INDEX, 0, 0, 0),
        (_AND, 0, 0, (1 << halvings) - 1),
        (_EQUAL, 0, 1, 1),
    ]
    return socket.IPPROTO_UDP, share if halvings else []
