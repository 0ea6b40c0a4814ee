"""Packets that a path has no room for, as a host's kernel sends them and learns of it (RFC 1191)."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time

from testbed.api import Endpoint, network_of
from testbed.traffic.kernel import IP_RECVERR, IcmpError, queued_error
from testbed.traffic.transfer import STREAM_BYTES, between

__all__ = [
    "ALWAYS",
    "ETHERNET",
    "HEADERS",
    "NEVER",
    "QUIET_S",
    "STREAM_BYTES",
    "WITHIN_S",
    "carried",
    "discovered",
    "learned_from_afar",
    "received",
    "sent",
]

IP_MTU_DISCOVER, IP_MTU, NEVER, ALWAYS = 10, 14, 0, 2
"""Linux, in.h: whether a socket sets DF, and the MTU of a path as the kernel knows it."""
ETHERNET, HEADERS, DONT_FRAGMENT = 1500, 28, 0x4000
WITHIN_S, QUIET_S, STREAM_S = 3.0, 0.2, 5.0


def discovered(netns: str, target: Endpoint, mtu: int) -> tuple[IcmpError | None, int]:
    """Send what is too large until the kernel knows the path. Return the error, and the MTU that is known."""
    error, deadline = None, time.monotonic() + WITHIN_S
    with _socket(netns, target, ALWAYS) as probe:
        poll = select.poll()
        poll.register(probe, 0)  # errors alone
        while (known := probe.getsockopt(socket.IPPROTO_IP, IP_MTU)) > mtu and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # the error of the datagram before
                probe.send(bytes(ETHERNET - HEADERS))
            poll.poll(QUIET_S * 1000)
            error = queued_error(probe)[1] or error
    return error, known


def learned_from_afar(netns: str, receiver: socket.socket, router: str, mtu: int) -> int | None:
    """Send datagrams that arrive, and have a router further on claim that it has only this room for them.

    `router` is a network namespace outside. Return the MTU of the path as the sender's kernel knows it then.
    """
    with network_of(router):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    target, known, deadline = receiver.getsockname(), None, time.monotonic() + WITHIN_S
    with raw, _socket(netns, target, ALWAYS) as sender:
        receiver.settimeout(QUIET_S)
        while known != mtu and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # TimeoutError is one, and so is the router's error
                sender.send(bytes(mtu - HEADERS + 1))
                data, seen = receiver.recvfrom(1 << 16)
                raw.sendto(_too_large(seen, target, HEADERS + len(data), mtu), (seen[0], 0))
                select.select([], [], [sender], QUIET_S)
            known = sender.getsockopt(socket.IPPROTO_IP, IP_MTU)
    return known


def _too_large(source: Endpoint, target: Endpoint, length: int, mtu: int) -> bytes:
    """Return the ICMP error about a datagram, as it is outside, that is too large by a router's `mtu`."""
    ends = socket.inet_aton(source[0]), socket.inet_aton(target[0])
    fields = 0x45, 0, length, 1, DONT_FRAGMENT, 60, socket.IPPROTO_UDP, 0
    header = _checked(struct.pack("!BBHHHBBH4s4s", *fields, *ends), 10)
    quoted = header + struct.pack("!HHHH", source[1], target[1], length - len(header), 0)
    return _checked(struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quoted, 2)


def _checked(packet: bytes, at: int) -> bytes:
    """Return a packet with its checksum at this place (RFC 1071)."""
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet)) % 0xFFFF
    return packet[:at] + struct.pack("!H", ~total & 0xFFFF) + packet[at + 2 :]


def sent(netns: str, target: Endpoint, size: int, discover: int) -> bytes:
    """Send a datagram of this size, and return it."""
    data = bytes(number % 251 for number in range(size))
    with _socket(netns, target, discover) as sender, contextlib.suppress(OSError):
        sender.send(data)
    return data


def _socket(netns: str, target: Endpoint, discover: int) -> socket.socket:
    with network_of(netns):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    made.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)
    made.connect(target)
    return made


def received(receiver: socket.socket, seconds: float) -> bytes:
    """Return a datagram that comes within some seconds, or nothing."""
    receiver.settimeout(seconds)
    try:
        return receiver.recv(1 << 16)
    except TimeoutError:
        return b""


def carried(netns: str, server: str, target: Endpoint) -> int:
    """Carry a stream out and back over TCP, and return the number of bytes that do not arrive."""
    with network_of(server):
        listener = socket.create_server(target)
    with network_of(netns):
        client = socket.socket()
    with listener, client:
        listener.settimeout(WITHIN_S)
        client.settimeout(WITHIN_S)
        try:
            client.connect(target)
            accepted, _ = listener.accept()
        except OSError:
            return 2 * STREAM_BYTES
        with accepted:
            return sum(between(client, accepted, 1, patience=STREAM_S))
