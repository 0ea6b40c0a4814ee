"""Reading and writing the few frames that the controller handles itself, by fixed offsets (all IPv4).

The switch rewrites TCP and UDP by rules. What is left are the headers of packets without a rule, ARP, and ICMP
queries, whose identifier OpenFlow cannot match or set. Frames here are untagged Ethernet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ARP_REQUEST, ARP_REPLY = 1, 2
ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST = 0, 8
ICMP_QUERIES = frozenset({ICMP_ECHO_REQUEST, 13, 17})
"""The types of ICMP queries that are translated: echo, timestamp (RFC 792), address mask (RFC 950)."""
ICMP_REPLIES = frozenset({ICMP_ECHO_REPLY, 14, 18})
"""The types of the answers to them."""
BROADCAST, NO_MAC = b"\xff" * 6, bytes(6)

ETHERNET_BYTES = 14
OWN_TTL = 65
"""The TTL of what the gateway itself sends (RFC 1122 section 3.2.1.7). The rule that forwards it takes one."""
DONT_FRAGMENT = 0x4000
CHECKSUM_AT = {Protocol.ICMP: 2, Protocol.TCP: 16, Protocol.UDP: 6}
"""Where the checksum is in a transport header."""
INTACT = b"\0\0"
"""The Internet checksum of bytes that contain their own, correct checksum."""

_ARP = struct.Struct("!HHBBH6s4s6s4s")
_COMMON = struct.Struct("!12x3sxH2xHxB2xIIHHH")
"""From Ethernet to UDP's length: type and first byte of IPv4, total length, fragment, protocol, both ends."""
_IPV4_WITHOUT_OPTIONS = b"\x08\x00\x45"
_TRANSPORT_AT = ETHERNET_BYTES + 20
_OFFSET_AT, _FLAGS_AT = _TRANSPORT_AT + 12, _TRANSPORT_AT + 13
_FLAGS = [TcpFlags(bits & 0x17) for bits in range(256)]
_NO_FLAGS = TcpFlags.NONE
# By names of their own: looking up an enum's member takes as long as a call.
_TCP, _UDP = Protocol.TCP, Protocol.UDP
_PROTOCOLS = {int(protocol): protocol for protocol in Protocol}
_new, _number = int.__new__, int.from_bytes


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP message for IPv4 over Ethernet (RFC 826); addresses as integers, MACs as bytes."""

    operation: int
    sender_mac: bytes
    sender: int
    target_mac: bytes
    target: int

    @classmethod
    def parse(cls, frame: bytes) -> Arp | None:
        """Read an ARP frame, or return None for any other, and for ARP of other protocols."""
        if _ethertype(frame) != ETHERTYPE_ARP or len(frame) < ETHERNET_BYTES + _ARP.size:
            return None
        kind, protocol, hlen, plen, operation, sha, spa, tha, tpa = _ARP.unpack_from(frame, ETHERNET_BYTES)
        if (kind, protocol, hlen, plen) != (1, ETHERTYPE_IPV4, 6, 4):
            return None
        return cls(operation, sha, int.from_bytes(spa, "big"), tha, int.from_bytes(tpa, "big"))

    def frame(self) -> bytes:
        """Return it as an Ethernet frame: to its target, or to all if that is not known."""
        destination = BROADCAST if self.target_mac == NO_MAC else self.target_mac
        head = destination + self.sender_mac + ETHERTYPE_ARP.to_bytes(2, "big")
        return head + _ARP.pack(
            1,
            ETHERTYPE_IPV4,
            6,
            4,
            self.operation,
            self.sender_mac,
            self.sender.to_bytes(4, "big"),
            self.target_mac,
            self.target.to_bytes(4, "big"),
        )


def common(frame: bytes) -> Packet | None:
    """Return what the NAT reads of a common frame: TCP or UDP, whole and sound, without IPv4 options.

    It returns the same as `Ipv4.parse(frame).packet()`, in a fraction of the time, or None for any other frame.
    """
    size = len(frame)
    if size < _COMMON.size:
        return None
    kind, length, fragment, protocol, source, destination, sport, dport, udp_length = _COMMON.unpack_from(frame)
    if kind != _IPV4_WITHOUT_OPTIONS or fragment & 0x3FFF or length + ETHERNET_BYTES > size:
        return None
    if _number(frame[ETHERNET_BYTES:_TRANSPORT_AT], "big") % 0xFFFF:  # see `checksum`
        return None
    if protocol == _TCP and length >= 40 and 20 <= frame[_OFFSET_AT] >> 4 << 2 <= length - 20:
        flags = _FLAGS[frame[_FLAGS_AT]]
    elif protocol == _UDP and 8 <= udp_length <= length - 20:
        flags = _NO_FLAGS
    else:
        return None
    # Endpoint(source, sport) is one call more.
    return Packet(
        _PROTOCOLS[protocol],
        _new(Endpoint, source << 16 | sport),
        _new(Endpoint, destination << 16 | dport),
        flags,
    )


@dataclass(frozen=True, slots=True)
class Ipv4:
    """Where an IPv4 packet is in a frame: offsets of its header, of the transport header, and of what follows it.

    `has_transport` is whether the first 8 bytes of the transport header are there. Later fragments have none.
    """

    frame: bytes
    start: int
    payload: int
    end: int
    protocol: int
    source: int
    destination: int
    is_fragment: bool
    has_transport: bool

    @classmethod
    def parse(cls, frame: bytes) -> Ipv4 | None:
        """Read an IPv4 frame, or return None for any other, and for one without a transport header's ports."""
        ip = cls.at(frame, ETHERNET_BYTES, len(frame)) if _ethertype(frame) == ETHERTYPE_IPV4 else None
        if ip is None or ip.end - ip.start < _short(frame, ip.start + 2):
            return None
        return ip if ip.is_fragment or ip.has_transport else None

    @classmethod
    def at(cls, frame: bytes, start: int, end: int) -> Ipv4 | None:
        """Read the packet at `start`, cut off at `end` or before, or return None if its header makes no sense."""
        if end < start + 20 or frame[start] >> 4 != 4:
            return None
        payload = start + (frame[start] & 0x0F) * 4
        end = min(end, start + _short(frame, start + 2))  # what follows is padding
        if not start + 20 <= payload <= end:
            return None
        fragment = _short(frame, start + 6)
        source, destination = struct.unpack_from("!II", frame, start + 12)
        return cls(
            frame,
            start,
            payload,
            end,
            frame[start + 9],
            source,
            destination,
            is_fragment=bool(fragment & 0x3FFF),
            has_transport=not fragment & 0x1FFF and payload + 8 <= end,
        )

    @property
    def size(self) -> int:
        """The bytes of the packet, from its header on."""
        return self.end - self.start

    @property
    def dont_fragment(self) -> bool:
        """Whether no router may send it on in fragments."""
        return bool(_short(self.frame, self.start + 6) & DONT_FRAGMENT)

    @property
    def is_intact(self) -> bool:
        """Whether the header's checksum is right."""
        return checksum(self.frame[self.start : self.payload]) == INTACT

    @property
    def is_sound(self) -> bool:
        """Whether checksums and lengths are right, as far as the gateway looks at them (RFC 1812 section 5.2.2).

        The checksums of TCP and UDP are left to the hosts.
        """
        if not self.is_intact:
            return False
        available = self.end - self.payload
        if self.is_fragment:
            return True  # its transport header is not whole
        if self.protocol == Protocol.ICMP:
            return checksum(self.frame[self.payload : self.end]) == INTACT
        if self.protocol == Protocol.TCP:
            return available >= 20 and 20 <= self.frame[self.payload + 12] >> 4 << 2 <= available
        return self.protocol != Protocol.UDP or 8 <= _short(self.frame, self.payload + 4) <= available

    @property
    def icmp_type(self) -> int | None:
        """The ICMP type, or None for another protocol or a later fragment."""
        return self.frame[self.payload] if self.protocol == Protocol.ICMP and self.has_transport else None

    def endpoints(self) -> tuple[Endpoint, Endpoint] | None:
        """Return source and destination, or None for what is not translated.

        A query has its identifier as the source's port, a reply as the destination's.
        """
        if self.icmp_type in ICMP_QUERIES:
            return Endpoint(self.source, _short(self.frame, self.payload + 4)), Endpoint(self.destination, 0)
        if self.icmp_type in ICMP_REPLIES:
            return Endpoint(self.source, 0), Endpoint(self.destination, _short(self.frame, self.payload + 4))
        if self.protocol not in (Protocol.TCP, Protocol.UDP) or not self.has_transport:
            return None
        source_port, destination_port = struct.unpack_from("!HH", self.frame, self.payload)
        return Endpoint(self.source, source_port), Endpoint(self.destination, destination_port)

    def packet(self) -> Packet | None:
        """Return what the NAT reads of it, or None for what is not translated."""
        endpoints, flags = self.endpoints(), TcpFlags.NONE
        if endpoints is None:
            return None
        if self.protocol == Protocol.TCP:
            if self.end < self.payload + 20:
                return None
            flags = TcpFlags(self.frame[self.payload + 13] & 0x17)
        return Packet(Protocol(self.protocol), *endpoints, flags)

    def echo_reply(self) -> bytes:
        """Return the answer to an echo request: addresses swapped, and a TTL of its own."""
        frame = bytearray(self.frame)
        frame[0:6], frame[6:12] = self.frame[6:12], self.frame[0:6]
        frame[self.start + 8] = OWN_TTL
        self.readdress(frame, self.destination, self.source)
        frame[self.payload] = ICMP_ECHO_REPLY
        return self.corrected(frame)

    def readdress(self, frame: bytearray, source: int | None, destination: int | None) -> None:
        """Write addresses into a copy of the frame; None keeps what is there."""
        source = self.source if source is None else source
        destination = self.destination if destination is None else destination
        struct.pack_into("!II", frame, self.start + 12, source, destination)

    def corrected(self, frame: bytearray) -> bytes:
        """Correct the checksums of the IPv4 header and the ICMP message in a changed copy of the frame."""
        for at, start, end in (
            (self.start + 10, self.start, self.payload),
            (self.payload + 2, self.payload, self.end),
        ):
            correct(frame, at, self.frame[start:end], frame[start:end])
        return bytes(frame)


