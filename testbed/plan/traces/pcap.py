"""Packets of a pcap or pcapng file, put together to connections as a NAT would.

A TCP connection begins with the SYN of an inside host, and is over with the FINs of both sides or a RST. Datagrams
between two endpoints are one attempt until there is a gap that the NAT's idle timeout does not bridge. Fragments
but the first have no ports and are left out. Only the head of each packet is needed: `tcpdump -s 96` is enough.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from controller.nat.model import Endpoint, Protocol, TcpFlags
from testbed.plan.arrivals import Ending
from testbed.plan.traces.record import Record, Trace, TraceError, is_inside

MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e6),
    b"\xa1\xb2\xc3\xd4": (">", 1e6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e9),
    b"\xa1\xb2\x3c\x4d": (">", 1e9),
}
"""The byte order of a pcap file, and the parts of a second, by how it begins."""
SECTION, INTERFACE, SIMPLE, PACKET = 0x0A0D0D0A, 1, 3, 6
"""The blocks of pcapng (draft-ietf-opsawg-pcapng)."""
BYTE_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
RESOLUTION = 9
LARGEST = 1 << 24
ETHERNET, RAW, LINUX_COOKED = 1, 101, 113
LINKS = {ETHERNET: 14, RAW: 0, LINUX_COOKED: 16}
"""The bytes before an IPv4 packet, by the kind of link."""
IPV4, VLAN = 0x0800, 0x8100
_FIN, _SYN, _RST, _ACK = TcpFlags.FIN, TcpFlags.SYN, TcpFlags.RST, TcpFlags.ACK

Frame = tuple[float, int, bytes]
"""Time, kind of link, bytes."""


def frames(file: IO[bytes]) -> Iterator[Frame]:
    """Yield the frames of a file. Raises TraceError with the number of one that is none."""
    head = file.read(4)
    if head in MAGICS:
        yield from _pcap(file, *MAGICS[head])
    elif head == SECTION.to_bytes(4, "big"):
        yield from _pcapng(file)
    else:
        raise TraceError("it does not begin as a pcap or pcapng file")


def _pcap(file: IO[bytes], order: str, parts: float) -> Iterator[Frame]:
    link = struct.unpack(f"{order}HHiIII", _exactly(file, 20, "the head of the file"))[5] & 0xFFFF
    head, number = struct.Struct(f"{order}IIII"), 0
    while raw := file.read(head.size):
        number += 1
        if len(raw) < head.size:
            raise TraceError(f"packet {number}: the file ends in its head")
        seconds, part, length, _ = head.unpack(raw)
        yield seconds + part / parts, link, _packet(file, length, number)


def _pcapng(file: IO[bytes]) -> Iterator[Frame]:
    order, links, number = "<", list[tuple[int, float]](), 0
    kind: int = SECTION
    while True:
        if kind == SECTION:
            length_raw, mark = _exactly(file, 4, "the section's head"), _exactly(file, 4, "the section's head")
            if mark not in BYTE_ORDER:
                raise TraceError("a section has no byte order")
            order, links = BYTE_ORDER[mark], []
            _exactly(file, _length(length_raw, order, number) - 12, "a section's head")
        else:
            length = _length(_exactly(file, 4, "a block"), order, number)
            body = _exactly(file, length - 8, f"block after packet {number}")[:-4]
            if kind == INTERFACE:
                links.append((struct.unpack_from(f"{order}H", body)[0], _resolution(body, order)))
            elif kind == PACKET:
                number += 1
                yield _enhanced(body, order, links, number)
            elif kind == SIMPLE:
                raise TraceError(f"packet {number + 1}: it has no time")
        raw = file.read(4)
        if not raw:
            return
        if len(raw) < 4:
            raise TraceError(f"the file ends after packet {number}, in a block")
        kind = SECTION if raw == SECTION.to_bytes(4, "big") else struct.unpack(f"{order}I", raw)[0]


def _length(raw: bytes, order: str, number: int) -> int:
    length: int = struct.unpack(f"{order}I", raw)[0]
    if not 12 <= length <= LARGEST or length % 4:
        raise TraceError(f"after packet {number}: a block has the length {length}")
    return length


def _resolution(body: bytes, order: str) -> float:
    """Return the parts of a second that an interface's times are in."""
    at = 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, at)
        if code == RESOLUTION and length == 1 and at + 5 <= len(body):
            value = body[at + 4]
            return float(1 << (value & 0x7F)) if value & 0x80 else 10.0**value
        at += 4 + length + -length % 4
    return 1e6


