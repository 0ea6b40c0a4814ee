"""A program of outside servers: it answers clients at one or more endpoints, and records each client it saw.

    python -m testbed.traffic.server ORDERS_FD PROTOCOL '[[HOST_NETNS, ADDRESS, PORT], ...]' [silent]

Several such programs share addresses and ports (SO_REUSEPORT), since one process may have too few open files.
"""

from __future__ import annotations

import contextlib
import gc
import json
import select
import socket
import sys
import time
from pathlib import Path

from testbed.traffic.bpf import TAKE_NOTHING, attach
from testbed.traffic.transfer import AT_ONCE, Arrived, read_head
from testbed.traffic.wire import ANSWER, HELLO, PING, Endpoint, Hosts, Orders

BACKLOG = 4096
DATAGRAMS_AT_ONCE = 256
AT_FIRST = 4096
"""Bytes that are read of a connection at once, unless it has begun a transfer."""
CONNECTIONS_AT_ONCE = 64
ECHO_REQUEST = 8
IGNORE_PINGS = Path("/proc/sys/net/ipv4/icmp_echo_ignore_all")


class Connection:
    """An accepted TCP connection: its socket, the client's endpoint, and the endpoint that accepted it."""

    __slots__ = ("buffer", "leaving", "peer", "socket", "target")

    def __init__(self, connection: socket.socket, peer: Endpoint, target: Endpoint) -> None:
        self.socket = connection
        self.peer = peer
        self.target = target
        self.buffer = b""
        self.leaving = b""
        """What is left to send of a transfer."""


