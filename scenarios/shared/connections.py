"""Connections of a scenario's own process, which it opens, and ends by one side or the other."""

from __future__ import annotations

import fcntl
import socket
import sys
import termios
import time
from collections.abc import Callable

from scenarios.shared.clients import Client, listen
from scenarios.shared.servers import Server

LISTEN_S, ANSWERED_WITHIN_S = 0.02, 20.0


def connected(netns: str, server: Server, times: int, patience: float) -> list[Client]:
    """Connect this number of times at once, and return the clients when all are answered or given up."""
    clients = [Client(netns, "tcp", server.target, queue=True) for _ in range(times)]
    wait(server, clients, patience, lambda: not any(each.waits for each in clients))
    return clients


def one_by_one(
    netns: str, server: Server, times: int, patience: float, remembers: Callable[[], int]
) -> list[Client]:
    """Connect one after the other, until this number are answered. Return all clients, also those that gave up.

    One that gives up is the last, unless the server `remembers` fewer old connections than before it. Then it has
    reset some, and the next one meets fewer.
    """
    clients: list[Client] = []
    answered = 0
    while answered < times:
        before = remembers()
        clients += connected(netns, server, 1, patience)
        if not clients[-1].waits:
            answered += 1
        elif remembers() < before:
            clients[-1].give_up()
        else:
            break
    return clients


def end(server: Server, closing: list[Client], vanishing: list[Client]) -> None:
    """Have the server close some connections, and their client after it, and the client of others vanish.

    What is not acknowledged by then the server would send again, and keep the mapping alive.
    """
    unacknowledged = [server.connections[each.nonce].socket for each in vanishing]
    wait(server, [], ANSWERED_WITHIN_S, lambda: not any(map(_left, unacknowledged)))
    for each in vanishing:
        each.vanish()
    for each in closing:
        each.listen_again()
        server.connections[each.nonce].close()
    wait(server, closing, ANSWERED_WITHIN_S, lambda: not any(each.waits for each in closing))
    for each in closing:
        each.close()


def wait_and_give_up(server: Server, clients: list[Client], seconds: float, *, after: float | None) -> None:
    """Wait, and have the server give up these clients' connections `after` seconds, without a packet."""
    given_up = seconds if after is None else min(after, seconds)
    wait(server, [], given_up, lambda: False)
    for each in clients if given_up < seconds else ():
        server.connections[each.nonce].vanish()
    wait(server, [], seconds - given_up, lambda: False)


def wait(server: Server, clients: list[Client], seconds: float, over: Callable[[], bool]) -> None:
    """Let clients and server take what comes, until this is over, or for some seconds."""
    deadline = time.monotonic() + seconds
    while not over() and time.monotonic() < deadline:
        listen([*clients, *server.listeners()], LISTEN_S)


def _left(stream: socket.socket) -> int:
    """Return the number of bytes that the other end has not acknowledged."""
    return int.from_bytes(fcntl.ioctl(stream, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
