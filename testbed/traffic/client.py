"""A program that acts for the inside hosts: it opens numbered attempts, exchanges data on them, and closes them.

    python -m testbed.traffic.client ORDERS_FD PROTOCOL

An attempt is a real socket of a host's kernel. It counts as established when the server has answered on it.
Attempts start in the order of their numbers, in a bounded window, so that a slow gateway delays them. An attempt
is given up only if it has no answer for `patience` seconds.
"""

from __future__ import annotations

import errno
import gc
import random
import select
import socket
import struct
import sys
import time
from typing import Any

from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.kernel import TCP_REPAIR, take_only
from testbed.traffic.lives import Life, Lives
from testbed.traffic.pending import Pending
from testbed.traffic.rounds import Closing, Round
from testbed.traffic.timetable import Timetable
from testbed.traffic.transfer import DATAGRAMS, FEW_DATAGRAMS, SHORT_BYTES, STREAM_BYTES, stream, train
from testbed.traffic.wire import ANSWER, Endpoint, Hosts, Orders, token_of

WATCHED = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
"""The events of a TCP socket, registered once for all its life: edge-triggered epoll(7) reports each change."""

CANDIDATES = 4
"""The newest connections, of which one is taken for a transfer: a NAT that evicts has evicted older ones."""
MOST_EVENTS = 4096
"""The most events that are taken at once: more than there can be answers under way."""
AT_ONCE = struct.pack("ii", 1, 0)
"""The option SO_LINGER by which a socket is closed with a RST."""

Planned = tuple[int, int, str, Endpoint, str, int]
"""An attempt to make: number, nonce, the host's network namespace, target, source address (or "" for any), and
source port (or 0 for any)."""


