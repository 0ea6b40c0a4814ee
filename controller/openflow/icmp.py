"""ICMP errors that pass the gateway: reading one, and translating it together with the packet that it embeds.

An error quotes the packet that it is about: its IPv4 header, and at least 8 bytes of what follows. By the
quotation the NAT finds the mapping, and in the quotation it undoes the translation, so that the sender knows its
own packet again (RFC 5508 section 4). The caller decides whether and how to translate. Errors of our own are in
`answers`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from controller.nat.model import Endpoint, Packet, Protocol
from controller.openflow.frames import CHECKSUM_AT, ICMP_QUERIES, INTACT, Ipv4, checksum, correct

DESTINATION_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM = 3, 11, 12
TRANSLATED_ERRORS = (DESTINATION_UNREACHABLE, TIME_EXCEEDED, PARAMETER_PROBLEM)


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error: `outer` carries it, and `inner` is where it embeds the packet that it is about, `embedded`.

    The packet is as it was when the error was made. Its flags are not known.
    """

    outer: Ipv4
    inner: Ipv4
    embedded: Packet

    @classmethod
    def parse(cls, ip: Ipv4) -> IcmpError | None:
        """Read an error, or return None for any other packet, a damaged one, and one about nothing translated."""
        if ip.is_fragment or ip.icmp_type not in TRANSLATED_ERRORS:
            return None
        # RFC 5508 REQ-3: no damaged error passes; ours would carry right checksums.
        if not ip.is_intact or checksum(ip.frame[ip.payload : ip.end]) != INTACT:
            return None
        # RFC 5508 REQ-3B: wherever the options of either header push it.
        inner = Ipv4.at(ip.frame, ip.payload + 8, ip.end)
        # RFC 5508 REQ-3A and 3C: the embedded header must be right; the checksum of its payload is not looked at.
        if inner is None or not inner.is_intact:
            return None
        endpoints = inner.endpoints()
        return None if endpoints is None else cls(ip, inner, Packet(Protocol(inner.protocol), *endpoints))

    def translated(
        self,
        *,
        outer_source: int | None = None,
        outer_destination: int | None = None,
        embedded_source: Endpoint | None = None,
        embedded_destination: Endpoint | None = None,
    ) -> bytes:
        """Return the frame with other outer addresses, other embedded endpoints, and correct checksums.

        None keeps what is there. Type, code and all that follows the embedded packet stay (RFC 5508 REQ-4 and
        REQ-5, REQ-3D).
        """
        frame = bytearray(self.outer.frame)
        source = self.embedded.source if embedded_source is None else embedded_source
        destination = self.embedded.destination if embedded_destination is None else embedded_destination
        self._replace(frame, source, destination)
        self.outer.readdress(frame, outer_source, outer_destination)
        return self.outer.corrected(frame)

    def _replace(self, frame: bytearray, source: Endpoint, destination: Endpoint) -> None:
        inner = self.inner
        header, summed = frame[inner.start : inner.payload], self._summed(frame)
        inner.readdress(frame, source.address, destination.address)
        if inner.protocol != Protocol.ICMP:
            struct.pack_into("!HH", frame, inner.payload, source.port, destination.port)
        else:
            identifier = source.port if inner.icmp_type in ICMP_QUERIES else destination.port
            struct.pack_into("!H", frame, inner.payload + 4, identifier)
        correct(frame, inner.start + 10, header, frame[inner.start : inner.payload])
        self._correct_transport(frame, summed)

    def _summed(self, frame: bytearray) -> bytearray:
        """Return the bytes that a translation changes and that the embedded transport's checksum covers."""
        inner = self.inner
        if inner.protocol == Protocol.ICMP:
            return frame[inner.payload + 4 : inner.payload + 6]
        return frame[inner.start + 12 : inner.start + 20] + frame[inner.payload : inner.payload + 4]

    def _correct_transport(self, frame: bytearray, before: bytearray) -> None:
        """Correct the embedded transport's checksum by the difference: most of what it covers is not here."""
        at = self.inner.payload + CHECKSUM_AT[self.embedded.protocol]
        is_udp = self.embedded.protocol is Protocol.UDP
        if at + 2 > self.inner.end or (is_udp and frame[at : at + 2] == b"\0\0"):
            return  # cut off, or a datagram without a checksum (RFC 768)
        correct(frame, at, before, self._summed(frame))
        if is_udp and frame[at : at + 2] == b"\0\0":
            frame[at : at + 2] = b"\xff\xff"
