"""Raw frames of flows between an inside host and a server: headers packed once, with their checksums complete.

Each frame carries a number by which the other end recognises it, whatever a NAT has rewritten on the way. Over UDP
it is the first four bytes of the payload. Over TCP it is the sequence number of what opens a connection, and one
less than the acknowledgement number in the answer (RFC 9293). A test compares the frames with Scapy's.
"""

from __future__ import annotations

import enum
import socket
import struct
from dataclasses import dataclass

_ETHERNET_IPV4 = struct.Struct("!6s6sHBBHHHBBH4s4s")
_UDP = struct.Struct("!HHHHI")
_TCP = struct.Struct("!HHIIBBHHH")
_TTL, _DONT_FRAGMENT, _TCP_WINDOW = 64, 0x4000, 64_240
TRANSPORT = _ETHERNET_IPV4.size
"""Offset of the transport header in a frame."""
SMALLEST_PAYLOAD = 18
"""Bytes after a UDP header that make the smallest frame that Ethernet has."""


class Kind(enum.Enum):
    """The part that a frame plays in the life of a flow."""

    DATAGRAM = "datagram"
    SYN = "syn"
    SYN_ACK = "syn-ack"
    FIN = "fin"
    RST = "rst"

    @property
    def protocol(self) -> int:
        """The number of the transport protocol."""
        return socket.IPPROTO_UDP if self is Kind.DATAGRAM else socket.IPPROTO_TCP


_FLAGS = {Kind.SYN: 0x02, Kind.SYN_ACK: 0x12, Kind.FIN: 0x11, Kind.RST: 0x14}


@dataclass(frozen=True, slots=True)
class Station:
    """One end of the frames: its MAC address and its IPv4 address."""

    mac: str
    address: str


class Maker:
    """Makes the frames of one kind from one station to an address. `mac` is the next hop's."""

    def __init__(self, kind: Kind, source: Station, address: str, mac: str, *, payload: int = SMALLEST_PAYLOAD):
        self._kind = kind
        self._padding = bytes(payload - 4)
        length = _UDP.size - 4 + payload if kind is Kind.DATAGRAM else _TCP.size
        addresses = socket.inet_aton(source.address), socket.inet_aton(address)
        fields = (0x45, 0, 20 + length, 0, _DONT_FRAGMENT, _TTL, kind.protocol)
        checksum = _folded(_sum(struct.pack("!BBHHHBB4s4s", *fields, *addresses)))
        self._head = _ETHERNET_IPV4.pack(_mac(mac), _mac(source.mac), 0x0800, *fields, checksum, *addresses)
        self._sum = _sum(addresses[0] + addresses[1]) + kind.protocol + length
        if kind is Kind.DATAGRAM:
            self._udp_length = length
            self._sum += length
        else:
            self._sum += 5 << 12 | _FLAGS[kind]
            self._sum += _TCP_WINDOW
        self.size = len(self._head) + length

    def frame(self, source_port: int, target_port: int, number: int) -> bytes:
        """Return a frame between two ports that carries a number."""
        total = self._sum + source_port + target_port + (number >> 16) + (number & 0xFFFF)
        if self._kind is Kind.DATAGRAM:
            checksum = _folded(total) or 0xFFFF
            udp = _UDP.pack(source_port, target_port, self._udp_length, checksum, number)
            return self._head + udp + self._padding
        sequence, acknowledged = _tcp_numbers(self._kind, number)
        total = self._sum + source_port + target_port + _words(sequence) + _words(acknowledged)
        flags = _FLAGS[self._kind]
        return self._head + _TCP.pack(
            source_port, target_port, sequence, acknowledged, 5 << 4, flags, _TCP_WINDOW, _folded(total), 0
        )


def _tcp_numbers(kind: Kind, number: int) -> tuple[int, int]:
    """Return the sequence and the acknowledgement number. Each end's first byte has the number `number`."""
    after = (number + 1) & 0xFFFFFFFF
    return {
        Kind.SYN: (number, 0),
        Kind.SYN_ACK: (number, after),
        Kind.FIN: (after, after),
        Kind.RST: (after, after),
    }[kind]


def _words(number: int) -> int:
    return (number >> 16) + (number & 0xFFFF)


def _sum(data: bytes) -> int:
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def _folded(total: int) -> int:
    """Return the Internet checksum of a sum of words (RFC 1071)."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