def correct(frame: bytearray, at: int, before: bytes | bytearray, after: bytes | bytearray) -> None:
    """Correct the checksum at `at` by the difference between what it covered and what it covers (RFC 1624).

    Both may contain the old checksum itself. A checksum that was wrong stays wrong.
    """
    # Equation 3 of RFC 1624, ~(~HC + ~m + m'), in numbers modulo 65,535: see `checksum`.
    difference = _number(_even(after), "big") - _number(_even(before), "big")
    total = (difference - _short(frame, at)) % 0xFFFF or 0xFFFF
    frame[at : at + 2] = (total ^ 0xFFFF).to_bytes(2, "big")


def checksum(data: bytes | bytearray) -> bytes:
    """Return the Internet checksum (RFC 1071) of `data`."""
    # 65,536 is 1 modulo 65,535: so a number is the sum of its 16-bit digits there. Only zeros have the sum 0.
    number = _number(_even(data), "big")
    total = number % 0xFFFF or (0xFFFF if number else 0)
    return (total ^ 0xFFFF).to_bytes(2, "big")


def _even(data: bytes | bytearray) -> bytes | bytearray:
    """Return `data` with a zero after an odd number of bytes."""
    return data + b"\0" if len(data) % 2 else data


def _ethertype(frame: bytes) -> int:
    return _short(frame, 12)


def _short(frame: bytes | bytearray, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big")
