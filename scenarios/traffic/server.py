"""An outside server as a program: it answers TCP and UDP clients, and remembers whom it saw.

    python -m scenarios.traffic.server ORDERS_FD HOST_PID ADDRESS PORT PROTOCOL

Several of them share an address and port (SO_REUSEPORT), since one process may hold too few open files.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time

from scenarios.traffic.wire import ANSWER, HELLO, Hosts, Orders

BACKLOG = 4096
DATAGRAMS_AT_ONCE = 256
CONNECTIONS_AT_ONCE = 64

Endpoint = tuple[str, int]


class Connection:
    """An accepted TCP connection."""

    __slots__ = ("buffer", "peer", "socket")

    def __init__(self, connection: socket.socket, peer: Endpoint) -> None:
        self.socket = connection
        self.peer = peer
        self.buffer = b""


class Server:
    """Answers whoever comes, and remembers each client: when it was first and last seen, and from where."""

    def __init__(self, orders: Orders, listener: socket.socket) -> None:
        self._orders = orders
        self._listener = listener
        self._is_stream = listener.type == socket.SOCK_STREAM
        self._connections: dict[int, Connection] = {}
        self._seen: dict[tuple[int, Endpoint], list[float]] = {}
        self._poll = select.epoll()
        self._poll.register(orders.fileno(), select.EPOLLIN)
        self._poll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve until the orders end."""
        orders = iter(self._orders)
        while True:
            for descriptor, _ in self._poll.poll():
                connection = self._connections.get(descriptor)
                if connection is not None:
                    self._read(connection)
                elif descriptor != self._listener.fileno():
                    if next(orders, None) is None:
                        return
                    self._orders.tell(seen=[(nonce, *peer, *at) for (nonce, peer), at in self._seen.items()])
                elif self._is_stream:
                    self._accept()
                else:
                    self._answer_datagrams()

    def _accept(self) -> None:
        for _ in range(CONNECTIONS_AT_ONCE):
            try:
                accepted, peer = self._listener.accept()
            except BlockingIOError:
                return
            accepted.setblocking(False)
            self._connections[accepted.fileno()] = Connection(accepted, peer)
            self._poll.register(accepted.fileno(), select.EPOLLIN)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            del self._connections[connection.socket.fileno()]
            connection.socket.close()  # which leaves the poll as well
            return
        connection.buffer += data
        while len(connection.buffer) >= HELLO.size:
            nonce, token = HELLO.unpack_from(connection.buffer)
            connection.buffer = connection.buffer[HELLO.size :]
            self._remember(nonce, connection.peer)
            with contextlib.suppress(OSError):  # a reset, which the next read will tell of
                connection.socket.send(_answer(nonce, token, connection.peer))

    def _answer_datagrams(self) -> None:
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                data, peer = self._listener.recvfrom(2048)
            except BlockingIOError:
                return
            if len(data) != HELLO.size:
                continue
            nonce, token = HELLO.unpack(data)
            self._remember(nonce, peer)
            self._listener.sendto(_answer(nonce, token, peer), peer)

    def _remember(self, nonce: int, peer: Endpoint) -> None:
        now = time.monotonic()
        self._seen.setdefault((nonce, peer), [now, now])[1] = now


def _answer(nonce: int, token: int, peer: Endpoint) -> bytes:
    return ANSWER.pack(nonce, token, socket.inet_aton(peer[0]), peer[1])


def main() -> None:
    """Listen, say so, serve."""
    descriptor, pid, address, port, protocol = sys.argv[1:]
    orders = Orders(int(descriptor))
    Hosts().enter(int(pid))
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    listener = socket.socket(socket.AF_INET, kind)
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((address, int(port)))
    if protocol == "tcp":
        listener.listen(BACKLOG)
    orders.tell(ready=True)
    Server(orders, listener).run()


if __name__ == "__main__":
    main()
