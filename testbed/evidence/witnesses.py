"""Witnesses on the wire: packet sockets in the outside hosts, which no gateway can influence."""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Iterator
from operator import itemgetter

from testbed.evidence.sockets import ETH_P_ALL, ETH_P_IP, Program, listening, statistics, taken
from testbed.traffic.wire import HELLO, Endpoint

_SNAP = 128
_GATHER_S = 0.02
"""Seconds for which packets gather in the kernel's buffer until they are read: it has room for many times more."""
CLOCK_READINGS = 5
"""The number of times that both clocks are read. The quickest reading counts."""
_ENDS = struct.Struct("!4s4sHH")
_NONCE = 8
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD, _LOAD_BYTE_AFTER_HEADER = 0x30, 0x28, 0x20, 0x50
_HEADER_LENGTH, _MASK, _EQUAL, _ANY_BIT, _GIVE = 0xB1, 0x54, 0x15, 0x45, 0x06
"""Instructions of classic BPF (linux/filter.h). _HEADER_LENGTH puts the length of IPv4's header into the index
register."""

Syns = dict[tuple[Endpoint, Endpoint], list[tuple[int, float]]]
"""The initial sequence numbers of SYNs and their times (monotonic clock), by source and destination."""
Speakers = dict[tuple[Endpoint, Endpoint], dict[int, float]]
"""The nonces in the data, each with the time when it came last, by source and destination."""
Ends = dict[tuple[Endpoint, Endpoint], list[float]]
"""The times at which FINs and RSTs came, in their order, by source and destination."""


class LeakWitness:
    """Counts frames with an inside source address that arrive at an outside host, or pass a gateway's uplink.

    The kernel counts every frame that passes its packet filter, whether it is read or not, so the number is right
    at any rate. The frames that are read show whose they are. Frames to the networks `but_to` do not count.
    """

    def __init__(
        self,
        netns: str,
        interface: str,
        inside: Collection[ipaddress.IPv4Network],
        *,
        but_to: Collection[ipaddress.IPv4Network] = (),
        leaving: bool = False,
    ) -> None:
        program = _from(inside, but_to=but_to)
        self._socket = listening(netns, interface, program, ETH_P_ALL if leaving else ETH_P_IP)
        self.frames = 0
        self.sources: set[Endpoint] = set()

    def look(self) -> None:
        """Count and read the frames that have arrived so far."""
        self.frames += statistics(self._socket)[0]
        while True:
            try:
                frame = self._socket.recv(_SNAP)
            except BlockingIOError:
                return
            self.sources.add(_source(frame))


class TcpWitness:
    """Reads the SYNs, the hellos and the ends of TCP connections as they arrive at the outside hosts.

    A server's kernel cannot have two connections with one remote endpoint, so a server never sees the second
    client that a NAT may have put there. The second client's SYN shows it, by a sequence number of its own. Once
    the second client's kernel has reset the first connection, the server gets no more of the first client's data,
    which still arrives on the wire.
    """

    def __init__(self, netns: Collection[str], interface: str) -> None:
        self._sockets = [listening(each, interface, _SYN_DATA_OR_END) for each in netns]
        self._syns: list[tuple[bytes, float]] = []
        self._by_ends: Syns = defaultdict(list)
        self._parsed = 0
        self._speakers: dict[bytes, float] = {}
        self._ends: list[tuple[bytes, float]] = []
        self._missed = self._frames = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def is_there(self) -> bool:
        """Whether this witness reads the wire of any host."""
        return bool(self._sockets)

    @property
    def frames(self) -> int:
        """The number of frames that have come so far, and were read."""
        with self._lock:
            self._take_all()
            return self._frames

    @property
    def missed(self) -> int:
        """The number of frames that the kernel could not hand over in time."""
        with self._lock:
            self._missed += sum(statistics(each)[1] for each in self._sockets)
            return self._missed

    def connections(self) -> int:
        """Return the number of connections that were opened so far. A SYN that is sent again opens no other."""
        with self._lock:
            self._take_all()
            return len({syn for syn, _ in self._syns})

    def syns(self) -> Syns:
        """Return the SYNs that have been read so far, those of each pair of ends in the order of their times."""
        with self._lock:
            self._take_all()
            new = self._syns[self._parsed :]
            self._parsed += len(new)
            for syn, at in new:
                between = self._by_ends[_ends(syn)]
                between.append((int.from_bytes(syn[_ENDS.size :], "big"), at))
                if len(between) > 1 and between[-2][1] > at:
                    between.sort(key=itemgetter(1))
        return self._by_ends

    def speakers(self) -> Speakers:
        """Return the clients that have sent a hello so far."""
        with self._lock:
            self._take_all()
            read = list(self._speakers.items())
        speakers: Speakers = defaultdict(dict)
        for said, at in read:
            speakers[_ends(said)][int.from_bytes(said[_ENDS.size :], "big")] = at
        return speakers

    def ends(self) -> Ends:
        """Return the times at which clients have ended their connections so far."""
        with self._lock:
            self._take_all()
            read = list(self._ends)
        ends: Ends = defaultdict(list)
        for end, at in read:
            ends[_ends(end)].append(at)
        return ends

    def _read(self) -> None:
        poll = select.poll()
        for each in self._sockets:
            poll.register(each.fileno(), select.POLLIN)
        with contextlib.suppress(OSError):  # the sockets are closed when the run is over
            while True:
                poll.poll()
                time.sleep(_GATHER_S)  # waking up for each packet would cost as much as reading several
                with self._lock:
                    self._take_all()

    def _take_all(self) -> None:
        for each in self._sockets:
            self._take(each)

    def _take(self, ready: socket.socket) -> None:
        """Read the frames that are there, in few steps, since each packet passes here. They are parsed later."""
        for frame, at in since_start(ready):
            self._frames += 1
            transport = _transport(frame)
            flags = frame[transport + 13]
            if flags & _FLAG_SYN:
                self._syns.append((frame[26:34] + frame[transport : transport + 8], at))
                continue
            if flags & _FLAGS_END:
                self._ends.append((frame[26:34] + frame[transport : transport + 4], at))
            hello = frame[transport + (frame[transport + 12] >> 4) * 4 :]
            if len(hello) == HELLO.size:
                self._speakers[frame[26:34] + frame[transport : transport + 4] + hello[:_NONCE]] = at


