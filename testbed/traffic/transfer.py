"""A transfer over a connection that exists: many bytes each way, which each end compares one by one.

Both ends compute the bytes from the connection's nonce, and other bytes for each way. So each end knows what has
to arrive, and nothing that passes a NAT is taken for a measure. Each end reports by orders, which no NAT sees.

A stream carries up to STREAM_BYTES each way. Datagrams go in a train, a few of them under way at once. One that
is not answered goes again, since any network may lose one; one that arrives changed counts as wrong at once.
"""

from __future__ import annotations

import contextlib
import operator
import random
import select
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from testbed.traffic.kernel import queued_error
from testbed.traffic.wire import HELLO, PING

MARK = 1 << 63
"""The bit of a hello's nonce by which it begins a transfer, or is the head of a datagram of one. The token is then
the number of bytes, or the datagram's number."""
STREAM_BYTES, SHORT_BYTES = 1 << 18, 1 << 15
DATAGRAMS, FEW_DATAGRAMS = 64, 8
"""The length of the first transfer of a run, and of a shorter one for each other client."""
UNDER_WAY = 8
AGAIN_S = 0.5
PATIENCE_S = 10.0
"""Seconds without a byte after which a transfer is given up. A kernel sends a segment six times in it."""
HEADERS = 28
"""Bytes of IPv4's header and of UDP's or ICMP's."""
PAUSE_S = 0.02
AT_ONCE = 1 << 16
OUT, BACK = 0, 1


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a transfer: the bytes that were to arrive each way, and those that did not, or were wrong.

    `passes` is false if a few bytes did not get through either after it had gone wrong.
    """

    protocol: str
    source: str
    seen: str
    target: str
    size: int
    wrong_out: int
    wrong_back: int
    seconds: float
    passes: bool = True

    @property
    def wrong(self) -> int:
        """The bytes of both ways that did not arrive as they were sent."""
        return self.wrong_out + self.wrong_back

    def row(self) -> dict[str, Any]:
        """Return it for the results."""
        return asdict(self)


def pattern(nonce: int, way: int, size: int, number: int = 0) -> bytes:
    """Return the bytes that have to arrive: of one way, and of the datagram with this number."""
    return random.Random(f"{nonce} {way} {number}").randbytes(size)


def wrong_bytes(expected: bytes, got: bytes) -> int:
    """Return the number of bytes that differ, are missing, or are too many."""
    return 0 if expected == got else sum(map(operator.ne, expected, got)) + abs(len(expected) - len(got))


def payload_of(mtu: int) -> int:
    """Return the bytes of a datagram, besides its head, that just fit into a packet of `mtu` bytes."""
    return mtu - HEADERS - HELLO.size


def head(nonce: int, number: int) -> bytes:
    """Return the hello that begins a stream of `number` bytes, or the datagram with that number."""
    return HELLO.pack(nonce | MARK, number)


def read_head(data: bytes) -> tuple[int, int] | None:
    """Return nonce and number if the data begin with a transfer's head."""
    if len(data) < HELLO.size:
        return None
    nonce, number = HELLO.unpack_from(data)
    return (nonce ^ MARK, number) if nonce & MARK else None


class Arrived:
    """What a server has got of transfers: by nonce, the number of bytes that were right."""

    def __init__(self) -> None:
        self._right: dict[int, dict[int, int]] = {}

    def stream(self, buffer: bytes) -> tuple[bytes, bytes] | None:
        """Take a stream's transfer from the buffer, and return the bytes to send back and the rest of the buffer.

        Return None while it is not complete; then it is noted as far as it came.
        """
        begun = read_head(buffer)
        assert begun is not None
        nonce, size = begun
        size = min(size, STREAM_BYTES)
        got = buffer[HELLO.size : HELLO.size + size]
        if len(got) < size:
            return None
        self._note(nonce, 0, size, got)
        return pattern(nonce, BACK, size), buffer[HELLO.size + size :]

    def broken_off(self, buffer: bytes) -> None:
        """Note what has come of a stream's transfer that is not complete."""
        if begun := read_head(buffer):
            nonce, size = begun
            self._note(nonce, 0, min(size, STREAM_BYTES), buffer[HELLO.size :])

    def datagram(self, data: bytes) -> bytes | None:
        """Take a datagram, and return the one to send back, or None if it is of no transfer."""
        begun = read_head(data)
        if begun is None:
            return None
        nonce, number = begun
        size = len(data) - HELLO.size
        self._note(nonce, number, size, data[HELLO.size :])
        return head(nonce, number) + pattern(nonce, BACK, size, number)

    def right(self) -> list[tuple[int, int]]:
        """Return for each nonce the number of bytes that arrived as they were sent."""
        return [(nonce, sum(parts.values())) for nonce, parts in self._right.items()]

    def _note(self, nonce: int, number: int, size: int, got: bytes) -> None:
        """Note the part with a number. Of a part that comes several times, the worst counts."""
        parts = self._right.setdefault(nonce, {})
        right = max(0, size - wrong_bytes(pattern(nonce, OUT, size, number), got))
        parts[number] = min(parts.get(number, right), right)