class Server:
    """Answers every client, and records when each was first and last seen, from which endpoint, and at which."""

    def __init__(self, orders: Orders, protocol: str) -> None:
        self._orders = orders
        self._protocol = protocol
        self._listeners: dict[int, tuple[socket.socket, Endpoint]] = {}
        self._connections: dict[int, Connection] = {}
        self._seen: dict[tuple[int, Endpoint, Endpoint], list[float]] = {}
        self._answers = 0
        self._arrived = Arrived()
        self._poll = select.epoll()
        self._poll.register(orders.fileno(), select.EPOLLIN)

    def listen(self, target: Endpoint, *, is_silent: bool = False) -> None:
        """Serve at this endpoint as well, in the network namespace that this process is in; or only take it."""
        listener = {"tcp": _stream, "udp": _datagrams, "icmp": _pings}[self._protocol](target)
        listener.setblocking(False)
        if is_silent:
            attach(listener, TAKE_NOTHING)
        self._listeners[listener.fileno()] = (listener, target)
        self._poll.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Serve clients until the orders end."""
        orders = iter(self._orders)
        while True:
            for descriptor, event in self._poll.poll():
                connection = self._connections.get(descriptor)
                if connection is not None:
                    if event & select.EPOLLOUT:
                        self._send(connection)
                    self._read(connection)
                elif descriptor in self._listeners:
                    self._welcome(*self._listeners[descriptor])
                elif (order := next(orders, None)) is None:
                    return
                elif order["do"] == "arrived":
                    self._orders.tell(arrived=self._right())
                else:
                    self._report(order["answers"])

    def _right(self) -> list[tuple[int, int]]:
        """Return the bytes of each transfer that arrived as they were sent, by the client's nonce."""
        for connection in self._connections.values():
            self._arrived.broken_off(connection.buffer)
        return self._arrived.right()

    def _report(self, known: int) -> None:
        """Send the clients seen so far. Send none if the number of answers is still `known`."""
        seen = self._seen.items() if known != self._answers else ()
        rows = [(nonce, *peer, *at, target) for (nonce, peer, target), at in seen]
        self._orders.tell(answers=self._answers, seen=rows)

    def _welcome(self, listener: socket.socket, target: Endpoint) -> None:
        if self._protocol == "tcp":
            self._accept(listener, target)
        else:
            self._answer_datagrams(listener, target)

    def _accept(self, listener: socket.socket, target: Endpoint) -> None:
        for _ in range(CONNECTIONS_AT_ONCE):
            try:
                accepted, peer = listener.accept()
            except BlockingIOError:
                return
            connection = Connection(accepted, peer, target)
            self._connections[accepted.fileno()] = connection
            self._poll.register(accepted.fileno(), select.EPOLLIN)
            self._read(connection)  # a client's hello comes with the handshake's last packet

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(AT_ONCE if connection.buffer else AT_FIRST, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._arrived.broken_off(connection.buffer)
            del self._connections[connection.socket.fileno()]
            connection.socket.close()  # which leaves the poll as well
            return
        connection.buffer += data
        while len(connection.buffer) >= HELLO.size:
            if read_head(connection.buffer):
                if not self._returned(connection):
                    return
                continue
            hello, connection.buffer = connection.buffer[: HELLO.size], connection.buffer[HELLO.size :]
            with contextlib.suppress(OSError):  # a reset, which the next read will raise
                answer = self._answer(hello, connection.peer, connection.target)
                connection.socket.send(answer, socket.MSG_DONTWAIT)

    def _returned(self, connection: Connection) -> bool:
        """Return whether a transfer has come as a whole; then begin to send its answer."""
        if (whole := self._arrived.stream(connection.buffer)) is None:
            return False
        connection.leaving, connection.buffer = whole
        self._send(connection)
        return True

    def _send(self, connection: Connection) -> None:
        with contextlib.suppress(OSError):  # a full buffer, or a reset, which the next read will raise
            sent = connection.socket.send(connection.leaving, socket.MSG_DONTWAIT)
            connection.leaving = connection.leaving[sent:]
        more = select.EPOLLOUT if connection.leaving else 0
        self._poll.modify(connection.socket.fileno(), select.EPOLLIN | more)

    def _answer_datagrams(self, listener: socket.socket, target: Endpoint) -> None:
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                data, peer = listener.recvfrom(2048)
            except BlockingIOError:
                return
            if self._protocol == "icmp":
                self._answer_ping(listener, data[(data[0] & 0x0F) * 4 :], peer[0], target)
            elif (carried := self._arrived.datagram(data)) is not None:
                listener.sendto(carried, peer)
            elif len(data) == HELLO.size:
                listener.sendto(self._answer(data, peer, target), peer)

    def _answer_ping(self, listener: socket.socket, query: bytes, address: str, target: Endpoint) -> None:
        if len(query) < len(PING) + HELLO.size or query[0] != ECHO_REQUEST:
            return
        identifier, rest, hello = query[4:6], query[6:8], query[len(PING) :]
        if (answer := self._arrived.datagram(hello)) is None:
            if len(hello) != HELLO.size:
                return
            answer = self._answer(hello, (address, int.from_bytes(identifier, "big")), target)
        reply = bytes(4) + identifier + rest + answer
        listener.sendto(reply[:2] + _checksum(reply) + reply[4:], (address, 0))

    def _answer(self, hello: bytes, peer: Endpoint, target: Endpoint) -> bytes:
        nonce, token = HELLO.unpack(hello)
        now = time.monotonic()
        self._answers += 1
        self._seen.setdefault((nonce, peer, target), [now, now])[1] = now
        return ANSWER.pack(nonce, token, socket.inet_aton(peer[0]), peer[1])


def _stream(target: Endpoint) -> socket.socket:
    listener = _bound(socket.SOCK_STREAM, target)
    listener.listen(BACKLOG)
    return listener


def _datagrams(target: Endpoint) -> socket.socket:
    return _bound(socket.SOCK_DGRAM, target)


def _pings(target: Endpoint) -> socket.socket:
    """Return a socket that answers pings in place of the kernel, which would not report their identifiers."""
    IGNORE_PINGS.write_text("1")
    listener = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    listener.bind(target)
    return listener


def _bound(kind: int, target: Endpoint) -> socket.socket:
    listener = socket.socket(socket.AF_INET, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(target)
    return listener


def _checksum(message: bytes) -> bytes:
    """Return the Internet checksum of a message (RFC 1071)."""
    total = sum(int.from_bytes(message[at : at + 2].ljust(2, b"\0"), "big") for at in range(0, len(message), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def main() -> None:
    """Open the sockets, report that they listen, and serve clients until the orders end."""
    gc.disable()  # there are no reference cycles here, and a search for them costs more with each connection
    descriptor, protocol, targets, *silent = sys.argv[1:]
    orders = Orders(int(descriptor))
    hosts, server = Hosts(), Server(orders, protocol)
    for netns, address, port in json.loads(targets):
        hosts.enter(netns)
        server.listen((address, port), is_silent=bool(silent))
    orders.tell(ready=True)
    server.run()


if __name__ == "__main__":
    main()