class Client:
    """Carries out the scenario's orders, each by the method that is named as the order."""

    def __init__(self, orders: Orders, protocol: str) -> None:
        self.orders = orders
        self.protocol = protocol
        self.is_stream = protocol == "tcp"
        self._hosts = Hosts()
        self._round: Round | None = None
        self._attempts: list[LiveAttempt] = []
        self._by_descriptor: dict[int, LiveAttempt] = {}
        self._poll = select.epoll()
        self._random = random.Random()
        self._echoed: set[int] = set()

    def run(self) -> None:
        """Carry out orders until they end."""
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
        *,
        has_room: bool,
        goes_on: bool,
        rate: float | None,
    ) -> list[tuple[Any, ...]]:
        """Open attempts, and return their rows when each is answered or given up. The round before may go on."""
        opened = [_attempt(attempt) for attempt in attempts]
        if not goes_on or self._round is None:
            self._round = Round(self, patience, first_window, window, rate)
        self._round.run(opened, self.connect, has_room=has_room)
        self._attempts = [attempt for attempt in self._attempts if attempt.socket is not None] + opened
        return [attempt.row() for attempt in opened]

    def _serve(self, attempts: list[Planned], times: list[list[float]], patience: float) -> list[tuple[Any, ...]]:
        """Open attempts by the clock, and close each again. `times` has the start and the holding time of each."""
        planned = [_attempt(attempt) for attempt in attempts]
        Timetable(self, patience).run(list(zip(planned, times, strict=True)))
        return [attempt.row() for attempt in planned]

    def _live(
        self, attempts: list[Planned], lives: list[Life], patience: float, began: float
    ) -> list[tuple[Any, ...]]:
        """Open attempts by the clock, keep each in use, and end each in its way: see `Lives`."""
        planned = [_attempt(attempt) for attempt in attempts]
        of_each = {attempt.number: life for attempt, life in zip(planned, lives, strict=True)}
        Lives(self, patience, of_each).live(planned, began)
        return [attempt.row() for attempt in planned]

    def _echo(self, numbers: tuple[int, int], patience: float, window: int) -> list[int]:
        """Exchange data on each established attempt in a range of `numbers`: the first and the last.

        Return the numbers of those that kept their endpoint. An attempt without an answer is broken, and is
        closed.
        """
        self._echoed = set()
        established = self._opened(numbers)
        Round(self, patience, window, window).run(established, self.exchange)
        for attempt in established:
            if attempt.number not in self._echoed:
                self.forget(attempt)
        return sorted(self._echoed)

    def _narrow(self, number: int) -> list[Any]:
        """Have the socket of an attempt over UDP take answers only: a train comes there, and nobody reads it."""
        if self.protocol == "udp":
            for attempt in self._opened((number, number)):
                assert attempt.socket is not None
                take_only(attempt.socket, ANSWER.size)
        return []

    def _close(self, numbers: tuple[int, int], patience: float, window: int) -> list[Any]:
        """Close the open attempts in a range of `numbers` in an orderly way, `window` of them at once."""
        opened = self._opened(numbers)
        if self.is_stream:
            Closing(self, patience, window, window).run(opened, _shut)
        for attempt in opened:
            self.forget(attempt)
        return []

    def _transfer(self, size: int, patience: float, hosts: list[str]) -> list[tuple[Any, ...]]:
        """Carry out a transfer on the newest connection that answers, in datagrams of `size` bytes over UDP.

        A shorter one follows on the newest connection of each of the other `hosts`, until one goes wrong.
        Return for each its row, its length in bytes, the number of bytes that came back wrong, the seconds, and
        whether a few bytes pass after a transfer that went wrong; nothing if no connection answers.
        """
        opened = [attempt for attempt in self._attempts if attempt.socket is not None]
        asked = [each for each in opened if each.number in self._echoed] or opened
        newest = {attempt.netns: attempt for attempt in asked if attempt.netns in hosts}
        tried = {attempt.number: attempt for attempt in (*newest.values(), *asked[-CANDIDATES:])}
        self._echoed = set()
        Round(self, patience, len(tried), len(tried)).run(list(tried.values()), self.exchange)
        living = [attempt for attempt in asked if attempt.number in self._echoed and attempt.socket is not None]
        first = living[-1:]
        others = [each for each in living if each is newest.get(each.netns) and each.netns != first[0].netns]
        done: list[tuple[Any, ...]] = []
        for attempt in (*first, *others):
            length, wrong, seconds = self._carry(attempt, size, is_first=not done)
            beside = [each for each in living if not self.is_stream or each is not attempt]
            passes = not wrong or not beside or self._pass(beside, patience)
            done.append((attempt.row(), length, wrong, seconds, passes))
            if wrong:
                break
        return done

    def _carry(self, attempt: LiveAttempt, size: int, *, is_first: bool) -> tuple[int, int, float]:
        """Carry out one transfer. Return its bytes, the number of these that came back wrong, and the seconds."""
        assert attempt.socket is not None
        started = time.monotonic()
        if self.is_stream:
            length = STREAM_BYTES if is_first else SHORT_BYTES
            wrong = stream(attempt.socket, attempt.nonce, size=length)
        else:
            datagrams, ping = DATAGRAMS if is_first else FEW_DATAGRAMS, self.protocol == "icmp"
            length = datagrams * size
            wrong = train(attempt.socket, attempt.nonce, size, datagrams=datagrams, ping=ping)
        return length, wrong, time.monotonic() - started

    def _pass(self, attempts: list[LiveAttempt], patience: float) -> bool:
        """Return whether a few bytes pass on any of these attempts, and are answered."""
        self._echoed = set()
        Round(self, patience, CANDIDATES, CANDIDATES).run(attempts, self.exchange)
        return bool(self._echoed)

    def _opened(self, numbers: tuple[int, int]) -> list[LiveAttempt]:
        first, last = numbers
        return [
            attempt for attempt in self._attempts if attempt.socket is not None and first <= attempt.number <= last
        ]

    # Sockets

    def connect(self, attempt: LiveAttempt) -> None:
        """Open an attempt's socket and begin to connect. Raises OSError."""
        self._hosts.enter(attempt.netns)
        opened = attempt.connect(self.protocol)
        self._by_descriptor[opened.fileno()] = attempt
        self._poll.register(opened.fileno(), WATCHED if self.is_stream else select.EPOLLIN)
        if not self.is_stream:
            self.exchange(attempt)

    def exchange(self, attempt: LiveAttempt) -> None:
        """Send a hello with a new token. The patience with the attempt begins anew."""
        attempt.token = token_of(attempt.target, self._random.getrandbits(32))
        attempt.asked_at = time.monotonic()
        self.say(attempt)

    def say(self, attempt: LiveAttempt) -> None:
        """Send a hello with the attempt's token, for the first time or again."""
        attempt.say(self.protocol)

    def poll(self, pause: float, current: Pending | None) -> None:
        """Wait up to `pause` seconds for answers, and take them."""
        for descriptor, event in self._poll.poll(pause, MOST_EVENTS):
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
                if not event & select.EPOLLRDHUP:  # an end that came with the beginning is not reported again
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
        if event & select.EPOLLRDHUP:  # the end came with the data, and is not reported again
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
        """Note that no answer came in time, and close the socket: its kernel could still take a port with it."""
        if not attempt.outcome:
            attempt.note_silence()
            attempt.outcome = "timeout"
            attempt.note_retransmissions()
            self.forget(attempt)

    def fail(self, attempt: LiveAttempt, error: OSError) -> None:
        """Note the outcome of an attempt that an error has ended, and close its socket."""
        if not attempt.outcome:
            attempt.note_silence()
            attempt.end(error)
        self.forget(attempt)

    def shut(self, attempt: LiveAttempt) -> None:
        """Close an attempt in an orderly way. Over TCP its socket stays until the other side closes too."""
        if attempt.socket is None:
            return
        if not self.is_stream:
            self.forget(attempt)
            return
        try:
            _shut(attempt)
        except OSError:
            self.forget(attempt)

    def reset(self, attempt: LiveAttempt) -> None:
        """Close a connection by a RST."""
        if attempt.socket is not None:
            attempt.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.forget(attempt)

    def vanish(self, attempt: LiveAttempt) -> None:
        """Close a connection, and have its kernel send nothing about it."""
        if attempt.socket is not None:
            attempt.socket.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        self.forget(attempt)

    def forget(self, attempt: LiveAttempt) -> None:
        """Close an attempt's socket at once."""
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
    """Carry out orders until they end."""
    gc.disable()  # there are no reference cycles here, and a search for them costs more with each attempt
    Client(Orders(int(sys.argv[1])), sys.argv[2]).run()


if __name__ == "__main__":
    main()
