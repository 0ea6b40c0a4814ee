"""Reading and writing the few frames that the controller handles itself, by fixed offsets (all IPv4).

The switch rewrites TCP and UDP by rules. Left for us: headers of packets that miss, ARP, and ICMP queries,
whose identifier OpenFlow cannot match or set. Frames here are untagged Ethernet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Network

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ARP_REQUEST, ARP_REPLY = 1, 2
ICMP_ECHO_REPLY, ICMP_ECHO_REQUEST = 0, 8
BROADCAST = b"\xff" * 6

_ETHERNET = 14
_ARP = struct.Struct("!HHBBH6s4s6s4s")


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
        """Read an ARP frame; None if it is none, or for other protocols."""
        if _ethertype(frame) != ETHERTYPE_ARP or len(frame) < _ETHERNET + _ARP.size:
            return None
        kind, protocol, hlen, plen, operation, sha, spa, tha, tpa = _ARP.unpack_from(frame, _ETHERNET)
        if (kind, protocol, hlen, plen) != (1, ETHERTYPE_IPV4, 6, 4):
            return None
        return cls(operation, sha, int.from_bytes(spa, "big"), tha, int.from_bytes(tpa, "big"))

    def frame(self) -> bytes:
        """Write it as an Ethernet frame: a request to all, a reply to its target."""
        destination = BROADCAST if self.operation == ARP_REQUEST else self.target_mac
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


@dataclass(frozen=True, slots=True)
class Ipv4:
    """Where things are in an IPv4 frame: `payload` is the offset of the transport header."""

    frame: bytes
    protocol: int
    source: int
    destination: int
    payload: int
    is_fragment: bool

    @classmethod
    def parse(cls, frame: bytes) -> Ipv4 | None:
        """Read an IPv4 frame; None if it is none, or too short for a transport header's ports."""
        if _ethertype(frame) != ETHERTYPE_IPV4 or len(frame) < _ETHERNET + 20:
            return None
        payload = _ETHERNET + (frame[_ETHERNET] & 0x0F) * 4
        is_fragment = bool(int.from_bytes(frame[_ETHERNET + 6 : _ETHERNET + 8], "big") & 0x3FFF)
        if not is_fragment and len(frame) < payload + 8:
            return None
        source, destination = struct.unpack_from("!II", frame, _ETHERNET + 12)
        return cls(frame, frame[_ETHERNET + 9], source, destination, payload, is_fragment)

    def comes_from(self, network: IPv4Network) -> bool:
        """Whether the source belongs to a network."""
        return self.source & int(network.netmask) == int(network.network_address)

    @property
    def icmp_type(self) -> int | None:
        """The ICMP type, or None for another protocol."""
        return self.frame[self.payload] if self.protocol == Protocol.ICMP else None

    def packet(self) -> Packet | None:
        """Return what the NAT reads of it; None for what is not translated.

        An echo request has its identifier as the source's port, a reply as the destination's.
        """
        if self.protocol == Protocol.ICMP:
            identifier = int.from_bytes(self.frame[self.payload + 4 : self.payload + 6], "big")
            is_request = self.icmp_type == ICMP_ECHO_REQUEST
            if not is_request and self.icmp_type != ICMP_ECHO_REPLY:
                return None
            return Packet(
                Protocol.ICMP,
                Endpoint(self.source, identifier if is_request else 0),
                Endpoint(self.destination, 0 if is_request else identifier),
            )
        if self.protocol not in (Protocol.TCP, Protocol.UDP):
            return None
        source_port, destination_port = struct.unpack_from("!HH", self.frame, self.payload)
        flags = TcpFlags.NONE
        if self.protocol == Protocol.TCP:
            if len(self.frame) < self.payload + 20:
                return None
            flags = TcpFlags(self.frame[self.payload + 13] & 0x17)
        return Packet(
            Protocol(self.protocol),
            Endpoint(self.source, source_port),
            Endpoint(self.destination, destination_port),
            flags,
        )

    def query(self, *, source: int | None = None, destination: int | None = None, identifier: int) -> bytes:
        """Return the ICMP query with another address and identifier, checksums mended."""
        frame = bytearray(self.frame)
        ip = _ETHERNET
        if source is not None:
            frame[ip + 12 : ip + 16] = source.to_bytes(4, "big")
        if destination is not None:
            frame[ip + 16 : ip + 20] = destination.to_bytes(4, "big")
        frame[self.payload + 4 : self.payload + 6] = identifier.to_bytes(2, "big")
        self._mend(frame)
        return bytes(frame)

    def echo_reply(self) -> bytes:
        """Return the answer to an echo request: addresses swapped, TTL 64."""
        frame = bytearray(self.frame)
        ip = _ETHERNET
        frame[0:6], frame[6:12] = self.frame[6:12], self.frame[0:6]
        frame[ip + 8] = 64
        frame[ip + 12 : ip + 16], frame[ip + 16 : ip + 20] = (
            self.frame[ip + 16 : ip + 20],
            self.frame[ip + 12 : ip + 16],
        )
        frame[self.payload] = ICMP_ECHO_REPLY
        self._mend(frame)
        return bytes(frame)

    def _mend(self, frame: bytearray) -> None:
        """Write the checksums of the IPv4 header and of the ICMP message anew."""
        ip, icmp = _ETHERNET, self.payload
        end = ip + int.from_bytes(frame[ip + 2 : ip + 4], "big")
        frame[ip + 10 : ip + 12] = b"\0\0"
        frame[ip + 10 : ip + 12] = _checksum(frame[ip:icmp])
        frame[icmp + 2 : icmp + 4] = b"\0\0"
        frame[icmp + 2 : icmp + 4] = _checksum(frame[icmp:end])


def _ethertype(frame: bytes) -> int:
    return int.from_bytes(frame[12:14], "big")


def _checksum(data: bytes | bytearray) -> bytes:
    """Return the Internet checksum (RFC 1071) of `data`."""
    if len(data) % 2:
        data = data + b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")