def since_start(packets: socket.socket) -> Iterator[tuple[bytes, float]]:
    """Yield the frames that a packet socket has, each with its time (monotonic clock)."""
    offset = _since_epoch()
    for at, _, frame in taken(packets, _SNAP):
        yield frame, at - offset


class SynCounter:
    """Counts the SYNs that a host sends and gets, as its kernel shows them on the interface."""

    def __init__(self, netns: str, interface: str) -> None:
        self._socket = listening(netns, interface, _SYN, ETH_P_ALL)
        self._count = 0

    def count(self) -> int:
        """Return the number of SYNs so far."""
        self._count += statistics(self._socket)[0]
        return self._count


def _since_epoch() -> float:
    """Return the seconds by which the clock of packets' times is ahead of the monotonic one.

    If this process has to wait between its two readings, the clocks seem farther apart. So the quickest counts.
    """
    readings = []
    for _ in range(CLOCK_READINGS):
        before, epoch = time.monotonic(), time.time()
        readings.append((time.monotonic() - before, epoch - before))
    return min(readings)[1]


def _ends(read: bytes) -> tuple[Endpoint, Endpoint]:
    source, target, source_port, target_port = _ENDS.unpack_from(read)
    return (socket.inet_ntoa(source), source_port), (socket.inet_ntoa(target), target_port)


def _transport(frame: bytes) -> int:
    return 14 + (frame[14] & 0x0F) * 4


def _source(frame: bytes) -> Endpoint:
    """Return the source of a frame. A query has an identifier in the place of a port (RFC 5508 section 2)."""
    at = _transport(frame) + (4 if frame[23] == socket.IPPROTO_ICMP else 0)
    return socket.inet_ntoa(frame[26:30]), int.from_bytes(frame[at : at + 2], "big")


def _from(networks: Collection[ipaddress.IPv4Network], *, but_to: Collection[ipaddress.IPv4Network]) -> Program:
    """Return a filter that passes IPv4 packets from these networks, but not those to some others."""
    program: Program = []
    for at, network, given in [(30, each, 0) for each in but_to] + [(26, each, _SNAP) for each in networks]:
        program += [
            (_LOAD_WORD, 0, 0, at),
            (_MASK, 0, 0, int(network.netmask)),
            (_EQUAL, 0, 1, int(network.network_address)),
            (_GIVE, 0, 0, given),
        ]
    is_ipv4: Program = [(_LOAD_HALF, 0, 0, 12), (_EQUAL, 0, len(program), ETH_P_IP)]
    return [*is_ipv4, *program, (_GIVE, 0, 0, 0)]


_FLAG_FIN, _FLAG_SYN, _FLAG_RST, _FLAG_PUSH, _FLAG_ACK = 0x01, 0x02, 0x04, 0x08, 0x10
_FLAGS_END = _FLAG_FIN | _FLAG_RST
_SYN: Program = [
    (_LOAD_HALF, 0, 0, 12),
    (_EQUAL, 0, 7, ETH_P_IP),
    (_LOAD_BYTE, 0, 0, 23),
    (_EQUAL, 0, 5, socket.IPPROTO_TCP),
    (_HEADER_LENGTH, 0, 0, 14),
    (_LOAD_BYTE_AFTER_HEADER, 0, 0, 14 + 13),
    (_MASK, 0, 0, _FLAG_SYN | _FLAG_ACK),
    (_EQUAL, 0, 1, _FLAG_SYN),
    (_GIVE, 0, 0, _SNAP),
    (_GIVE, 0, 0, 0),
]
"""A filter that passes TCP with SYN and without ACK. Hosts here send no fragments of TCP."""

_SYN_DATA_OR_END: Program = [
    (_LOAD_BYTE, 0, 0, 23),
    (_EQUAL, 0, 6, socket.IPPROTO_TCP),
    (_HEADER_LENGTH, 0, 0, 14),
    (_LOAD_BYTE_AFTER_HEADER, 0, 0, 14 + 13),
    (_ANY_BIT, 2, 0, _FLAG_PUSH | _FLAGS_END),
    (_MASK, 0, 0, _FLAG_SYN | _FLAG_ACK),
    (_EQUAL, 0, 1, _FLAG_SYN),
    (_GIVE, 0, 0, _SNAP),
    (_GIVE, 0, 0, 0),
]
"""A filter that passes TCP with SYN and without ACK, with PSH (as the last segment of data has it), or with FIN or
RST. It ignores fragments."""
