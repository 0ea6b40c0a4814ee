"""One connection through the NAT with both ends in the scenario: each can send, and the result is observed."""

from __future__ import annotations

import errno
import select
import socket

from testbed.api import Lab, network_of
from testbed.traffic.attempt import KINDS

WATCHED_PORT = 4000
"""The port at which its server listens: not that of the other servers."""
OWN_PORT = 4001
"""The client's source port, which no kernel chooses by itself: two connections with one port share a mapping."""
SETTLED_S = 5.0
"""The most seconds that making the connection may take."""


class Watched:
    """A connection from the first client to the first server; `seen` is its external endpoint."""

    def __init__(self, lab: Lab, protocol: str) -> None:
        """Make the connection, or a UDP flow, and note its external endpoint."""
        self._kind, _ = KINDS[protocol]
        self._server_netns, self._target = lab.servers[0].netns, lab.endpoint(port=WATCHED_PORT)
        self._is_stream = protocol == "tcp"
        listener = self._listening()
        with network_of(lab.clients[0].netns):
            self._client = socket.socket(socket.AF_INET, self._kind)
        self._client.bind(("", OWN_PORT))
        self._client.settimeout(SETTLED_S)
        self._client.connect(self._target)
        if self._is_stream:
            self._server, self.seen = listener.accept()
            self._awaiting = self._server
        else:
            self._client.send(b"hello")
            self.seen = listener.recvfrom(64)[1]
            self._awaiting = listener
            # A connected socket gets errors, and accepts nothing from any other endpoint.
            self._server = self._listening()
            self._server.connect(self.seen)

    def client_sends(self, patience: float) -> str:
        """Have the client send data, and return `arrived`, `nothing`, or the error that came back."""
        self._client.send(b"are you there?")
        return _outcome(self._awaiting, self._client, patience)

    def server_sends(self, patience: float) -> str:
        """Have the server send data, and return `arrived`, `nothing`, or the error that came back."""
        self._server.send(b"are you there?")
        return _outcome(self._client, self._server, patience)

    def _listening(self) -> socket.socket:
        with network_of(self._server_netns):
            made = socket.socket(socket.AF_INET, self._kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(SETTLED_S)
        made.bind(self._target)
        if self._is_stream:
            made.listen()
        return made


def _outcome(receiver: socket.socket, sender: socket.socket, patience: float) -> str:
    """Wait until data arrives at the receiver, or an error at the sender, and return which."""
    poll = select.poll()
    poll.register(receiver, select.POLLIN)
    poll.register(sender, 0)
    for descriptor, _ in poll.poll(patience * 1000):
        if descriptor == receiver.fileno():
            return "arrived"
        return errno.errorcode[sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]
    return "nothing"
