"""The kernel's messages about connections, by ctnetlink's multicast groups, as far as a recording needs them.

A message is a netlink header (16 bytes), the family (4 bytes), and attributes. The first two are the tuples of
both directions (net/netfilter/nf_conntrack_netlink.c: ctnetlink_conntrack_event). For IPv4 each has fixed places,
by which it is read: with some 10,000 connections a second nothing else is quick enough.
"""

from __future__ import annotations

import ctypes
import enum
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

NETLINK_NETFILTER = 12
GROUPS = 0b111
"""NEW, UPDATE and DESTROY of connections."""
SO_ATTACH_FILTER = 26
SO_MEMINFO = 55
DROPS = 8
"""The place of the number of lost messages in SO_MEMINFO."""
SOL_NETLINK, NETLINK_NO_ENOBUFS = 270, 5
ROOM_BYTES = 32 << 20
"""The room for messages that were not read yet: some 40,000 of them."""

_HEADER = struct.Struct("=IHH")
FIRST_ATTRIBUTE = 20
_TUPLE_AT = FIRST_ATTRIBUTE
_TUPLE = struct.Struct("!8x4xI4xI4x4xB3x4xH")
"""Of a tuple: source, destination, protocol, and the first of its ports, or the identifier of a query."""
_SECOND_PORT_AT = 48
_LENGTHS = {6: 52, 17: 52, 1: 60}
_PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp"}
_DELETE = 2
_CREATE = 0x0400


class Change(enum.Enum):
    """What became of a connection."""

    NEW = "new"
    CLOSING = "closing"
    ENDED = "ended"


class Connection(NamedTuple):
    """A connection of the table: the host that began it, and the endpoint that is written in place of its own.

    `key` tells it from others that live at the same time.
    """

    change: Change
    key: bytes
    protocol: str
    inside: int
    external: int
    port: int

    @property
    def endpoint(self) -> tuple[str, int, int]:
        """Its external endpoint: protocol, address and port."""
        return self.protocol, self.external, self.port


# Of what only changes, the kernel hands over what has become TIME_WAIT (7) or CLOSE (8): a program in its classic
# BPF. NLATTR (12) and NLATTR_NEST (16) find an attribute of type X from the place A on.
_EXTENSIONS = 0xFFFFF000
_FILTER = [
    (0x30, 0, 0, 4),  # the message's type
    (0x15, 13, 0, _DELETE),
    (0x30, 0, 0, 7),  # its flags: only a new connection has CREATE
    (0x15, 0, 11, 0),
    (0x00, 0, 0, _TUPLE_AT),
    (0x01, 0, 0, 4),  # CTA_PROTOINFO
    (0x20, 0, 0, _EXTENSIONS + 12),
    (0x15, 8, 0, 0),
    (0x01, 0, 0, 1),  # CTA_PROTOINFO_TCP
    (0x20, 0, 0, _EXTENSIONS + 16),
    (0x15, 5, 0, 0),
    (0x20, 0, 0, _EXTENSIONS + 16),  # CTA_PROTOINFO_TCP_STATE is 1 as well
    (0x07, 0, 0, 0),
    (0x50, 0, 0, 4),
    (0x35, 0, 1, 7),
    (0x06, 0, 0, 0xFFFFFFFF),
    (0x06, 0, 0, 0),
]


def opened(room_bytes: int = ROOM_BYTES) -> socket.socket:
    """Return a socket that gets what the kernel of this network namespace reports. Raises OSError."""
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    try:
        events.setsockopt(socket.SOL_SOCKET, 33, room_bytes)  # SO_RCVBUFFORCE
    except OSError:  # without root of the machine: as much as there is
        events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room_bytes)
    events.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
    program = b"".join(struct.pack("=HBBI", *line) for line in _FILTER)
    buffer = ctypes.create_string_buffer(program)
    events.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(_FILTER), ctypes.addressof(buffer))
    )
    events.bind((0, GROUPS))
    events.setblocking(False)
    return events


def lost(events: socket.socket) -> int:
    """Return the number of messages that there was no room for."""
    figures = events.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (DROPS + 1))
    return int.from_bytes(figures[4 * DROPS :], "little")


def connections(data: bytes) -> Iterator[Connection]:
    """Yield what the messages in a datagram are about. What is not IPv4, or another protocol, is passed over."""
    for message, kind, flags in parts(data):
        change = Change.ENDED if kind & 0xFF == _DELETE else Change.NEW if flags & _CREATE else Change.CLOSING
        found = connection(message, change)
        if found is not None:
            yield found


def parts(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each whole netlink message in a datagram, with its type and its flags."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, flags = _HEADER.unpack_from(data, at)
        if length < _TUPLE_AT or at + length > len(data):
            return
        yield data[at : at + length], kind, flags
        at += (length + 3) & ~3


def connection(message: bytes, change: Change) -> Connection | None:
    """Return the connection that a message is about, or None."""
    if len(message) < _TUPLE_AT + 2 * 52 or message[16] != socket.AF_INET:
        return None
    inside, _, protocol, _ = _TUPLE.unpack_from(message, _TUPLE_AT)
    size = _LENGTHS.get(protocol)
    if size is None or message[_TUPLE_AT] != size or len(message) < _TUPLE_AT + 2 * size:
        return None
    answers = _TUPLE_AT + size
    _, external, _, port = _TUPLE.unpack_from(message, answers)
    if protocol != 1:
        (port,) = struct.unpack_from("!H", message, answers + _SECOND_PORT_AT)
    return Connection(change, message[_TUPLE_AT:answers], _PROTOCOLS[protocol], inside, external, port)
