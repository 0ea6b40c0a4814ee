"""Inside hosts as a program: it opens numbered attempts, exchanges data on them, and closes them.

    python -m scenarios.traffic.client ORDERS_FD

An attempt is a real socket of a host's kernel. It counts as established when the server has answered on it.
Attempts start in the order of their numbers, in a bounded window: a slow gateway delays them. Only an attempt
that stays without any answer for `patience` seconds is given up.
"""

from __future__ import annotations

import collections
import errno
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from scenarios.traffic.wire import ANSWER, HELLO, Hosts, Orders

SILENCE_S = 0.1
SILENCE_LATENCIES = 4
"""An attempt that has waited for so long, and for so many times the latency of late, leaves the window: it may
never get an answer. On a slow gateway the latency grows, so the load does not."""
LATENCY_DECAY = 0.99
WINDOW_GROWTH = 4
"""Silence widens the window step by step; an answer that comes after all narrows it again: it was no refusal."""
RESEND_S = 0.5
"""A datagram may be lost on any network: it is sent again after this long."""
TELL_EVERY_S = 0.1
CLOSE_BURST = 100
"""Closes that need no pacing: the switch keeps the copies of their FINs for a busy controller."""
RESETS = {errno.ECONNRESET, errno.ECONNREFUSED, errno.EPIPE}
IP_RECVERR = 11
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err
_ORIGIN_ICMP = 2


class Attempt:
    """One try to reach the server, from its socket to its end."""

    __slots__ = (
        "buffer", "connecting", "counted", "detail", "done_at", "nonce", "number", "outcome",
        "pid", "seen", "sent_at", "socket", "source", "token", "waiting",
    )  # fmt: skip

    def __init__(self, number: int, nonce: int, pid: int) -> None:
        self.number = number
        self.nonce = nonce
        self.pid = pid
        self.socket: socket.socket | None = None
        self.connecting = False
        self.waiting = False
        self.counted = False
        self.buffer = b""
        self.token = 0
        self.outcome = ""
        self.detail = ""
        self.source = ("", 0)
        self.seen = ("", 0)
        self.sent_at = 0.0
        self.done_at = 0.0

    def row(self) -> dict[str, Any]:
        """Describe it for the scenario; times are of the machine's monotonic clock."""
        return {
            "number": self.number,
            "nonce": self.nonce,
            "outcome": self.outcome,
            "detail": self.detail,
            "source": self.source,
            "seen": self.seen,
            "sent_at": self.sent_at,
            "done_at": self.done_at,
        }


