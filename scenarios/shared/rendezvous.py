"""A rendezvous server and the peers that it introduces to each other: what RFC 5128 calls UDP hole punching.

All sockets are in the scenario's own process, each in the network namespace in which it was made. Messages are
JSON lists of a sender's name and words. Since any message may be lost, it is sent again every ASK_EVERY_S.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import time
from collections.abc import Sequence
from typing import Any

from testbed.api import Attempt, Endpoint, Lab, network_of

PORTS = (3478, 3479)
"""The ports at which the server listens: that of STUN (RFC 8489), and the next (RFC 5780)."""
ENDPOINTS = ("the one that was asked", "another port", "another address")
"""The server's endpoints, from the view of a host that asked at the first. A mapping can depend on the differences
between them (RFC 5780)."""
ASK_EVERY_S = 0.2
ANSWERED_WITHIN_S = 10.0
OWN_PORTS = itertools.count(600)
"""The source ports of peers, each for one socket: no pool has ports below 1024, so that no NAT can keep them."""
KNOCKS = 5
"""Times that each server endpoint tries to reach a host, since a busy machine may lose a packet."""


class Peer:
    """A host that tries to reach another. `met` is the endpoint from which the other has answered."""

    def __init__(self, lab: Lab, host: Any, name: str) -> None:
        self.name = name
        self.host = host
        self.seen: list[Endpoint] = []
        """The external endpoint at which each endpoint of the server saw it."""
        self.other: Endpoint = ("", 0)
        """The external endpoint at which the server saw the other peer."""
        self.met: Endpoint | None = None
        self._began = self._ended = time.monotonic()
        with network_of(host.netns):
            self.socket = _bound(str(lab.topology.addresses[host.name][0]), next(OWN_PORTS))

    def send(self, words: str, to: Endpoint) -> None:
        """Send a message with the peer's name to an endpoint."""
        self.socket.sendto(json.dumps([self.name, words]).encode(), to)

    def receive(self) -> None:
        """Answer the other peer's greeting and greet its endpoint, or note the answer to this peer's own greeting.

        Where the other's NAT has taken another port than for the server, that endpoint is a new one (RFC 8445
        section 7.3.1.3).
        """
        (sender, words, *_), source = _received(self.socket)
        if sender in (self.name, "server"):
            return
        if words == "hello":
            self.send("hello to you", source)
            if self.met is None:
                self.send("hello", source)
        elif words == "hello to you":
            self.met, self._ended = source, time.monotonic()

    def attempt(self, number: int) -> Attempt:
        """Return the peer's try to reach the other, as an attempt with a number."""
        return Attempt(
            number=number,
            nonce=-number,
            outcome="established" if self.met else "timeout",
            detail="",
            source=self.socket.getsockname(),
            seen=self.seen[0],
            target=self.other,
            sent_at=self._began,
            done_at=self._ended if self.met else time.monotonic(),
            retransmissions=0,
        )


class Server:
    """The rendezvous server: it sees the peers' external endpoints, introduces the peers, and relays messages."""

    def __init__(self, lab: Lab) -> None:
        host = lab.servers[0]
        first, second = (str(address) for address in lab.topology.addresses[host.name][:2])
        with network_of(host.netns):
            self._sockets = [_bound(first, PORTS[0]), _bound(first, PORTS[1]), _bound(second, PORTS[0])]

    def see(self, peer: Peer) -> list[Endpoint]:
        """Have a peer ask at each endpoint, and return the external endpoints seen there. Raises TimeoutError."""
        peer.seen = [self._asked(listener, peer) for listener in self._sockets]
        return peer.seen

    def reach(self, peer: Peer) -> list[str]:
        """Have a peer ask at the first endpoint and all answer, and return the endpoints whose answers arrive."""
        peer.seen = [self._asked(self._sockets[0], peer)]
        came: set[str] = set()
        for _ in range(KNOCKS):
            for name, knocking in zip(ENDPOINTS, self._sockets, strict=True):
                knocking.sendto(json.dumps(["server", name]).encode(), peer.seen[0])
            deadline = time.monotonic() + ASK_EVERY_S
            while len(came) < len(ENDPOINTS) and (left := deadline - time.monotonic()) > 0:
                if select.select([peer.socket], [], [], left)[0]:
                    came.add(_received(peer.socket)[0][1])
            if len(came) == len(ENDPOINTS):
                break
        return [name for name in ENDPOINTS if name in came]

    def introduce(self, peer: Peer, other: Peer) -> None:
        """Send a peer the external endpoint of the other, until it has got it. Raises TimeoutError."""
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while time.monotonic() < deadline:
            self._send(peer, ["server", "the other", *other.seen[0]])
            if peer.socket in select.select([peer.socket], [], [], ASK_EVERY_S)[0]:
                words, _ = _received(peer.socket)
                if words[:2] == ["server", "the other"]:
                    peer.other = (words[2], words[3])
                    return
        raise TimeoutError(f"{peer.name} did not get the other's endpoint within {ANSWERED_WITHIN_S:.0f} s")

    def relay(self, sender: Peer, receiver: Peer) -> bool:
        """Relay a message from one peer to the other, and return whether it arrived."""
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while time.monotonic() < deadline:
            sender.send("pass this on", self._sockets[0].getsockname())
            for ready in select.select([self._sockets[0], receiver.socket], [], [], ASK_EVERY_S)[0]:
                words, _ = _received(ready)
                if ready is receiver.socket and words == ["server", sender.name, "pass this on"]:
                    return True
                if words == [sender.name, "pass this on"]:
                    self._send(receiver, ["server", *words])
        return False

    def _asked(self, listener: socket.socket, peer: Peer) -> Endpoint:
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while time.monotonic() < deadline:
            peer.send("where am I?", listener.getsockname())
            if listener in select.select([listener], [], [], ASK_EVERY_S)[0]:
                words, endpoint = _received(listener)
                if words == [peer.name, "where am I?"]:
                    return endpoint
        raise TimeoutError(f"{peer.name} did not reach the server within {ANSWERED_WITHIN_S:.0f} s")

    def _send(self, peer: Peer, words: list[Any]) -> None:
        self._sockets[0].sendto(json.dumps(words).encode(), peer.seen[0])


def punch(peers: Sequence[Peer], patience: float) -> None:
    """Have both peers send to each other's external endpoint until both have met, or for `patience` seconds."""
    deadline, send_at = time.monotonic() + patience, 0.0
    by_socket = {peer.socket: peer for peer in peers}
    while (now := time.monotonic()) < deadline and not all(peer.met for peer in peers):
        if now >= send_at:
            send_at = now + ASK_EVERY_S
            for peer in peers:
                peer.send("hello", peer.other)
        for ready in select.select(list(by_socket), [], [], max(0.0, min(send_at, deadline) - now))[0]:
            by_socket[ready].receive()


def _bound(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def _received(ready: socket.socket) -> tuple[list[Any], Endpoint]:
    data, sender = ready.recvfrom(512)
    return json.loads(data), sender
