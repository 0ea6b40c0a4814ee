"""A server of TCP and UDP in the scenario's own process, which can end each connection as it likes."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterator

from scenarios.shared.clients import Listener, vanish
from testbed.api import Endpoint, Sighting, network_of
from testbed.traffic.kernel import SO_TIMESTAMPNS, received
from testbed.traffic.wire import ANSWER, HELLO, token_of

BACKLOG = 1024


class Connection:
    """An accepted connection, which stays open until the scenario ends it."""

    def __init__(self, server: Server, accepted: socket.socket, peer: Endpoint) -> None:
        self._server = server
        self.socket = accepted
        self._peer = peer
        self.awaits = select.POLLIN
        self.other_side_closed = self.was_reset = False

    def fileno(self) -> int:
        """The descriptor of its socket."""
        return self.socket.fileno()

    @property
    def is_open(self) -> bool:
        """Whether its kernel still has it: neither side has ended it."""
        return self.fileno() >= 0

    def hear(self) -> None:
        """Answer a hello, or note that the other side has closed. A reset may come before the answer."""
        try:
            data = self.socket.recv(512)
            if data:
                self.socket.send(self._server.answer(data, self._peer, time.monotonic(), self))
            else:
                self.awaits, self.other_side_closed = 0, True
        except OSError:
            self.was_reset = True
            self.close()

    def close(self) -> None:
        """Close the connection in an orderly way."""
        self.awaits = 0
        self.socket.close()

    def vanish(self) -> None:
        """End the connection without a packet, as in a power failure."""
        self.awaits = 0
        if self.is_open:  # else it has been reset
            vanish(self.socket)


class Server:
    """Answers hellos, and records each client's external endpoint."""

    def __init__(self, netns: str, target: Endpoint) -> None:
        """Listen at the target, in a host's network namespace."""
        with network_of(netns):
            self._stream = socket.create_server(target, backlog=BACKLOG)
            self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._stream.setblocking(False)
        self._datagrams.setblocking(False)
        self._datagrams.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._datagrams.bind(target)
        self.netns, self.target = netns, target
        self._accepted: list[Connection] = []
        self._seen: dict[tuple[int, Endpoint, str], list[float]] = {}
        self.connections: dict[int, Connection] = {}
        """The connections by the nonces of their clients."""

    def listeners(self) -> Iterator[Listener]:
        """Yield the owner of each socket that has to be waited for."""
        yield _Ready(self._stream, self._accept)
        yield _Ready(self._datagrams, self._return)
        yield from self._accepted

    def sightings(self) -> list[Sighting]:
        """Return the clients that it has seen so far."""
        return [
            Sighting(nonce, *peer, first=first, last=last, target=self.target, protocol=protocol)
            for (nonce, peer, protocol), (first, last) in self._seen.items()
        ]

    def answer(self, hello: bytes, peer: Endpoint, at: float, connection: Connection | None = None) -> bytes:
        """Return the answer to a hello that came at a time, and record the client."""
        nonce, token = HELLO.unpack(hello)
        protocol = "udp" if connection is None else "tcp"
        self._seen.setdefault((nonce, peer, protocol), [at, at])[1] = at
        if connection is not None:
            self.connections[nonce] = connection
        return ANSWER.pack(nonce, token, socket.inet_aton(peer[0]), peer[1])

    def speak(self, nonce: int, to: Endpoint) -> None:
        """Say a word to a client, its answer once more: on its connection, or over UDP to an external endpoint."""
        word = ANSWER.pack(nonce, token_of(self.target, 0), socket.inet_aton(to[0]), to[1])
        if connection := self.connections.get(nonce):
            connection.socket.send(word)
        else:
            self._datagrams.sendto(word, to)

    def _accept(self) -> None:
        accepted, peer = self._stream.accept()
        accepted.setblocking(False)
        self._accepted.append(Connection(self, accepted, peer))

    def _return(self) -> None:
        data, peer, at = received(self._datagrams, 512)
        self._datagrams.sendto(self.answer(data, peer, at), peer)


class _Ready:
    """A listening socket of the server, and the action by which it takes one of what has come."""

    awaits = select.POLLIN

    def __init__(self, opened: socket.socket, act: Callable[[], None]) -> None:
        self._socket = opened
        self._act = act

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def hear(self) -> None:
        """Accept the connections that have come, or answer the datagrams."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(BACKLOG):
                self._act()
