"""Taps at the hosts' ends of their links: packet sockets that get what a host sends, and what it gets.

A filter in the kernel chooses the packets, by what a NAT leaves as it is. So the same packets are chosen at both
ends. `Tap` is one such socket. `Sample` has one at each host, and takes a share of everything that passes: SYNs by
their sequence number, hellos and answers by nonce and token. The share is halved whenever
there is too much to read, at any rate.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence

from testbed.evidence.packets import Packet, packet
from testbed.evidence.sockets import (
    ETH_P_ALL,
    ETH_P_IP,
    OUTGOING,
    TO_US,
    Program,
    close,
    listening,
    statistics,
    taken,
)
from testbed.traffic.bpf import attach

INTERFACE = "eth0"
"""The interface of every host towards its gateway."""
SNAP = 2048
LARGEST_FRAME = 1514
"""Ethernet's. A larger one is of the kernel's own making: several segments put together."""
MOST_FRAMES = 8192
"""Frames that a sample has at most. It takes 0.1 s to read and match them."""
FRAMES_OF_ATTEMPT = 20
"""Frames of an attempt at both ends: two SYNs, a hello and its answer, used once more, and a second fill."""
MOST_HALVINGS = 24
GATHER_S = 0.1
"""Seconds for which frames gather in the kernel's buffers, which have room for many times more."""
BUFFER = 4 << 20
WORD_OF_NONCE, WORD_OF_TOKEN = 4, 12
"""Offsets in a hello, and in an answer, of the second half of the nonce and of the token (`wire`)."""
_LOAD_BYTE, _LOAD_HALF, _HEADER_LENGTH = 0x30, 0x28, 0xB1
_LOAD_WORD_AFTER, _LOAD_BYTE_AFTER, _TO_INDEX = 0x40, 0x50, 0x07
_STORE, _RESTORE_INDEX, _XOR_INDEX = 0x02, 0x61, 0xAC
_AND, _SHIFT_RIGHT, _MINUS, _PLUS_INDEX = 0x54, 0x74, 0x14, 0x0C
_EQUAL, _ANY_BIT, _GIVE = 0x15, 0x45, 0x06
"""Instructions of classic BPF (linux/filter.h). A load beyond the end of a frame ends a program: no match."""
_SYN, _ACK = 0x02, 0x10
_IP = 14

Taken = tuple[float, bool, bytes]
"""A frame: its time, whether the host itself sent it, and its bytes."""


def carrying(*words: tuple[int, int]) -> Program:
    """Return a filter for TCP, UDP and pings whose data have one of these words: each an offset, and the value."""

    def chosen(data: int) -> Program:
        program: Program = []
        for offset, value in words:
            program += [
                (_LOAD_WORD_AFTER, 0, 0, data + offset),
                (_EQUAL, 0, 1, value & 0xFFFFFFFF),
                (_GIVE, 0, 0, SNAP),
            ]
        return [*program, (_GIVE, 0, 0, 0)]

    return _by_protocol([*_data_of_tcp(), *chosen(_IP)], chosen(_IP + 8))


def sampling(halvings: int) -> Program:
    """Return a filter for one of 2 ** `halvings` SYNs, and of hellos and answers, by parts that differ."""
    mask = (1 << halvings) - 1
    chosen: Program = [(_AND, 0, 0, mask), (_EQUAL, 0, 1, 0), (_GIVE, 0, 0, SNAP), (_GIVE, 0, 0, 0)]
    of_syn = [(_LOAD_WORD_AFTER, 0, 0, _IP + 4), *chosen]
    of_answer = [(_LOAD_WORD_AFTER, 0, 0, _IP + 8), (_MINUS, 0, 0, 1), *chosen]
    of_data = [*_data_of_tcp(), *_random_word(_IP), *chosen]
    flags = (_LOAD_BYTE_AFTER, 0, 0, _IP + 13)
    tcp: Program = [
        flags,
        (_ANY_BIT, 0, 1 + len(of_syn) + len(of_answer), _SYN),
        (_ANY_BIT, len(of_syn), 0, _ACK),
        *of_syn,
        *of_answer,
        *of_data,
    ]
    return _by_protocol(tcp, [*_random_word(_IP + 8), *chosen])


def _random_word(data: int) -> Program:
    """Load the parts of nonce and token, of data that begin at an offset, as one. Either may be constant."""
    return [
        (_LOAD_WORD_AFTER, 0, 0, data + WORD_OF_NONCE),
        (_STORE, 0, 0, 0),
        (_LOAD_WORD_AFTER, 0, 0, data + WORD_OF_TOKEN),
        (_RESTORE_INDEX, 0, 0, 0),
        (_XOR_INDEX, 0, 0, 0),
    ]


def _data_of_tcp() -> Program:
    """Have loads count from where a segment's data begin, by its header."""
    return [
        (_LOAD_BYTE_AFTER, 0, 0, _IP + 12),
        (_AND, 0, 0, 0xF0),
        (_SHIFT_RIGHT, 0, 0, 2),
        (_PLUS_INDEX, 0, 0, 0),
        (_TO_INDEX, 0, 0, 0),
    ]


