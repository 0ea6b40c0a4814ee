"""Putting fragments together again (RFC 791 section 3.2), so that the NAT decides on a packet as a whole.

Only the first fragment has the ports, and it need not come first (RFC 4787 REQ-14). So all fragments wait here
until the last one has come. What waits is bounded: `fragments_limit` is the number of fragments, each of which is
a frame, and `fragment_min_timeout` is the time for which a packet may wait for the rest.

With one fragment too many the packet that has waited longest is dropped. A flood of fragments without their rest
hence never stops a packet whose fragments follow each other (RFC 4787 REQ-14a). To refuse the new ones would.

A packet is dropped as a whole if two of its fragments overlap and are not the same (RFC 1858, RFC 3128, RFC 5722),
or if they would make more than an IPv4 packet can have. What comes of it later is dropped as well. Fragments are
also dropped singly: a first one without the whole transport header, and one of another length than a multiple
of 8 bytes that is not the last. The caller has verified the header's checksum of each.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, field

from controller.nat.model import Protocol
from controller.nat.timers import Timed, TimerQueue
from controller.openflow.fragmenting import MORE_FRAGMENTS, MOST_BYTES
from controller.openflow.frames import DONT_FRAGMENT, ETHERNET_BYTES, Ipv4, correct

_OFFSET_BITS = 0x1FFF
_SMALLEST_HEADERS = {int(Protocol.TCP): 20, int(Protocol.UDP): 8, int(Protocol.ICMP): 8}
_CONGESTION_EXPERIENCED = 3

Key = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Whole:
    """A packet whose fragments are all there.

    `most` is the size of its largest fragment, and `first` is its first, which an error about it quotes. The
    packet has Don't Fragment if any of its fragments has it.
    """

    ip: Ipv4
    first: Ipv4
    most: int


@dataclass(slots=True, eq=False)
class _Pending(Timed):
    """The fragments of one packet that have come so far, in the order of their offsets: start, end and bytes."""

    key: Key
    pieces: list[tuple[int, int, bytes]] = field(default_factory=list)
    first: Ipv4 | None = None
    most: int = 0
    bytes: int = 0
    end: int | None = None
    bits: int = 0
    marks: set[int] = field(default_factory=set)
    is_spoilt: bool = False


class Reassembly:
    """The packets of which some fragments are there."""

    def __init__(self, limit: int, timeout: float) -> None:
        self._limit = limit
        self._pending: dict[Key, _Pending] = {}
        self._oldest: TimerQueue[_Pending] = TimerQueue(timeout)
        self._is_full = False
        self.waiting = 0
        """The fragments that wait."""
        self.dropped = 0
        """The fragments that were dropped so far."""
        self.times_full = 0
        """How often the limit was reached (RFC 8158: maximum fragments pending reassembly)."""

    def add(self, in_port: int, ip: Ipv4, now: float) -> Whole | None:
        """Take a fragment, and return the packet if it was the last that was missing."""
        if not _is_sound(ip):
            self.dropped += 1
            return None
        identification = int.from_bytes(ip.frame[ip.start + 4 : ip.start + 6], "big")
        key = (in_port, ip.source, ip.destination, ip.protocol, identification)
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending(key)
            self._oldest.arm(pending, now)
        if not pending.is_spoilt:
            self._put(pending, ip)
        else:
            self.dropped += 1
        if pending.end is not None and pending.bytes == pending.end:
            self._forget(pending)
            whole = _joined(pending)
            self.dropped += 0 if whole else len(pending.pieces)
            return whole
        self._make_room()
        return None

    def tick(self, now: float) -> None:
        """Drop what has waited for too long."""
        for pending in self._oldest.due(now):
            self._drop(pending)

    def _put(self, pending: _Pending, ip: Ipv4) -> None:
        bits = int.from_bytes(ip.frame[ip.start + 6 : ip.start + 8], "big")
        data = ip.frame[ip.payload : ip.end]
        start = (bits & _OFFSET_BITS) * 8
        piece = (start, start + len(data), data)
        place = bisect(pending.pieces, piece)
        beside = pending.pieces[max(0, place - 1) : place + 1]
        if piece in beside:
            return  # the same once more
        if _contradicts(pending, piece, beside, is_last=not bits & MORE_FRAGMENTS):
            self._spoil(pending)
            return
        pending.pieces.insert(place, piece)
        pending.bytes += len(data)
        pending.most = max(pending.most, ip.end - ip.start)
        pending.bits |= bits
        pending.marks.add(ip.frame[ip.start + 1] & 3)
        self.waiting += 1
        if not bits & MORE_FRAGMENTS:
            pending.end = piece[1]
        if start == 0:
            pending.first = ip

    def _make_room(self) -> None:
        if self.waiting <= self._limit:
            self._is_full = self._is_full and self.waiting > self._limit // 2
            return
        self.times_full += not self._is_full
        self._is_full = True
        while self.waiting > self._limit and (longest := self._oldest.oldest) is not None:
            self._drop(longest)

    def _spoil(self, pending: _Pending) -> None:
        """Drop the fragments of a packet, and remember it, so that its other fragments are dropped as well."""
        self.dropped += len(pending.pieces) + 1
        self.waiting += 1 - len(pending.pieces)  # what is remembered takes the room of one
        pending.pieces.clear()
        pending.first, pending.end, pending.is_spoilt = None, None, True

    def _drop(self, pending: _Pending) -> None:
        self._forget(pending)
        self.dropped += len(pending.pieces)

    def _forget(self, pending: _Pending) -> None:
        self._oldest.disarm(pending)
        del self._pending[pending.key]
        self.waiting -= 1 if pending.is_spoilt else len(pending.pieces)


def _is_sound(ip: Ipv4) -> bool:
    """Whether a fragment can be one of a packet."""
    bits = int.from_bytes(ip.frame[ip.start + 6 : ip.start + 8], "big")
    size, offset = ip.end - ip.payload, (bits & _OFFSET_BITS) * 8
    if not size or (bits & MORE_FRAGMENTS and size % 8):
        return False
    # RFC 1858 section 3, RFC 3128: no tiny first fragment, and none that begins within the header of TCP.
    smallest = _SMALLEST_HEADERS.get(ip.protocol, 0)
    return size >= smallest if offset == 0 else offset >= smallest


def _contradicts(
    pending: _Pending, piece: tuple[int, int, bytes], beside: list[tuple[int, int, bytes]], *, is_last: bool
) -> bool:
    """Whether a fragment does not fit in with those that are there."""
    start, end, _ = piece
    furthest = pending.pieces[-1][1] if pending.pieces else 0
    return (
        any(start < other_end and other_start < end for other_start, other_end, _ in beside)
        or (pending.end is not None and (is_last or end > pending.end))
        or (is_last and furthest > end)
    )


def _joined(pending: _Pending) -> Whole | None:
    """Return the packet of all these fragments: with the header of the first, and the data of all."""
    first = pending.first
    assert first is not None  # its data begin at 0, and nothing is missing
    size = first.payload - first.start + pending.bytes
    if size > MOST_BYTES or (_CONGESTION_EXPERIENCED in pending.marks and 0 in pending.marks):
        return None
    head = bytearray(first.frame[: first.payload])
    start = ETHERNET_BYTES
    head[start + 2 : start + 4] = size.to_bytes(2, "big")
    head[start + 6 : start + 8] = (pending.bits & DONT_FRAGMENT).to_bytes(2, "big")
    if _CONGESTION_EXPERIENCED in pending.marks:
        head[start + 1] |= _CONGESTION_EXPERIENCED  # RFC 3168 section 5.3
    correct(head, start + 10, first.frame[start : first.payload], head[start:])
    ip = Ipv4.parse(bytes(head) + b"".join(data for _, _, data in pending.pieces))
    if ip is None:
        return None
    return Whole(ip, first, pending.most)
