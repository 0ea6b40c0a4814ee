"""Flows of the judge's own making, where a run leaves none with a worker: over sockets that are there, or new."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Iterator

from testbed.evidence.train import Flow
from testbed.sandbox.linux import network_of
from testbed.traffic.kernel import take_only
from testbed.traffic.wire import HELLO, Endpoint

OWN_BITS = 31
"""The bits of the nonce of such a flow."""
TRIES = 2
PATIENCE_S = 0.5
"""Seconds for which each try waits, each way."""


def over(client: socket.socket, server: socket.socket, inside: str, outside: str) -> Flow:
    """Return the flow over connected sockets of two hosts, given the hosts' network namespaces.

    A socket for datagrams at the server is connected by the first hello.
    """
    nonce = secrets.randbits(OWN_BITS)

    def exchange() -> bool:
        hello = HELLO.pack(nonce, secrets.randbits(64))
        return _passes(hello, client, server) and _passes(hello, server, client)

    return Flow(nonce, inside, outside, lambda: any(exchange() for _ in range(TRIES)))


@contextlib.contextmanager
def own_datagrams(inside: str, outside: str, target: Endpoint) -> Iterator[Flow]:
    """Give a flow over UDP between two hosts, by their network namespaces."""
    with _socket(outside, socket.SOCK_DGRAM) as server, _socket(inside, socket.SOCK_DGRAM) as client:
        for each in (server, client):
            take_only(each, HELLO.size)  # nobody reads a train's frames there
        server.bind(target)
        with contextlib.suppress(OSError):  # there may be no route
            client.connect(target)
        yield over(client, server, inside, outside)


@contextlib.contextmanager
def own_connection(inside: str, outside: str, target: Endpoint) -> Iterator[Flow | None]:
    """Give a flow over TCP between two hosts, by their network namespaces, or None if there is no connection."""
    with _socket(outside, socket.SOCK_STREAM) as listener, _socket(inside, socket.SOCK_STREAM) as client:
        listener.bind(target)
        listener.listen()
        try:
            client.connect(target)
            server, _ = listener.accept()
        except OSError:
            yield None
            return
        with server:
            yield over(client, server, inside, outside)


def _socket(netns: str, kind: int) -> socket.socket:
    with network_of(netns):
        made = socket.socket(socket.AF_INET, kind)
    made.settimeout(PATIENCE_S)
    return made


def _passes(hello: bytes, sender: socket.socket, receiver: socket.socket) -> bool:
    """Send a hello, and return whether it comes in time. Its receiver sends to where it came from after that."""
    deadline = time.monotonic() + PATIENCE_S
    with contextlib.suppress(OSError):  # an error of the kernel, by ICMP, is no answer
        sender.settimeout(PATIENCE_S)
        sender.send(hello)
    while (left := deadline - time.monotonic()) > 0:
        receiver.settimeout(left)
        with contextlib.suppress(OSError):
            data, peer = receiver.recvfrom(1 << 16)
            if data.endswith(hello):
                if peer:
                    receiver.connect(peer)
                return True
            if not data:
                return False
    return False
