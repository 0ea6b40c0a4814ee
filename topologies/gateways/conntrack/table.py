"""The kernel's table of connections, read as a whole: what is there now, whatever was reported before.

It is read where messages were lost. Its messages are those of a new connection, with the state of a TCP connection
in attributes: a length, a type (with flags in its upper two bits), and the value, in steps of four bytes.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

from topologies.gateways.conntrack.messages import (
    FIRST_ATTRIBUTE,
    NETLINK_NETFILTER,
    Change,
    Connection,
    connection,
    parts,
)

ANSWER_WITHIN_S = 5.0
READ_BYTES = 1 << 16
_REQUEST = struct.Struct("=IHHIIBBH")
_ATTRIBUTE = struct.Struct("=HH")
_GET, _DUMP = 0x0101, 0x0301
_ERROR, _DONE = 2, 3
_TCP_STATE = (4, 1, 1)
"""CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE."""
_TIME_WAIT = 7
"""This state and those above it have ended for both sides."""


def table() -> Iterator[Connection]:
    """Yield the connections of this network namespace, each as `new`, or as `closing` if it is. Raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER) as kernel:
        kernel.settimeout(ANSWER_WITHIN_S)
        kernel.send(_REQUEST.pack(_REQUEST.size, _GET, _DUMP, 0, 0, socket.AF_INET, 0, 0))
        while True:
            for message, kind, _ in parts(kernel.recv(READ_BYTES)):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError("the kernel does not show its table of connections")
                found = entry(message)
                if found is not None:
                    yield found


def entry(message: bytes) -> Connection | None:
    """Return the connection that a message of the table is about, or None."""
    return connection(message, Change.CLOSING if _is_closing(message) else Change.NEW)


def _is_closing(message: bytes) -> bool:
    value = message[FIRST_ATTRIBUTE:]
    for kind in _TCP_STATE:
        value = _attribute(value, kind)
    return value[:1] >= bytes([_TIME_WAIT])


def _attribute(data: bytes, wanted: int) -> bytes:
    """Return the value of the first attribute of a type; nothing if there is none."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if kind & 0x3FFF == wanted:
            return data[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, (length + 3) & ~3)
    return b""