def stream(opened: socket.socket, nonce: int, *, size: int = STREAM_BYTES, patience: float = PATIENCE_S) -> int:
    """Carry out a client's part on a TCP socket, and return the number of bytes that came back wrong or not."""
    leaving = head(nonce, size) + pattern(nonce, OUT, size)
    came = _passed(opened, leaving, opened, size, patience)
    return wrong_bytes(pattern(nonce, BACK, size), came)


def between(client: socket.socket, server: socket.socket, nonce: int, *, patience: float) -> tuple[int, int]:
    """Carry a stream out and back between two connected sockets of this process; return the wrong bytes.

    As a server does, it sends nothing back before all has come.
    """
    out, back = (pattern(nonce, way, STREAM_BYTES) for way in (OUT, BACK))
    there = _passed(client, out, server, STREAM_BYTES, patience)
    again = _passed(server, back, client, STREAM_BYTES, patience) if len(there) == STREAM_BYTES else b""
    return wrong_bytes(out, there), wrong_bytes(back, again)


def _passed(sender: socket.socket, leaving: bytes, receiver: socket.socket, size: int, patience: float) -> bytes:
    """Send, and return what is received: `size` bytes, or fewer if nothing moves for `patience` seconds."""
    left, came = memoryview(leaving), b""
    for each in {sender, receiver}:
        each.setblocking(False)
    moved_at = time.monotonic()
    while len(came) < size and (wait := moved_at + patience - time.monotonic()) > 0:
        can_send = _ready(sender if left else None, receiver, wait)
        try:
            if can_send:
                left = left[sender.send(left[:AT_ONCE]) :]
                moved_at = time.monotonic()
            if not (part := receiver.recv(AT_ONCE)):
                break
        except BlockingIOError:
            continue
        except OSError:  # a reset, or what an ICMP error became
            break
        came += part
        moved_at = time.monotonic()
    return came


def _ready(sender: socket.socket | None, receiver: socket.socket, seconds: float) -> bool:
    """Wait until one of them is ready, for `seconds` at most, and return whether the sender is.

    A socket's error queue would make it ready for ever, so this takes what is there.
    """
    poll = select.poll()
    poll.register(receiver, select.POLLIN)
    if sender is not None:
        poll.register(sender, select.POLLOUT | (select.POLLIN if sender is receiver else 0))
    ready = dict(poll.poll(max(0.0, seconds) * 1000))
    if ready.get(receiver.fileno(), 0) & select.POLLERR:
        queued_error(receiver)
    return sender is not None and bool(ready.get(sender.fileno(), 0) & select.POLLOUT)


class Train:
    """A client's part of a transfer in datagrams of `size` bytes besides their heads: what goes, and what came."""

    def __init__(self, nonce: int, size: int, datagrams: int = DATAGRAMS) -> None:
        self._nonce = nonce
        self._size = size
        self._due = dict.fromkeys(range(datagrams), 0.0)
        """The numbers of the datagrams without an answer, each with the time at which it goes, or goes again."""
        self._wrong: dict[int, int] = {}

    @property
    def is_done(self) -> bool:
        """Whether every datagram was answered."""
        return not self._due

    @property
    def wrong(self) -> int:
        """The bytes that came back wrong, or did not come back."""
        return sum(self._wrong.values()) + len(self._due.keys() - self._wrong.keys()) * self._size

    def leaving(self, now: float) -> list[bytes]:
        """Return the datagrams that are to be sent now: the first without an answer, if their time has come."""
        numbers = [number for number in list(self._due)[:UNDER_WAY] if self._due[number] <= now]
        self._due.update((number, now + AGAIN_S) for number in numbers)
        return [head(self._nonce, number) + pattern(self._nonce, OUT, self._size, number) for number in numbers]

    def take(self, data: bytes) -> bool:
        """Take a datagram that came, and return whether it is an answer that was missing."""
        if (begun := read_head(data)) is None or begun[0] != self._nonce or begun[1] >= DATAGRAMS:
            return False
        number = begun[1]
        wrong = wrong_bytes(pattern(self._nonce, BACK, self._size, number), data[HELLO.size :])
        self._wrong[number] = max(self._wrong.get(number, 0), wrong)
        return self._due.pop(number, None) is not None


def train(
    opened: socket.socket,
    nonce: int,
    size: int,
    *,
    datagrams: int = DATAGRAMS,
    ping: bool = False,
    meanwhile: Callable[[], None] = lambda: None,
    patience: float = PATIENCE_S,
) -> int:
    """Carry out a client's part in datagrams, and return the number of bytes that came back wrong or not.

    `ping` is whether they are echo requests. `meanwhile` is called while answers are awaited.
    """
    carried, prefix = Train(nonce, size, datagrams), PING if ping else b""
    opened.setblocking(False)
    give_up_at = time.monotonic() + patience
    while not carried.is_done and (now := time.monotonic()) < give_up_at:
        with contextlib.suppress(OSError):  # what ICMP reports; the datagram goes again
            for datagram in carried.leaving(now):
                opened.send(prefix + datagram)
        meanwhile()
        _ready(None, opened, PAUSE_S)
        with contextlib.suppress(OSError):
            while True:
                if carried.take(opened.recv(AT_ONCE)[len(prefix) :]):
                    give_up_at = time.monotonic() + patience
    return carried.wrong
