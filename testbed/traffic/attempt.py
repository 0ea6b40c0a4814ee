"""One attempt to reach a server: its socket, what was sent and received on it, and how it ended."""

from __future__ import annotations

import errno
import socket
from typing import Any

from testbed.traffic.kernel import (
    IP_BIND_ADDRESS_NO_PORT,
    IP_RECVERR,
    first_sequence,
    outcome_of,
    queued_error,
    retransmissions,
)
from testbed.traffic.wire import ANSWER, HELLO, PING, Endpoint

KINDS = {
    "tcp": (socket.SOCK_STREAM, 0),
    "udp": (socket.SOCK_DGRAM, 0),
    "icmp": (socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
}
"""Type and protocol of the sockets. The ICMP one is the kernel's own for ping: its port is the identifier."""


class LiveAttempt:
    """One attempt to reach a server, from the opening of its socket to its end."""

    __slots__ = (
        "asked_at", "buffer", "connecting", "counted", "detail", "done_at", "netns", "nonce", "number", "outcome",
        "retransmissions", "seen", "sent_at", "sequence", "socket", "source", "source_address", "source_port",
        "target", "token", "waiting",
    )  # fmt: skip

    def __init__(
        self, number: int, nonce: int, netns: str, target: Endpoint, source_address: str, source_port: int
    ) -> None:
        self.number = number
        self.nonce = nonce
        self.netns = netns
        self.target = target
        self.source_address = source_address
        self.source_port = source_port
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
        self.asked_at = 0.0
        self.done_at = 0.0
        self.retransmissions = 0
        self.sequence: int | None = None

    def row(self) -> tuple[Any, ...]:
        """Return it for the scenario, in the order of `records.Attempt`. Times are of the monotonic clock."""
        return (
            self.number,
            self.nonce,
            self.outcome,
            self.detail,
            self.source,
            self.seen,
            self.target,
            self.sent_at,
            self.done_at,
            self.retransmissions,
            self.sequence,
        )

    def connect(self, protocol: str) -> socket.socket:
        """Open the attempt's socket, in the network namespace that this process is in. Raises OSError."""
        kind, number = KINDS[protocol]
        self.socket = opened = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK, number)
        opened.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        if self.source_port or self.source_address:
            # Without a port, the kernel chooses one when it knows the target, and one port may serve several.
            opened.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            if self.source_port and self.source_address:  # it may speak with several at once
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((self.source_address, self.source_port))
        self.connecting = protocol == "tcp"
        if self.connecting:
            # The handshake's last ACK goes with the hello, which follows at once. That saves a packet.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        result = opened.connect_ex(self.target)
        if result not in (0, errno.EINPROGRESS):
            raise OSError(result, "connect")
        self.source = opened.getsockname()
        return opened

    def say(self, protocol: str) -> None:
        """Send the nonce and the token. An error of the kernel is noted, and the attempt goes on."""
        assert self.socket is not None
        hello = HELLO.pack(self.nonce, self.token)
        try:
            self.socket.send(PING + hello if protocol == "icmp" else hello)
        except OSError as error:
            self.detail = errno.errorcode.get(error.errno or 0, str(error))

    def answers(self, data: bytes, protocol: str) -> list[tuple[str, int]]:
        """Return the endpoint that the server saw, for each answer in `data` to the last nonce and token."""
        if protocol == "icmp":
            data = data[len(PING) :]
        self.buffer = self.buffer + data if protocol == "tcp" else data
        found = []
        while len(self.buffer) >= ANSWER.size:
            nonce, token, address, port = ANSWER.unpack_from(self.buffer)
            self.buffer = self.buffer[ANSWER.size :]
            if (nonce, token) == (self.nonce, self.token):
                found.append((socket.inet_ntoa(address), port))
        return found

    def end(self, error: OSError) -> None:
        """Note the outcome of the attempt by the kernel's error and the ICMP message behind it (`outcome_of`)."""
        icmp = queued_error(self.socket)[1] if self.socket else None
        self.outcome = outcome_of(error.errno or errno.EIO, icmp)
        self.detail = str(icmp) if icmp else errno.errorcode.get(error.errno or 0, str(error))

    def note_silence(self) -> None:
        """Note the sequence number of its SYN, if a connection was made, and no server has answered on it."""
        if self.is_connected and not self.outcome:
            assert self.socket is not None
            self.sequence = first_sequence(self.socket, sent=0 if self.detail else HELLO.size)

    @property
    def is_connected(self) -> bool:
        """Whether it is a TCP connection that somebody has accepted."""
        return self.socket is not None and self.socket.type == socket.SOCK_STREAM and not self.connecting

    def note_retransmissions(self) -> None:
        """Note the number of segments that its kernel has sent again (tcp(7), TCP_INFO)."""
        if self.socket is not None and self.socket.type == socket.SOCK_STREAM:
            self.retransmissions = retransmissions(self.socket)
