"""A packet as it was on the wire, taken apart: what tells it from others, and what a NAT must leave as it is.

A NAT changes addresses, ports (over ICMP, the identifier) and checksums, and nothing else (RFC 3022 section 4.1).
As a router it also decrements the TTL. The identification is a case of its own (RFC 6864). So a packet that was
sent, and the one that arrived, have the same content and the same kept fields.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Any

ETHERNET = 14
KEPT = {
    socket.IPPROTO_TCP: ("TCP acknowledgement", "TCP flags", "TCP window", "TCP urgent pointer", "TCP options"),
    socket.IPPROTO_UDP: (),
    socket.IPPROTO_ICMP: (),
}
KEPT_OF_ALL = ("TOS", "fragmentation bits", "IP options")
_PLACE_OF_FLAGS = len(KEPT_OF_ALL) + KEPT[socket.IPPROTO_TCP].index("TCP flags")
_IP = struct.Struct("!BBHHHBBH4s4s")
_TCP = struct.Struct("!HHIIHHHH")
_ICMP = struct.Struct("!BBHHH")
_DONT_FRAGMENT, _FRAGMENTED = 0x4000, 0x3FFF
_FLAGS, _SYN, _ACK = 0x1FF, 0x02, 0x10
_ONES = 0xFFFF


@dataclass(frozen=True, slots=True)
class Packet:
    """A TCP segment, a datagram or an ICMP query, at one host's end of its link.

    `content` is the same at both ends, and no other packet has it, but a repetition. `kept` has the values of the
    fields KEPT_OF_ALL and KEPT. A packet is `atomic` if it is no fragment and must not become one (RFC 6864), and
    `intact` if it is complete and its checksums are right. `at` is the kernel's time, in seconds since the epoch.
    """

    at: float
    host: int
    protocol: int
    source: bytes
    target: bytes
    content: tuple[Any, ...]
    kept: tuple[Any, ...]
    ttl: int
    identification: int
    atomic: bool
    opens: bool
    intact: bool

    @property
    def accepts(self) -> bool:
        """Whether it is a SYN/ACK."""
        return self.opens and bool(self.kept[_PLACE_OF_FLAGS] & _ACK)


def packet(frame: bytes, *, at: float, host: int) -> Packet:
    """Take a frame apart that has IPv4 with TCP, UDP or ICMP. One that ends in its headers is not intact."""
    first, tos, length, identification, bits, ttl, protocol, _, source, target = _IP.unpack_from(frame, ETHERNET)
    begin = ETHERNET + (first & 0x0F) * 4
    header, transport = frame[ETHERNET:begin], frame[begin : ETHERNET + length]
    try:
        content, kept, opens = _parts(protocol, transport)
    except struct.error:
        content, kept, opens = (transport,), (), False
    sound = len(frame) >= ETHERNET + length and not _sum(header)
    return Packet(
        at=at,
        host=host,
        protocol=protocol,
        source=source,
        target=target,
        content=(protocol, *content),
        kept=(tos, bits, header[_IP.size :], *kept),
        ttl=ttl,
        identification=identification,
        atomic=bool(bits & _DONT_FRAGMENT) and not bits & _FRAGMENTED,
        opens=opens,
        intact=sound and _is_right(protocol, source + target, transport),
    )


def changes(sent: Packet, arrived: Packet) -> list[str]:
    """Return the names of the kept fields that have another value than when the packet was sent."""
    names = (*KEPT_OF_ALL, *KEPT[sent.protocol])
    return [name for name, one, other in zip(names, sent.kept, arrived.kept, strict=True) if one != other]


def _parts(protocol: int, transport: bytes) -> tuple[tuple[Any, ...], tuple[Any, ...], bool]:
    """Return what makes the content of a packet, the fields that are kept, and whether it opens a connection."""
    if protocol == socket.IPPROTO_TCP:
        _, _, sequence, acknowledged, offset, window, _, urgent = _TCP.unpack_from(transport)
        end, flags = (offset >> 12) * 4, offset & _FLAGS
        opens = bool(flags & _SYN)
        kept = (acknowledged, flags, window, urgent, transport[_TCP.size : end])
        return (sequence, opens, transport[end:]), kept, opens
    if protocol == socket.IPPROTO_UDP:
        return (transport[8:],), (), False
    kind, code, _, _, sequence = _ICMP.unpack_from(transport)
    return (kind, code, sequence, transport[_ICMP.size :]), (), False


def _is_right(protocol: int, addresses: bytes, transport: bytes) -> bool:
    """Return whether the transport's checksum is right. UDP may go without one (RFC 768)."""
    if protocol == socket.IPPROTO_ICMP:
        return not _sum(transport)
    if protocol == socket.IPPROTO_UDP and transport[6:8] == b"\0\0":
        return True
    return not (_sum(transport) + _sum(addresses) + protocol + len(transport)) % _ONES


def _sum(data: bytes) -> int:
    """Return the sum of 16-bit words in ones' complement: 0 where a right checksum is among them (RFC 1071)."""
    return int.from_bytes(data + b"\0" * (len(data) % 2), "big") % _ONES
