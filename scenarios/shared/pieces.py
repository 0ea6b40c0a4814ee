"""UDP datagrams in fragments, as bytes: for a raw socket that sends them in an order that no kernel chooses."""

from __future__ import annotations

import socket
import struct

from testbed.api import Endpoint

MORE, UNIT = 0x2000, 8
"""The flag of all fragments but the last, and the bytes in which offsets count (RFC 791 section 3.1)."""
SIZE = 1400
"""Bytes of a fragment: near what a link has room for. Some NATs take short ones for an attack (RFC 1858)."""
_IP, _UDP = struct.Struct("!BBHHHBBH4s4s"), struct.Struct("!HHHH")


def fragments(source: Endpoint, target: Endpoint, data: bytes, *, number: int, size: int = SIZE) -> list[bytes]:
    """Return the fragments of a datagram, each with `size` bytes at most. The kernel sets their IP checksums.

    `number` is the identification that they have in common.
    """
    whole = _UDP.pack(source[1], target[1], _UDP.size + len(data), _checksum(source, target, data)) + data
    parts = [(at, whole[at : at + size]) for at in range(0, len(whole), size)]
    ends = socket.inet_aton(source[0]), socket.inet_aton(target[0])
    return [
        _IP.pack(
            *(0x45, 0, _IP.size + len(part), number),
            (MORE if at + len(part) < len(whole) else 0) | at // UNIT,
            *(64, socket.IPPROTO_UDP, 0, *ends),
        )
        + part
        for at, part in parts
    ]


def _checksum(source: Endpoint, target: Endpoint, data: bytes) -> int:
    """Return the checksum of a datagram, with its pseudo-header (RFC 768)."""
    length = _UDP.size + len(data)
    header = _UDP.pack(source[1], target[1], length, 0)
    pseudo = (
        socket.inet_aton(source[0]) + socket.inet_aton(target[0]) + struct.pack("!HH", socket.IPPROTO_UDP, length)
    )
    padded = pseudo + header + data + b"\0" * (len(data) % 2)
    return ~(int.from_bytes(padded, "big") % 0xFFFF) & 0xFFFF or 0xFFFF
