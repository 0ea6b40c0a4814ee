"""A program that is both ends of single datagrams: each attempt is one datagram from its own port, unanswered.

    python -m testbed.traffic.volley ORDERS_FD SERVER_NETNS ADDRESS PORT

One process sends from the inside hosts and receives at the server, so it knows at once which datagrams came. They
start in order, in a small window. The next datagram leaves when an earlier one has come, or has not come for
several times the recent latency, and so was probably refused. Nothing is sent twice. A datagram that comes later
still counts: a slow gateway delays the next attempts, and changes no outcome.
"""

from __future__ import annotations

import collections
import select
import socket
import sys
import time
from typing import Any

from testbed.traffic.attempt import LiveAttempt
from testbed.traffic.pace import Pace
from testbed.traffic.transfer import DATAGRAMS, FEW_DATAGRAMS, Arrived, train
from testbed.traffic.wire import HELLO, Endpoint, Hosts, Orders, token_of

SILENCE_S = 0.05
SILENCE_LATENCIES = 4
"""A datagram that has not come after SILENCE_S, and this multiple of the recent latency, leaves the window."""
LATENCY_DECAY = 0.99
MOST_OPEN = 448
"""The most attempts without an outcome at once, whatever the window: a switch queues 512 packets for a controller
that is busy, and loses further ones."""
LONGEST_PAUSE_S = 0.02
FEW = 16
"""Bytes that pass where a transfer does not, unless nothing passes."""
OTHER = 1 << 48
"""The distance of the nonce of another transfer on the same flow, since a server counts all that has one nonce."""
TELL_EVERY_S = 0.1
DATAGRAMS_AT_ONCE = 256
RECEIVE_BUFFER = 4 << 20

Planned = tuple[int, int, str, Endpoint, int]
"""An attempt to make: number, nonce, the host's network namespace, target, and source port."""


