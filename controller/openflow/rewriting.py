"""Translating a whole packet here, where no rule can: one that came in fragments, one too large, a query.

The switch rewrites nearly all packets by rules. What it forwards in fragments, and what has an identifier in place
of a port, the controller rewrites in the same way: an address and a port, and the checksums that cover them.

A checksum is changed by the difference (RFC 1624), so a damaged packet stays as damaged as it was. It is never
computed anew.
"""

from __future__ import annotations

import struct

from controller.nat.model import Endpoint, Protocol
from controller.openflow.frames import CHECKSUM_AT, Ipv4, correct

_NO_CHECKSUM, _ZERO = b"\0\0", b"\xff\xff"
"""What RFC 768 has in a datagram without a checksum, and in one whose checksum is zero."""


def translated(ip: Ipv4, *, source: Endpoint | None = None, destination: Endpoint | None = None) -> bytes:
    """Return the frame with another source or another destination.

    It has to be a TCP segment, a UDP datagram or an ICMP query, or the first fragment of one. A query has one
    identifier, which is the port of whichever endpoint is given.
    """
    frame, is_query = bytearray(ip.frame), ip.protocol == Protocol.ICMP
    addresses = slice(ip.start + 12, ip.start + 20)
    ports = slice(ip.payload + 4, ip.payload + 6) if is_query else slice(ip.payload, ip.payload + 4)
    old_addresses, old_ports = frame[addresses], frame[ports]
    for place, endpoint in enumerate((source, destination)):
        if endpoint is not None:
            struct.pack_into("!I", frame, addresses.start + 4 * place, endpoint.address)
            struct.pack_into("!H", frame, ports.start + (0 if is_query else 2 * place), endpoint.port)
    correct(frame, ip.start + 10, old_addresses, frame[addresses])
    at = ip.payload + CHECKSUM_AT[Protocol(ip.protocol)]
    if is_query:
        correct(frame, at, old_ports, frame[ports])
    elif ip.protocol == Protocol.TCP or frame[at : at + 2] != _NO_CHECKSUM:
        correct(frame, at, old_addresses + old_ports, frame[addresses] + frame[ports])
        if ip.protocol == Protocol.UDP and frame[at : at + 2] == _NO_CHECKSUM:
            frame[at : at + 2] = _ZERO
    return bytes(frame)
