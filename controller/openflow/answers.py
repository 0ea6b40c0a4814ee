"""What the gateway sends to the sender of a packet that goes no further: an ICMP error, or a TCP reset.

The NAT decides whether to answer a refused packet (`controller.nat.model.Answer`), and `errors` decides how often.
Here is only what the standards always forbid, as far as a packet shows it: the broadcast address of a network
looks like a host's.
"""

from __future__ import annotations

import struct

from controller.nat.model import Protocol, TcpFlags
from controller.openflow.frames import ETHERNET_BYTES, OWN_TTL, Ipv4, checksum
from controller.openflow.icmp import DESTINATION_UNREACHABLE, TIME_EXCEEDED, TRANSLATED_ERRORS

ICMP_BYTES = 576
"""The most bytes of an IPv4 packet with an ICMP error (RFC 1812 section 4.3.2.3)."""

_SOURCE_QUENCH, _REDIRECT = 4, 5
_ERRORS = (*TRANSLATED_ERRORS, _SOURCE_QUENCH, _REDIRECT)
_IPV4 = struct.Struct("!BBHHHBBHII")
_TCP = struct.Struct("!HHIIBBHHH")
_DONT_FRAGMENT = 0x4000


def unreachable(ip: Ipv4, *, code: int, source: int, mtu: int = 0) -> bytes | None:
    """Return ICMP Destination Unreachable from `source` to the sender of a packet, or None if it must not be sent.

    With code 4 goes the MTU of the next hop (RFC 1191 section 4).
    """
    return _error(ip, DESTINATION_UNREACHABLE, code, source, mtu)


def time_exceeded(ip: Ipv4, *, source: int) -> bytes | None:
    """Return ICMP Time Exceeded, from `source` to a packet's sender, or None if it must not be sent."""
    return _error(ip, TIME_EXCEEDED, 0, source)


def _error(ip: Ipv4, kind: int, code: int, source: int, mtu: int = 0) -> bytes | None:
    """Return an ICMP error that embeds the packet as its sender wrote it, up to the bytes that fit."""
    # RFC 1812 section 4.3.2.7: not about an error, nor about a later fragment.
    is_error = ip.protocol == Protocol.ICMP and ip.icmp_type in _ERRORS
    if is_error or not ip.has_transport or not _may_be_answered(ip):
        return None
    embedded = ip.frame[ip.start : min(ip.end, ip.start + ICMP_BYTES - _IPV4.size - 8)]
    message = struct.pack("!BBHI", kind, code, 0, mtu) + embedded
    return _back(ip, Protocol.ICMP, source, message[:2] + checksum(message) + message[4:])


def reset(ip: Ipv4) -> bytes | None:
    """Return the TCP reset that the sender of a segment accepts from its peer, or None if it must not be sent."""
    if (
        ip.protocol != Protocol.TCP
        or ip.is_fragment
        or not _may_be_answered(ip)
        or ip.end < ip.payload + _TCP.size
    ):
        return None
    sport, dport, sequence, acknowledged, offset, bits, *_ = _TCP.unpack_from(ip.frame, ip.payload)
    data = ip.end - ip.payload - (offset >> 4) * 4
    flags = TcpFlags(bits & 0x17)
    if data < 0 or offset >> 4 < 5 or TcpFlags.RST in flags:
        return None
    # RFC 9293 section 3.10.7.1, as if the connection did not exist; SYN and FIN count as one byte each.
    length = data + (TcpFlags.SYN in flags) + (TcpFlags.FIN in flags)
    if TcpFlags.ACK in flags:
        numbers = (acknowledged, 0, 0x50, TcpFlags.RST)
    else:
        numbers = (0, (sequence + length) & 0xFFFFFFFF, 0x50, TcpFlags.RST | TcpFlags.ACK)
    segment = _TCP.pack(dport, sport, *numbers, 0, 0, 0)
    pseudo_header = struct.pack("!IIHH", ip.destination, ip.source, Protocol.TCP, len(segment))
    return _back(ip, Protocol.TCP, ip.destination, segment[:16] + checksum(pseudo_header + segment) + segment[18:])


def _may_be_answered(ip: Ipv4) -> bool:
    """Whether a packet is sound, and from one host to one (RFC 1812 section 4.3.2.7, RFC 9293 MUST-57 and 63)."""
    is_to_one = not ip.frame[0] & 1 and ip.destination not in (0, 0xFFFFFFFF) and ip.destination >> 28 != 0xE
    is_from_one = ip.source >> 24 not in (0, 127) and ip.source >> 28 < 0xE
    return is_to_one and is_from_one and ip.is_intact


def _back(ip: Ipv4, protocol: Protocol, source: int, payload: bytes) -> bytes:
    """Return a frame to a packet's sender, with the packet's DSCP (RFC 5508 REQ-10D) and no ECN (RFC 3168)."""
    dscp, length = ip.frame[ip.start + 1] & 0xFC, _IPV4.size + len(payload)
    header = _IPV4.pack(0x45, dscp, length, 0, _DONT_FRAGMENT, OWN_TTL, protocol, 0, source, ip.source)
    ethernet = ip.frame[6:12] + ip.frame[0:6] + ip.frame[12:ETHERNET_BYTES]
    return ethernet + header[:10] + checksum(header) + header[12:] + payload
