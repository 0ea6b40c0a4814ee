"""A flow of the judge's own, from a client to a server over UDP, for runs that leave none of theirs."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Iterator

from testbed.evidence.train import Flow
from testbed.sandbox.linux import network_of
from testbed.traffic.wire import HELLO, Endpoint

OWN_BITS = 31
"""The bits of the nonce of such a flow."""
TRIES = 3
PATIENCE_S = 0.5
"""Seconds for which each try waits, both ways."""


@contextlib.contextmanager
def own_flow(inside: str, outside: str, target: Endpoint) -> Iterator[Flow]:
    """Give a flow between two hosts, by their network namespaces, which begins when it is used."""
    with network_of(outside):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with network_of(inside):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    nonce = secrets.randbits(OWN_BITS)

    def exchange() -> bool:
        return any(_asked(client, server, target, nonce) for _ in range(TRIES))

    with server, client:
        server.bind(target)
        yield Flow(nonce, inside, outside, exchange)


def _asked(client: socket.socket, server: socket.socket, target: Endpoint, nonce: int) -> bool:
    """Return whether a hello was answered, and the answer came."""
    hello = HELLO.pack(nonce, secrets.randbits(64))
    with contextlib.suppress(OSError):  # an error of the kernel, by ICMP or for want of a route, is no answer
        client.connect(target)
        client.send(hello)
    for receiver, answers in ((server, True), (client, False)):
        data, peer = _received(receiver, hello)
        if not data:
            return False
        if answers:
            server.sendto(hello, peer)
    return True


def _received(receiver: socket.socket, hello: bytes) -> tuple[bytes, Endpoint]:
    """Return the hello and its sender, or nothing if it does not come in time."""
    deadline = time.monotonic() + PATIENCE_S
    while (left := deadline - time.monotonic()) > 0:
        receiver.settimeout(left)
        with contextlib.suppress(OSError):
            data, peer = receiver.recvfrom(2048)
            if data == hello:
                return data, peer
    return b"", ("", 0)