class Round:
    """Something done with many attempts at once, each of which waits for an answer."""

    def __init__(self, client: Client, patience: float, first_window: int, window: int) -> None:
        self._client = client
        self._patience = patience
        self._in_window = 0
        self._window = self._first_window = first_window
        self._wide_window = window
        self._aging: collections.deque[Attempt] = collections.deque()
        self._unanswered: collections.deque[Attempt] = collections.deque()
        self._resend: collections.deque[tuple[float, Attempt]] = collections.deque()
        self._waiting = 0
        self._latency: float | None = None
        self.done = 0

    def run(self, attempts: list[Attempt], start: Callable[[Attempt], None]) -> None:
        """Start the attempts in order, and return when each is answered or given up."""
        pending = collections.deque(attempts)
        tell_at = 0.0
        while pending or self._waiting:
            while pending and self._in_window < self._window:
                self._start(pending.popleft(), start)
            self._client.poll(self._pause(bool(pending)), self)
            now = time.monotonic()
            self._age(now)
            self._give_up(now)
            self._send_again(now)
            if now >= tell_at:
                tell_at = now + TELL_EVERY_S
                self._client.orders.tell(done=self.done)

    def _start(self, attempt: Attempt, start: Callable[[Attempt], None]) -> None:
        attempt.sent_at = time.monotonic()
        attempt.waiting = attempt.counted = True
        self._in_window += 1
        self._waiting += 1
        self._aging.append(attempt)
        self._unanswered.append(attempt)
        if not self._client.is_stream:
            self._resend.append((attempt.sent_at + RESEND_S, attempt))
        try:
            start(attempt)
        except OSError as error:
            self._client.fail(attempt, error)
            self.finish(attempt)

    def finish(self, attempt: Attempt) -> None:
        """Take note that an attempt waits no longer."""
        attempt.waiting = False
        attempt.done_at = time.monotonic()
        self._waiting -= 1
        self.done += 1
        self._leave_window(attempt)

    def answered(self, attempt: Attempt) -> None:
        """Take note of an answer, and of how long it took."""
        if not attempt.counted:
            self._window = max(self._first_window, self._window // WINDOW_GROWTH)
        self.finish(attempt)
        self._latency = max((self._latency or 0.0) * LATENCY_DECAY, attempt.done_at - attempt.sent_at)

    def _leave_window(self, attempt: Attempt) -> None:
        if attempt.counted:
            attempt.counted = False
            self._in_window -= 1

    def _pause(self, more: bool) -> float:
        """How long nothing can happen but answers, in seconds."""
        if self._in_window < self._window and more:
            return 0.0
        return 0.02

    def _age(self, now: float) -> None:
        """Let attempts that stay silent leave the window, and widen it; not before anything is known."""
        if self._latency is None:
            return
        silence = max(SILENCE_S, SILENCE_LATENCIES * self._latency)
        some_are_silent = False
        while self._aging and (not self._aging[0].counted or now - self._aging[0].sent_at >= silence):
            attempt = self._aging.popleft()
            some_are_silent = some_are_silent or attempt.counted
            self._leave_window(attempt)
        if some_are_silent:
            self._window = min(self._wide_window, self._window * WINDOW_GROWTH)

    def _give_up(self, now: float) -> None:
        waiting = self._unanswered
        while waiting and (not waiting[0].waiting or now - waiting[0].sent_at >= self._patience):
            attempt = waiting.popleft()
            if attempt.waiting:
                self._client.give_up(attempt)
                self.finish(attempt)
                self._latency = self._latency or 0.0

    def _send_again(self, now: float) -> None:
        while self._resend and (not self._resend[0][1].waiting or self._resend[0][0] <= now):
            _, attempt = self._resend.popleft()
            if attempt.waiting:
                self._client.say(attempt)
                self._resend.append((now + RESEND_S, attempt))


class Client:
    """Carries out orders."""

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.is_stream = True
        self._hosts = Hosts()
        self._attempts: list[Attempt] = []
        self._by_descriptor: dict[int, Attempt] = {}
        self._poll = select.epoll()
        self._random = random.Random()
        self._target = ("", 0)
        self._echoed: set[int] = set()

    def run(self) -> None:
        """Take orders until they end."""
        for order in self.orders:
            answer = getattr(self, "_" + order.pop("do"))(**order)
            self.orders.tell(answer=answer)

    # Orders

    def _open(
        self,
        protocol: str,
        target: tuple[str, int],
        attempts: list[tuple[int, int, int]],
        patience: float,
        first_window: int,
        window: int,
    ) -> list[dict[str, Any]]:
        """Open attempts, given as number, nonce and the host's process id; return their rows."""
        self.is_stream = protocol == "tcp"
        self._target = (target[0], target[1])
        opened = [Attempt(*attempt) for attempt in attempts]
        Round(self, patience, first_window, window).run(opened, self._connect)
        self._attempts = [attempt for attempt in self._attempts if attempt.socket is not None] + opened
        return [attempt.row() for attempt in opened]

    def _echo(self, numbers: tuple[int, int], patience: float, window: int) -> list[int]:
        """Exchange data on each established attempt from one number to another.

        Return the numbers of those that kept their endpoint. One that stays silent is broken, and is dropped.
        """
        self._echoed = set()
        first, last = numbers
        established = [
            attempt for attempt in self._attempts if attempt.socket is not None and first <= attempt.number <= last
        ]
        Round(self, patience, window, window).run(established, self._exchange)
        for attempt in established:
            if attempt.number not in self._echoed:
                self._forget(attempt)
        return sorted(self._echoed)

    def _close(self, rate: float, patience: float) -> list[Any]:
        """Close each open attempt in an orderly way, `rate` of them a second."""
        opened = [attempt for attempt in self._attempts if attempt.socket is not None]
        started = time.monotonic()
        for count, attempt in enumerate(opened):
            while (ahead := (count - CLOSE_BURST) / rate - (time.monotonic() - started)) > 0:
                self.poll(min(ahead, 0.02), None)
            self._shut(attempt)
            self.poll(0, None)
        deadline = time.monotonic() + patience
        while self._by_descriptor and time.monotonic() < deadline:
            self.poll(0.02, None)
        for attempt in opened:
            self._forget(attempt)
        return []

    # Sockets

    def _connect(self, attempt: Attempt) -> None:
        self._hosts.enter(attempt.pid)
        kind = socket.SOCK_STREAM if self.is_stream else socket.SOCK_DGRAM
        attempt.socket = opened = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        opened.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        attempt.connecting = self.is_stream
        result = opened.connect_ex(self._target)
        if result not in (0, errno.EINPROGRESS):
            raise OSError(result, "connect")
        attempt.source = opened.getsockname()
        self._by_descriptor[opened.fileno()] = attempt
        self._poll.register(opened.fileno(), select.EPOLLOUT if self.is_stream else select.EPOLLIN)
        if not self.is_stream:
            self._exchange(attempt)

    def _exchange(self, attempt: Attempt) -> None:
        attempt.token = self._random.getrandbits(64)
        self.say(attempt)

    def say(self, attempt: Attempt) -> None:
        """Send the attempt's nonce and token; what becomes of it is seen later."""
        assert attempt.socket is not None
        try:
            attempt.socket.send(HELLO.pack(attempt.nonce, attempt.token))
        except OSError as error:
            attempt.detail = errno.errorcode.get(error.errno or 0, str(error))

    def poll(self, pause: float, current: Round | None) -> None:
        """Wait up to `pause` seconds for answers, and take them."""
        for descriptor, event in self._poll.poll(pause):
            attempt = self._by_descriptor.get(descriptor)
            if attempt is not None:
                self._ready(attempt, event, current)

    def _ready(self, attempt: Attempt, event: int, current: Round | None) -> None:
        assert attempt.socket is not None
        try:
            if event & select.EPOLLERR:
                error = attempt.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                raise OSError(error, "the socket's error")
            if attempt.connecting:
                attempt.connecting = False
                self._poll.modify(attempt.socket.fileno(), select.EPOLLIN)
                self._exchange(attempt)
                return
            data = attempt.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError as error:
            self.fail(attempt, error)
            if current is not None and attempt.waiting:
                current.finish(attempt)
            return
        if not data and self.is_stream:
            self.fail(attempt, OSError(errno.ECONNRESET, "the server closed"))
            if current is not None and attempt.waiting:
                current.finish(attempt)
            return
        self._take(attempt, data, current)

    def _take(self, attempt: Attempt, data: bytes, current: Round | None) -> None:
        attempt.buffer = attempt.buffer + data if self.is_stream else data
        while len(attempt.buffer) >= ANSWER.size:
            nonce, token, address, port = ANSWER.unpack_from(attempt.buffer)
            attempt.buffer = attempt.buffer[ANSWER.size :]
            if (nonce, token) == (attempt.nonce, attempt.token) and attempt.waiting and current is not None:
                seen = (socket.inet_ntoa(address), port)
                if not attempt.outcome:
                    attempt.outcome, attempt.seen = "established", seen
                elif seen == attempt.seen:
                    self._echoed.add(attempt.number)
                current.answered(attempt)

    # Endings

    def give_up(self, attempt: Attempt) -> None:
        """No answer came in time. A socket that is no longer wanted would take the next free port."""
        if not attempt.outcome:
            attempt.outcome = "timeout"
            self._forget(attempt)

    def fail(self, attempt: Attempt, error: OSError) -> None:
        """Name how an attempt ended by the kernel's error, and by the ICMP message behind it if any."""
        if error.errno in (errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS):
            raise error  # our own end ran out of something, not the NAT
        if not attempt.outcome:
            icmp = _icmp_error(attempt.socket) if attempt.socket else None
            # Anything else is silence: the kernel lost patience before we did, or found nobody to send to.
            attempt.outcome = "icmp" if icmp else "reset" if error.errno in RESETS else "timeout"
            attempt.detail = icmp or errno.errorcode.get(error.errno or 0, str(error))
        self._forget(attempt)

    def _shut(self, attempt: Attempt) -> None:
        if attempt.socket is None:
            return
        if not self.is_stream:
            self._forget(attempt)
            return
        try:
            attempt.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._forget(attempt)

    def _forget(self, attempt: Attempt) -> None:
        if attempt.socket is not None:
            self._by_descriptor.pop(attempt.socket.fileno(), None)
            attempt.socket.close()
            attempt.socket = None


def _icmp_error(failed: socket.socket) -> str | None:
    """Read type, code and sender from a socket's error queue (ip(7), IP_RECVERR); None if it has none."""
    try:
        _, ancillary, _, _ = failed.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return None
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_RECVERR:
            _, origin, icmp_type, icmp_code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            if origin == _ORIGIN_ICMP:
                sender = socket.inet_ntoa(data[_EXTENDED_ERROR.size + 4 : _EXTENDED_ERROR.size + 8])
                return f"type {icmp_type} code {icmp_code} from {sender}"
    return None


def main() -> None:
    """Take orders."""
    Client(Orders(int(sys.argv[1]))).run()


if __name__ == "__main__":
    main()