def _by_protocol(tcp: Program, others: Program) -> Program:
    """Return a filter of IPv4 without fragments: one program for TCP, and one for UDP, echo and echo reply."""
    query: Program = [
        (_LOAD_BYTE_AFTER, 0, 0, _IP),
        (_EQUAL, 1, 0, 8),
        (_EQUAL, 0, len(others), 0),
        *others,
        (_GIVE, 0, 0, 0),
    ]
    drop = (_GIVE, 0, 0, 0)
    return [
        (_LOAD_HALF, 0, 0, 12),
        (_EQUAL, 1, 0, ETH_P_IP),
        drop,
        (_LOAD_HALF, 0, 0, 20),
        (_ANY_BIT, 0, 1, 0x3FFF),
        drop,
        (_HEADER_LENGTH, 0, 0, _IP),
        (_LOAD_BYTE, 0, 0, 23),
        (_EQUAL, 0, len(tcp), socket.IPPROTO_TCP),
        *tcp,
        (_EQUAL, 0, len(others), socket.IPPROTO_UDP),
        *others,
        (_EQUAL, 0, len(query), socket.IPPROTO_ICMP),
        *query,
        drop,
    ]


class Tap:
    """A packet socket at a host's end of its link. The kernel dates each frame, and counts what found no room."""

    def __init__(self, netns: str, program: Program, *, buffer: int = BUFFER) -> None:
        self.socket = listening(netns, INTERFACE, program, ETH_P_ALL, buffer=buffer)

    def choose(self, program: Program) -> None:
        """Put another filter in the place of the one before."""
        attach(self.socket, program)

    def fileno(self) -> int:
        """Return the descriptor of the socket, for polling."""
        return self.socket.fileno()

    def take(self) -> Iterator[Taken]:
        """Yield the frames that have come: those that the host sent, and those that came for it alone."""
        for at, kind, frame in taken(self.socket, SNAP):
            if kind in (TO_US, OUTGOING) and len(frame) <= LARGEST_FRAME:
                yield at, kind == OUTGOING, frame

    def dropped(self) -> int:
        """Return the number of chosen frames since the last call that found no room in the buffer."""
        return statistics(self.socket)[1]


def gathered(taps: Sequence[Tap], every: float) -> Iterator[list[int]]:
    """Yield the places of taps that have frames, for ever, `every` seconds apart; for a thread of its own."""
    poll, places = select.epoll(), {tap.fileno(): place for place, tap in enumerate(taps)}
    for descriptor in places:
        poll.register(descriptor, select.EPOLLIN)
    while True:
        poll.poll()
        time.sleep(every)
        yield [places[descriptor] for descriptor, _ in poll.poll(0)]


class Sample:
    """A share of all packets between clients and servers, from the beginning until it is asked for.

    `share` is that share: 1 / `share` of the packets were taken. `dropped` are chosen frames that it lacks.
    """

    def __init__(self, hosts: Sequence[str]) -> None:
        """Begin. `hosts` are the paths of their network namespaces."""
        self._halvings = 0
        self._taps = [Tap(netns, sampling(0)) for netns in hosts]
        self._taken: list[tuple[int, Taken]] = []
        self._lock = threading.Lock()
        self._is_over = False
        self.dropped = 0
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def share(self) -> int:
        """The number of packets for each one that was taken."""
        return 1 << self._halvings

    def expect(self, attempts: int) -> None:
        """Take a share at once that is small enough for this number of attempts, so that few frames are read."""
        with self._lock:
            while attempts * FRAMES_OF_ATTEMPT > MOST_FRAMES << self._halvings:
                self._halve()

    def close(self, servers: Collection[bytes], places: Collection[int]) -> tuple[list[Packet], list[Packet]]:
        """End the sample, and return the packets that were sent, and those that arrived.

        `servers` are the servers' addresses, and `places` the servers' places among the hosts. Other arrivals
        than from or at a server are left out: NATs answer pings by themselves.
        """
        until = time.time()
        with self._lock:
            self._take(range(len(self._taps)))
            self._is_over = True
            self.dropped = sum(tap.dropped() for tap in self._taps)
            close([tap.socket for tap in self._taps])
        sent, arrived = [], []
        for host, (at, is_own, frame) in self._taken:
            if not self._is_chosen(frame):
                continue
            one = packet(frame, at=at, host=host)
            if is_own:
                sent.append(one)
            elif at <= until and (host in places or one.source in servers):
                arrived.append(one)
        return sent, arrived

    def _read(self) -> None:
        for ready in gathered(self._taps, GATHER_S):
            with self._lock:
                if self._is_over:
                    return
                self._take(ready)

    def _take(self, places: Iterable[int]) -> None:
        """Read the frames that are there, and take a smaller share of all if there are too many."""
        for host in places:
            self._taken += [(host, each) for each in self._taps[host].take()]
        while len(self._taken) > MOST_FRAMES and self._halvings < MOST_HALVINGS:
            self._halve()

    def _halve(self) -> None:
        self._halvings += 1
        for tap in self._taps:
            tap.choose(sampling(self._halvings))
        self._taken = [(host, each) for host, each in self._taken if self._is_chosen(each[2])]

    def _is_chosen(self, frame: bytes) -> bool:
        """Return whether a frame is in the share, as the kernel's filter decides it."""
        return not _random_part(frame) & (self.share - 1)


def _random_part(frame: bytes) -> int:
    """Return the number by which a frame that passed the filter is chosen, or not."""
    transport = _IP + (frame[_IP] & 0x0F) * 4
    data = transport + 8
    if frame[_IP + 9] == socket.IPPROTO_TCP:
        flags = frame[transport + 13]
        if flags & _SYN:
            return _word(frame, transport + 8) - 1 if flags & _ACK else _word(frame, transport + 4)
        data = transport + (frame[transport + 12] >> 4) * 4
    return _word(frame, data + WORD_OF_NONCE) ^ _word(frame, data + WORD_OF_TOKEN)


def _word(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 4], "big")
