"""What a client and a server send to one another, over TCP, UDP and ICMP alike.

The client sends its nonce and a token that it has just drawn. The server answers with both, and with the endpoint
from which it saw the client come: on the far side of a NAT, the external endpoint.

A nonce names its client, and a token the server's address. So the kernel of any host can count, by a filter, the
answers that belong to another client, and the hellos that were sent to another server.
"""

from __future__ import annotations

import functools
import json
import os
import socket
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from testbed.sandbox.linux import CLONE_NEWNET, enter_namespace

Endpoint = tuple[str, int]
"""Address and port. Over ICMP, the identifier is the port."""

HELLO = struct.Struct("!QQ")
"""What a client sends: nonce and token."""
MARK = 0x4C50
"""The first two bytes of a nonce that names its client."""
PING = b"\x08\0\0\0\0\0\0\0"
"""The header of an echo request (RFC 792) before a hello over ICMP; the kernel sets checksum and identifier."""
ANSWER = struct.Struct("!QQ4sH")
"""What a server sends: nonce, token, and the client's address and port as the server sees them."""


def mark_of(netns: str) -> int:
    """Return the 16 bits by which a nonce names a client, made from its network namespace's path."""
    return zlib.crc32(netns.encode()) & 0xFFFF


def nonce_of(netns: str, number: int) -> int:
    """Return the nonce of a client's attempt. `number` has 32 bits, and no other attempt of this run has it."""
    return MARK << 48 | mark_of(netns) << 32 | number


def token_of(target: Endpoint, drawn: int) -> int:
    """Return a token that names the server's address, with 32 bits that were drawn."""
    return _number_of(target[0]) << 32 | drawn


@functools.cache
def _number_of(address: str) -> int:
    return int.from_bytes(socket.inet_aton(address), "big")


class Orders:
    """A worker's end of the socket on which it takes orders and answers."""

    def __init__(self, descriptor: int) -> None:
        self._connection = socket.socket(fileno=descriptor)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self._connection.makefile("r") as lines:
            for line in lines:
                yield json.loads(line)

    def fileno(self) -> int:
        """Return the descriptor of the socket, for polling."""
        return self._connection.fileno()

    def tell(self, **fields: Any) -> None:
        """Send one record, a line."""
        self._connection.sendall(json.dumps(fields).encode() + b"\n")


class Hosts:
    """The network namespaces of hosts, by their paths.

    A socket stays in the namespace in which it was made, so a worker needs no process for each host.
    """

    def __init__(self) -> None:
        self._namespaces: dict[str, int] = {}

    def enter(self, netns: str) -> None:
        """Move this process into a host's network namespace. Raises OSError."""
        namespace = self._namespaces.get(netns)
        if namespace is None:
            namespace = self._namespaces[netns] = os.open(netns, os.O_RDONLY)
        enter_namespace(namespace, CLONE_NEWNET)
