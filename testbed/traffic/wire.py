"""What a client and a server send to one another, over TCP, UDP and ICMP alike.

The client sends its nonce and a token that it has just drawn. The server answers with both, and with the endpoint
from which it saw the client come: on the far side of a NAT, the external endpoint.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

from testbed.sandbox.linux import CLONE_NEWNET, enter_namespace

Endpoint = tuple[str, int]
"""Address and port. Over ICMP, the identifier is the port."""

HELLO = struct.Struct("!QQ")
"""What a client sends: nonce and token."""
PING = b"\x08\0\0\0\0\0\0\0"
"""The header of an echo request (RFC 792) before a hello over ICMP; the kernel sets checksum and identifier."""
ANSWER = struct.Struct("!QQ4sH")
"""What a server sends: nonce, token, and the client's address and port as the server sees them."""


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
