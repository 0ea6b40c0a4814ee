"""Inside hosts as a program: it opens numbered attempts, exchanges data on them, and closes them.

    python -m testbed.traffic.client ORDERS_FD PROTOCOL

An attempt is a real socket of a host's kernel. It counts as established when the server has answered on it.
Attempts start in the order of their numbers, in a bounded window: a slow gateway delays them. Only an attempt
that stays without any answer for `patience` seconds is given up.
"""

from __future__ import annotations

import errno
import gc
import random
import select
import socket
import sys
from typing import Any

from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.pending import Pending
from testbed.traffic.rounds import Closing, Round
from testbed.traffic.timetable import Timetable
from testbed.traffic.wire import Endpoint, Hosts, Orders

WATCHED = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
"""Of a TCP socket, once for all its life: epoll(7) tells each change, and need not be told what comes next."""

Planned = tuple[int, int, str, Endpoint, str, int]
"""An attempt to be made: number, nonce, the host's network namespace, target, source address or any,
and source port or 0."""


class Client:
    """Carries out orders."""

    def __init__(self, orders: Orders, protocol: str) -> None:
        self.orders = orders
        self.protocol = protocol
        self.is_stream = protocol == "tcp"
        self._hosts = Hosts()
        self._attempts: list[LiveAttempt] = []
        self._by_descriptor: dict[int, LiveAttempt] = {}
        self._poll = select.epoll()
        self._random = random.Random()
        self._echoed: set[int] = set()

    def run(self) -> None:
        """Take orders until they end."""
        for order in self.orders:
            answer = getattr(self, "_" + order.pop("do"))(**order)
            self.orders.tell(answer=answer)

    # Orders

    def _open(
        self,
        attempts: list[Planned],
        patience: float,
        first_window: int,
        window: int,
        ahead: int,
    ) -> list[tuple[Any, ...]]:
        """Open attempts; return their rows."""
        opened = [_attempt(attempt) for attempt in attempts]
        Round(self, patience, first_window, window).run(opened, self.connect, ahead=ahead)
        self._attempts = [attempt for attempt in self._attempts if attempt.socket is not None] + opened
        return [attempt.row() for attempt in opened]

    def _serve(self, attempts: list[Planned], times: list[list[float]], patience: float) -> list[tuple[Any, ...]]:
        """Open attempts by the clock and close each again; `times` has start and holding time of each."""
        planned = [_attempt(attempt) for attempt in attempts]
        Timetable(self, patience).run(list(zip(planned, times, strict=True)))
        return [attempt.row() for attempt in planned]

    def _echo(self, numbers: tuple[int, int], patience: float, window: int) -> list[int]:
        """Exchange data on each established attempt from one number to another.

        Return the numbers of those that kept their endpoint. One that stays silent is broken, and is dropped.
        """
        self._echoed = set()
        established = self._opened(numbers)
        Round(self, patience, window, window).run(established, self.exchange)
        for attempt in established:
            if attempt.number not in self._echoed:
                self.forget(attempt)
        return sorted(self._echoed)

    def _close(self, numbers: tuple[int, int], patience: float, window: int) -> list[Any]:
        """Close each open attempt from one number to another in an orderly way, so many at once."""
        opened = self._opened(numbers)
        if self.is_stream:
            Closing(self, patience, window, window).run(opened, _shut)
        for attempt in opened:
            self.forget(attempt)
        return []

    def _opened(self, numbers: tuple[int, int]) -> list[LiveAttempt]:
        first, last = numbers
        return [
            attempt for attempt in self._attempts if attempt.socket is not None and first <= attempt.number <= last
        ]

    # Sockets

    def connect(self, attempt: LiveAttempt) -> None:
        """Begin an attempt. Raises OSError."""
        self._hosts.enter(attempt.netns)
        opened = attempt.connect(self.protocol)
        self._by_descriptor[opened.fileno()] = attempt
        self._poll.register(opened.fileno(), WATCHED if self.is_stream else select.EPOLLIN)
        if not self.is_stream:
            self.exchange(attempt)

    def exchange(self, attempt: LiveAttempt) -> None:
        """Say something new."""
        attempt.token = self._random.getrandbits(64)
        self.say(attempt)

    def say(self, attempt: LiveAttempt) -> None:
        """Say it, or say it again."""
        attempt.say(self.protocol)

    def poll(self, pause: float, current: Pending | None) -> None:
        """Wait up to `pause` seconds for answers, and take them."""
        for descriptor, event in self._poll.poll(pause):
            attempt = self._by_descriptor.get(descriptor)
            if attempt is not None:
                self._ready(attempt, event, current)

    def _ready(self, attempt: LiveAttempt, event: int, current: Pending | None) -> None:
        assert attempt.socket is not None
        try:
            if event & select.EPOLLERR:
                error = attempt.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                raise OSError(error, "the socket's error")
            if attempt.connecting:
                attempt.connecting = False
                self.exchange(attempt)
                if not event & select.EPOLLRDHUP:  # the end that came with the beginning is not told again
                    return
            data = attempt.socket.recv(4096)
            if not data and self.is_stream:
                raise OSError(errno.ECONNRESET, "the server closed")
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(attempt, error)
            if current is not None and attempt.waiting:
                current.ended(attempt)
            return
        self._take(attempt, data, current)
        if event & select.EPOLLRDHUP:  # the end came with the data, and is not told again
            self._ready(attempt, event, current)

    def _take(self, attempt: LiveAttempt, data: bytes, current: Pending | None) -> None:
        for seen in attempt.answers(data, self.protocol):
            if not attempt.waiting or current is None:
                continue
            if not attempt.outcome:
                attempt.outcome, attempt.seen = "established", seen
                attempt.note_retransmissions()
            elif seen == attempt.seen:
                self._echoed.add(attempt.number)
            current.answered(attempt)

    # Endings

    def give_up(self, attempt: LiveAttempt) -> None:
        """No answer came in time. A socket that is no longer wanted would take the next free port."""
        if not attempt.outcome:
            attempt.outcome = "timeout"
            attempt.note_retransmissions()
            self.forget(attempt)

    def fail(self, attempt: LiveAttempt, error: OSError) -> None:
        """Take note of how an attempt ended."""
        if not attempt.outcome:
            attempt.end(error)
        self.forget(attempt)

    def shut(self, attempt: LiveAttempt) -> None:
        """Close in an orderly way: over TCP, wait for the other side's end."""
        if attempt.socket is None:
            return
        if not self.is_stream:
            self.forget(attempt)
            return
        try:
            _shut(attempt)
        except OSError:
            self.forget(attempt)

    def forget(self, attempt: LiveAttempt) -> None:
        """Close at once."""
        if attempt.socket is not None:
            self._by_descriptor.pop(attempt.socket.fileno(), None)
            attempt.socket.close()
            attempt.socket = None


def _shut(attempt: LiveAttempt) -> None:
    assert attempt.socket is not None
    attempt.socket.shutdown(socket.SHUT_WR)


def _attempt(planned: Planned) -> LiveAttempt:
    number, nonce, netns, (address, port), source_address, source_port = planned
    return LiveAttempt(number, nonce, netns, (address, port), source_address, source_port)


def main() -> None:
    """Take orders."""
    gc.disable()  # nothing here refers to itself, and looking for what does costs more with each attempt
    Client(Orders(int(sys.argv[1])), sys.argv[2]).run()


if __name__ == "__main__":
    main()