class Volley:
    """The attempts under way, and the clients that the server has seen."""

    def __init__(self, orders: Orders, hosts: Hosts, receiver: socket.socket) -> None:
        self._orders = orders
        self._hosts = hosts
        self._receiver = receiver
        self._attempts: dict[int, LiveAttempt] = {}
        self._by_descriptor: dict[int, LiveAttempt] = {}
        self._aging: collections.deque[LiveAttempt] = collections.deque()
        self._unseen: collections.deque[LiveAttempt] = collections.deque()
        self._in_window = 0
        self._latency: float | None = None
        self._seen: list[tuple[int, str, int, float]] = []
        self._carried = Arrived()
        self._poll = select.epoll()
        self._poll.register(receiver.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Carry out orders until they end."""
        for order in self._orders:
            answer = getattr(self, "_" + order.pop("do"))(**order)
            self._orders.tell(answer=answer)

    def _fire(
        self, attempts: list[Planned], patience: float, window: int, rate: float | None
    ) -> list[tuple[Any, ...]]:
        """Send one datagram for each attempt, and return the attempts `patience` seconds after the last."""
        pace = Pace(rate)
        planned = [
            LiveAttempt(number, nonce, netns, (address, port), "", source_port)
            for number, nonce, netns, (address, port), source_port in attempts
        ]
        pending, tell_at = collections.deque(planned), 0.0
        while pending or self._by_descriptor:
            while pending and self._has_room(window if self._latency is not None else 1):
                if not pace.is_due(time.monotonic()):
                    break
                self._send(pending.popleft())
                pace.start(time.monotonic())
            pause = pace.wait(time.monotonic()) if pending and self._has_room(window) else LONGEST_PAUSE_S
            self._watch(min(LONGEST_PAUSE_S, pause))
            now = time.monotonic()
            self._age(now, patience)
            if now >= tell_at:
                tell_at = now + TELL_EVERY_S
                self._orders.tell(done=len(planned) - len(pending))
        return [attempt.row() for attempt in planned]

    def _transfer(self, size: int, hosts: list[str]) -> list[tuple[Any, ...]]:
        """Carry out a transfer on the flow of the last attempt that came, and shorter ones for other `hosts`.

        Return for each its row, its length in bytes, the number of bytes that came back wrong, the seconds, and
        whether a few bytes pass after a transfer that went wrong, which is the last.
        """
        came = [attempt for attempt in self._attempts.values() if attempt.outcome == "established"]
        newest = {attempt.netns: attempt for attempt in came}
        others = [newest[netns] for netns in hosts if netns in newest and newest[netns] is not came[-1]]
        done: list[tuple[Any, ...]] = []
        for last in (*came[-1:], *others):
            datagrams, started = FEW_DATAGRAMS if done else DATAGRAMS, time.monotonic()
            again = LiveAttempt(last.number, last.nonce, last.netns, last.target, *last.source)
            self._hosts.enter(again.netns)
            with again.connect("udp") as opened:
                wrong = train(opened, again.nonce, size, datagrams=datagrams, meanwhile=self._receive)
                seconds = time.monotonic() - started
                passes = not wrong or not train(opened, again.nonce + OTHER, FEW, meanwhile=self._receive)
            done.append((last.row(), datagrams * size, wrong, seconds, passes))
            if wrong:
                break
        return done

    def _arrived(self) -> list[tuple[int, int]]:
        """Return the bytes of each transfer that arrived as they were sent, by the client's nonce."""
        return self._carried.right()

    def _has_room(self, window: int) -> bool:
        return self._in_window < window and len(self._by_descriptor) < MOST_OPEN

    def _report(self) -> list[tuple[int, str, int, float]]:
        """Return the clients that the server has seen: nonce, address, port, and time."""
        return self._seen

    def _send(self, attempt: LiveAttempt) -> None:
        self._hosts.enter(attempt.netns)
        opened = attempt.connect("udp")
        self._attempts[attempt.nonce] = attempt
        self._by_descriptor[opened.fileno()] = attempt
        self._poll.register(opened.fileno(), select.EPOLLERR)
        attempt.sent_at = time.monotonic()
        attempt.counted = True
        self._in_window += 1
        self._aging.append(attempt)
        self._unseen.append(attempt)
        attempt.token = token_of(attempt.target, 0)
        attempt.say("udp")

    def _watch(self, pause: float) -> None:
        for descriptor, event in self._poll.poll(pause):
            if descriptor == self._receiver.fileno():
                self._receive()
            elif event & select.EPOLLERR and descriptor in self._by_descriptor:
                attempt = self._by_descriptor[descriptor]
                assert attempt.socket is not None
                error = attempt.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                self._end(attempt, OSError(error, "the socket's error"))

    def _receive(self) -> None:
        for _ in range(DATAGRAMS_AT_ONCE):
            try:
                data, peer = self._receiver.recvfrom(2048)
            except BlockingIOError:
                return
            if (carried := self._carried.datagram(data)) is not None:
                self._receiver.sendto(carried, peer)
                continue
            if len(data) != HELLO.size:
                continue
            nonce, _ = HELLO.unpack(data)
            now = time.monotonic()
            self._seen.append((nonce, *peer, now))
            attempt = self._attempts.get(nonce)
            if attempt is not None and attempt.outcome != "established":
                attempt.outcome, attempt.seen = "established", peer
                self._latency = max((self._latency or 0.0) * LATENCY_DECAY, now - attempt.sent_at)
                self._close(attempt, now)

    def _end(self, attempt: LiveAttempt, error: OSError | None) -> None:
        """End an attempt by the error that its socket had, or by silence."""
        if error is None:
            attempt.outcome = "timeout"
        else:
            attempt.end(error)
        self._close(attempt, time.monotonic())

    def _close(self, attempt: LiveAttempt, now: float) -> None:
        attempt.done_at = now
        self._leave_window(attempt)
        if attempt.socket is not None:
            del self._by_descriptor[attempt.socket.fileno()]
            attempt.socket.close()
            attempt.socket = None

    def _leave_window(self, attempt: LiveAttempt) -> None:
        if attempt.counted:
            attempt.counted = False
            self._in_window -= 1

    def _age(self, now: float, patience: float) -> None:
        """Take attempts that have not come out of the window, and give them up after `patience` seconds."""
        if self._latency is not None:
            silence = max(SILENCE_S, SILENCE_LATENCIES * self._latency)
            while self._aging and (not self._aging[0].counted or now - self._aging[0].sent_at >= silence):
                self._leave_window(self._aging.popleft())
        while self._unseen and (self._unseen[0].outcome or now - self._unseen[0].sent_at >= patience):
            attempt = self._unseen.popleft()
            if not attempt.outcome:
                self._end(attempt, None)
                self._latency = self._latency or 0.0


def main() -> None:
    """Listen where the server is, report that, and carry out orders until they end."""
    descriptor, netns, address, port = sys.argv[1:]
    orders, hosts = Orders(int(descriptor)), Hosts()
    hosts.enter(netns)
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    receiver.bind((address, int(port)))
    orders.tell(ready=True)
    Volley(orders, hosts, receiver).run()


if __name__ == "__main__":
    main()
