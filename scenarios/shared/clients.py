"""A program with one socket inside a host, and what its kernel tells it: for a few programs, one by one.

`scenarios/shared/filling.py` makes many connections at once, and finds out only whether each works. Here the
question is what exactly a program is told by its kernel, and when. A socket stays in the network namespace in
which it was made, so one process can wait for the sockets of all hosts.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import select
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from testbed.api import Attempt, Endpoint, network_of
from testbed.traffic.attempt import KINDS
from testbed.traffic.kernel import IP_RECVERR, IcmpError, first_sequence, outcome_of, queued_error, retransmissions
from testbed.traffic.wire import ANSWER, HELLO, PING, nonce_of, token_of

UNDER_WAY = (0, errno.EINPROGRESS)
TCP_REPAIR = 19
NO_LINGERING = struct.pack("ii", 1, 0)

_attempts = itertools.count(1 << 31)
"""Numbers of these clients' attempts. The traffic's workers have lower ones."""


class Listener(Protocol):
    """The owner of a socket. `awaits` are the events of poll(2) that it waits for, or 0 when it is done."""

    awaits: int

    def fileno(self) -> int:
        """The descriptor of its socket."""

    def hear(self) -> None:
        """Take what the kernel has for its socket."""


def listen(listeners: Iterable[Listener], seconds: float) -> None:
    """Wait up to `seconds` until a kernel has something for some listeners, and have these take it."""
    poll = select.poll()
    waiting = {each.fileno(): each for each in listeners if each.awaits}
    for descriptor, each in waiting.items():
        poll.register(descriptor, each.awaits)
    for descriptor, _ in poll.poll(max(0.0, seconds) * 1000):
        waiting[descriptor].hear()


@dataclass(slots=True)
class Told:
    """What a program was told: its external endpoint, or an error and the ICMP message behind the error."""

    seconds: float
    seen: Endpoint | None = None
    error: str = ""
    icmp: IcmpError | None = None

    def __str__(self) -> str:
        icmp = f", ICMP {self.icmp.type}/{self.icmp.code} from {self.icmp.sender}" if self.icmp else ""
        return "answered" if self.seen else self.error + icmp


class Client:
    """A program that connects to a server (TCP) or just sends (UDP, ping), and waits for the answer to its hello.

    With `queue` it uses the error queue (IP_RECVERR).
    """

    def __init__(self, netns: str, protocol: str, target: Endpoint, *, queue: bool = False) -> None:
        """Begin to connect, or send, at once, in a host's network namespace."""
        self.protocol = protocol
        self.target = target
        self.queue = queue
        self.nonce = nonce_of(netns, next(_attempts))
        self.told: Told | None = None
        self.retransmissions = 0
        self.sequence: int | None = None
        kind, number = KINDS[protocol]
        with network_of(netns):
            self.socket = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK, number)
        if queue:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        self.awaits = select.POLLOUT if self.is_stream else select.POLLIN
        self.asked_at = time.monotonic()
        result = self.socket.connect_ex(target)
        self.source: Endpoint = self.socket.getsockname()
        if result not in UNDER_WAY:
            self._be_told(error=errno.errorcode[result])
        elif not self.is_stream:
            self._say()

    @property
    def is_stream(self) -> bool:
        """Whether it has to connect first."""
        return self.protocol == "tcp"

    @property
    def waits(self) -> bool:
        """Whether it has been told nothing yet."""
        return self.told is None

    @property
    def words(self) -> str:
        """What it was told: `answered`, the name of an error, or `nothing`."""
        return str(self.told or "nothing")

    @property
    def seconds(self) -> float | None:
        """The seconds until it was told something; None if it was not."""
        return round(self.told.seconds, 4) if self.told else None

    def fileno(self) -> int:
        """The descriptor of its socket."""
        return self.socket.fileno()

    def hear(self) -> None:
        """Take an error, the completed connection, or the answer."""
        # The queue first: the kernel fills it, and wakes the reader, before it sets the socket's error (udp_err).
        queued, icmp = queued_error(self.socket)
        error = queued or self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._be_told(error=errno.errorcode[error], icmp=icmp)
        elif self.awaits == select.POLLOUT:
            self.awaits = select.POLLIN
            self._say()
        else:
            self._take()

    def attempt(self, number: int) -> Attempt:
        """Return what became of this client, as an attempt with a number."""
        told = self.told
        self._note_silence()
        return Attempt(
            number=number,
            nonce=self.nonce,
            outcome=self._outcome(),
            detail=str(told or ""),
            source=self.source,
            seen=(told.seen if told else None) or ("", 0),
            target=self.target,
            sent_at=self.asked_at,
            done_at=self.asked_at + told.seconds if told else time.monotonic(),
            retransmissions=self.retransmissions,
            sequence=self.sequence,
        )

    def listen_again(self) -> None:
        """Wait for another answer, as if nothing had been told yet."""
        self.told, self.awaits, self.asked_at = None, select.POLLIN, time.monotonic()

    def ask_again(self) -> None:
        """Say the hello once more, on the same socket, and wait for the answer."""
        self.listen_again()
        self._say()

    def close(self) -> None:
        """Close the socket: give up, or end the connection in an orderly way."""
        self._note_silence()
        self.awaits = 0
        self.socket.close()

    def give_up(self) -> None:
        """Close a connection that was never made, and note how often its SYN was sent again."""
        self.retransmissions = retransmissions(self.socket)
        self.close()

    def shut(self) -> None:
        """Send a FIN, which is half of an orderly close."""
        with contextlib.suppress(OSError):  # a NAT that shares endpoints lets another client end the connection
            self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Break the connection off with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)
        self.close()

    def vanish(self) -> None:
        """Disappear without a packet, as in a power failure."""
        vanish(self.socket)
        self.awaits = 0

    def _say(self) -> None:
        hello = HELLO.pack(self.nonce, token_of(self.target, 0))
        result = _sent(self.socket, PING + hello if self.protocol == "icmp" else hello)
        if result:
            self.awaits = 0
            self._be_told(error=errno.errorcode[result])

    def _take(self) -> None:
        try:
            data = self.socket.recv(512)
        except OSError as error:
            self._be_told(error=errno.errorcode[error.errno or errno.EIO])
            return
        data = data[len(PING) :] if self.protocol == "icmp" else data
        if len(data) >= ANSWER.size:
            _, _, address, port = ANSWER.unpack_from(data)
            self._be_told(seen=(socket.inet_ntoa(address), port))
        else:
            self._be_told(error="ECONNRESET")  # the server closed

    def _be_told(self, **what: Any) -> None:
        self.told = Told(time.monotonic() - self.asked_at, **what)
        if self.told.error:
            self._note_silence()
        self.awaits = 0
        if self.is_stream:
            self.retransmissions = retransmissions(self.socket)

    def _note_silence(self) -> None:
        """Note the sequence number of the SYN of a connection that was made, and on which no answer came."""
        if self.is_stream and self.awaits == select.POLLIN:
            self.sequence = first_sequence(self.socket, sent=HELLO.size)

    def _outcome(self) -> str:
        if self.told is None:
            return "timeout"
        if self.told.seen:
            return "established"
        return outcome_of(getattr(errno, self.told.error), self.told.icmp, queued=self.queue or self.is_stream)


def connect(hosts: Iterable[Any], target: Endpoint, *, patience: float, times: int = 1) -> list[Client]:
    """Connect over TCP from all hosts at once, `times` times in a row, and keep the connections that work."""
    clients: list[Client] = []
    for _ in range(times):
        asking = [Client(host.netns, "tcp", target, queue=True) for host in hosts]
        deadline = time.monotonic() + patience
        while any(each.waits for each in asking) and (left := deadline - time.monotonic()) > 0:
            listen(asking, left)
        for each in asking:
            if each.waits or (each.told and not each.told.seen):
                each.close()  # its kernel would go on sending SYNs
        clients += asking
    return clients


def vanish(stream: socket.socket) -> None:
    """Close a TCP socket so that its kernel sends nothing: the kernel takes it for one that moves elsewhere."""
    if stream.fileno() < 0:
        return  # another client behind the same endpoint has ended it
    stream.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    stream.close()


def _sent(opened: socket.socket, data: bytes) -> int:
    """Send data on a socket, and return the number of the error, or 0."""
    try:
        opened.send(data)
    except OSError as error:
        return error.errno or errno.EIO
    return 0
