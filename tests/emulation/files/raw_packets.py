"""Packets as bytes, for scenarios that send what no kernel would, and sockets that see every frame of a host."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testbed.api import Experiment
from testbed.sandbox.linux import network_of

WITHIN_S = 15.0
MORE_FRAGMENTS, DONT_FRAGMENT = 0x2000, 0x4000


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    ends: tuple[str, str], protocol: int, payload: bytes, *, identification: int = 1, fragment: int = 0
) -> bytes:
    """Return an IPv4 packet; `fragment` has the flags, and the offset in units of 8 bytes."""
    addresses = socket.inet_aton(ends[0]) + socket.inet_aton(ends[1])
    fields = [0x45, 0, 20 + len(payload), identification, fragment, 64, protocol]
    right = checksum(struct.pack("!BBHHHBBH", *fields, 0) + addresses)
    return struct.pack("!BBHHHBBH", *fields, right) + addresses + payload


def udp(ends: tuple[str, str], ports: tuple[int, int], data: bytes) -> bytes:
    """Return a UDP datagram with its checksum."""
    length = 8 + len(data)
    header = struct.pack("!HHHH", *ports, length, 0)
    right = checksum(pseudo_header(ends, 17, length) + header + data) or 0xFFFF
    return header[:6] + struct.pack("!H", right) + data


def syn(ends: tuple[str, str], ports: tuple[int, int], sequence: int, data: bytes) -> bytes:
    """Return a SYN with data and its checksum."""
    header = struct.pack("!HHIIBBHHH", *ports, sequence, 0, 0x50, 0x02, 1024, 0, 0)
    right = checksum(pseudo_header(ends, 6, len(header + data)) + header + data)
    return header[:16] + struct.pack("!H", right) + header[18:] + data


def pseudo_header(ends: tuple[str, str], protocol: int, length: int) -> bytes:
    """Return what a checksum covers besides."""
    return socket.inet_aton(ends[0]) + socket.inet_aton(ends[1]) + struct.pack("!HH", protocol, length)


def in_fragments(
    ends: tuple[str, str], protocol: int, payload: bytes, *, size: int, identification: int
) -> list[bytes]:
    """Return the fragments of a packet, with `size` bytes of data each, a multiple of 8."""
    starts = range(0, len(payload), size)
    return [
        ipv4(
            ends,
            protocol,
            payload[start : start + size],
            identification=identification,
            fragment=start // 8 | (MORE_FRAGMENTS if start + size < len(payload) else 0),
        )
        for start in starts
    ]


@dataclass(frozen=True)
class Wire:
    """A host's link, for frames: what it sends goes to the gateway, and it sees all that comes."""

    host: Any
    to: bytes

    @classmethod
    def of(cls, x: Experiment[Any], host: Any) -> Wire:
        """Return a host's link to the gateway under test."""
        name = next(iter(x.lab.topology.wiring))
        return cls(host, bytes.fromhex(x.lab.topology.gateway_mac(name).replace(":", "")))

    @contextlib.contextmanager
    def open(self) -> Iterator[socket.socket]:
        """Open a socket for whole frames of IPv4."""
        with network_of(self.host.netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth0", 0x0800))
            wire.settimeout(0.1)
            yield wire

    def send(self, *packets: bytes) -> None:
        """Send packets, each in a frame to the gateway."""
        with self.open() as wire:
            for packet in packets:
                wire.send(self.to + bytes.fromhex(self.host.MAC().replace(":", "")) + b"\x08\x00" + packet)


def incoming(wire: socket.socket, within: float) -> Iterator[bytes]:
    """Yield the packets that come from the gateway, until a deadline."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            frame, where = wire.recvfrom(65_536)
            if where[2] != socket.PACKET_OUTGOING:
                yield frame[14:]


def udp_socket(host: Any, address: str, port: int) -> socket.socket:
    """Return a host's UDP socket, of its kernel."""
    with network_of(host.netns):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind((address, port))
    made.settimeout(WITHIN_S)
    return made


def received(endpoint: socket.socket) -> tuple[bytes, tuple[str, int]]:
    """Return the next datagram and its source, or nothing from nobody if none comes in time."""
    try:
        return endpoint.recvfrom(65_536)
    except TimeoutError:
        return b"", ("", 0)


def pinged(host: Any, *arguments: str) -> int:
    """Return how many answers `ping` had, with these arguments."""
    command = ["nsenter", f"--net={host.netns}", "ping", "-n", "-i", "0.2", "-W", "2", *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return output.count(" bytes from ")