def _enhanced(body: bytes, order: str, links: list[tuple[int, float]], number: int) -> Frame:
    if len(body) < 20:
        raise TraceError(f"packet {number}: it is shorter than its head")
    interface, high, low, length, _ = struct.unpack_from(f"{order}IIIII", body)
    if interface >= len(links) or length > len(body) - 20:
        raise TraceError(f"packet {number}: its interface or its length is not possible")
    link, parts = links[interface]
    return ((high << 32) + low) / parts, link, body[20 : 20 + length]


def _packet(file: IO[bytes], length: int, number: int) -> bytes:
    if length > LARGEST:
        raise TraceError(f"packet {number}: it has {length:,} bytes")
    return _exactly(file, length, f"packet {number}")


def _exactly(file: IO[bytes], length: int, what: str) -> bytes:
    found = file.read(max(length, 0))
    if len(found) < length:
        raise TraceError(f"the file ends in {what}")
    return found


@dataclass(slots=True)
class _Talk:
    """What two endpoints sent each other so far."""

    since: float
    last: float
    ended_by: set[bool] = field(default_factory=set)
    is_answered: bool = False
    is_reset: bool = False

    @property
    def is_over(self) -> bool:
        """Whether both sides have ended it, or one has reset it."""
        return self.is_reset or len(self.ended_by) == 2

    def ending(self, protocol: Protocol) -> Ending:
        """Return how it ended."""
        if protocol is not Protocol.TCP:
            return Ending.SILENCE
        if self.is_reset:
            return Ending.RESET
        if self.is_over:
            return Ending.FIN
        return Ending.SILENCE if self.is_answered else Ending.UNANSWERED


Key = tuple[Protocol, Endpoint, Endpoint]


def read(file: IO[bytes], gap: float) -> Trace:
    """Return the attempts of a file; a `gap` in seconds divides datagrams. Raises TraceError."""
    trace = Trace()
    talks: dict[Key, _Talk] = {}
    for at, link, frame in frames(file):
        found = _parsed(link, frame)
        if found is None:
            trace.leave_out("packets of other protocols, or fragments")
            continue
        protocol, source, destination, flags = found
        is_outbound = is_inside(source.address)
        key = (protocol, source, destination) if is_outbound else (protocol, destination, source)
        _follow(trace, talks, key, at, flags, is_outbound=is_outbound, gap=gap)
    for key, talk in talks.items():
        _add(trace, key, talk)
    return trace


def _follow(
    trace: Trace, talks: dict[Key, _Talk], key: Key, at: float, flags: int, *, is_outbound: bool, gap: float
) -> None:
    """Take note of a packet: it goes on with a talk of two endpoints, or begins another."""
    is_tcp = key[0] is Protocol.TCP
    talk = talks.get(key)
    opens = is_outbound and (not is_tcp or flags & (_SYN | _ACK) == _SYN)
    is_another = talk is not None and opens and (talk.is_over if is_tcp else at - talk.last > gap)
    if talk is not None and is_another:
        _add(trace, key, talks.pop(key))
        talk = None
    if talk is None:
        if not opens:
            trace.leave_out("packets of what an inside host did not begin")
            return
        talk = talks[key] = _Talk(at, at)
    if not talk.is_over:
        talk.last = at
    talk.is_answered |= not is_outbound
    talk.is_reset |= is_tcp and bool(flags & _RST)
    if is_tcp and flags & _FIN:
        talk.ended_by.add(is_outbound)


def _add(trace: Trace, key: Key, talk: _Talk) -> None:
    protocol, source, destination = key
    trace.add(Record(talk.since, talk.last, protocol, source, destination, talk.ending(protocol)))


def _parsed(link: int, frame: bytes) -> tuple[Protocol, Endpoint, Endpoint, int] | None:
    """Return protocol, endpoints and TCP flags of a frame, or None for one without."""
    if link not in LINKS:
        raise TraceError(
            f"link type {link} is none of {', '.join(map(str, LINKS))}: Ethernet, raw IP, Linux cooked"
        )
    at = LINKS[link]
    if at:
        kind = int.from_bytes(frame[at - 2 : at], "big")
        if kind == VLAN:
            kind, at = int.from_bytes(frame[at + 2 : at + 4], "big"), at + 4
        if kind != IPV4:
            return None
    packet = frame[at:]
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    start = (packet[0] & 15) * 4
    is_later_fragment = int.from_bytes(packet[6:8], "big") & 0x1FFF
    if packet[9] not in (Protocol.TCP, Protocol.UDP) or is_later_fragment or len(packet) < start + 4:
        return None
    protocol = Protocol(packet[9])
    hosts = [int.from_bytes(packet[place : place + 4], "big") for place in (12, 16)]
    ports = [int.from_bytes(packet[start + place : start + place + 2], "big") for place in (0, 2)]
    flags = packet[start + 13] if protocol is Protocol.TCP and len(packet) > start + 13 else 0
    return protocol, Endpoint(hosts[0], ports[0]), Endpoint(hosts[1], ports[1]), flags
