"""Flows over UDP whose first datagrams leave their hosts at the same instant, from one source port."""

from __future__ import annotations

import itertools
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from scenarios.shared.clients import listen
from scenarios.shared.servers import Server
from testbed.api import Attempt, Endpoint, network_of
from testbed.traffic.wire import ANSWER, HELLO, nonce_of, token_of

PROGRAMS = 2
"""Programs that send at the same instant, each for every second host: most machines have two processors."""
START_S, APART_S, WITHIN_S = 0.5, 0.02, 30.0
LISTEN_S = 0.02
_attempts = itertools.count(1 << 30)


class Shot:
    """A flow, and the answer to it."""

    def __init__(self, number: int, netns: str, source_port: int, target: Endpoint) -> None:
        self.number, self.target = number, target
        self.nonce = nonce_of(netns, next(_attempts))
        self.hello = HELLO.pack(self.nonce, token_of(target, 0))
        self.seen: Endpoint | None = None
        self.sent, self.awaits, self.sent_at = 1, select.POLLIN, time.monotonic()
        with network_of(netns):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(("", source_port))
        self.socket.connect(target)

    def fileno(self) -> int:
        """The descriptor of its socket."""
        return self.socket.fileno()

    def hear(self) -> None:
        """Take the answer. An error is none: the flow is tried again."""
        try:
            data = self.socket.recv(512)
        except OSError:
            return
        _, _, address, port = ANSWER.unpack(data)
        self.seen, self.awaits = (socket.inet_ntoa(address), port), 0

    def send_again(self) -> None:
        """Send the hello once more."""
        self.sent += 1
        try:
            self.socket.send(self.hello)
        except OSError:  # an ICMP error about an earlier one
            return

    def attempt(self) -> Attempt:
        """Return what became of it."""
        return Attempt(
            number=self.number,
            nonce=self.nonce,
            outcome="established" if self.seen else "timeout",
            detail="",
            source=self.socket.getsockname(),
            seen=self.seen or ("", 0),
            target=self.target,
            sent_at=self.sent_at,
            done_at=time.monotonic(),
            retransmissions=self.sent - 1,
        )


def fire(rounds: Sequence[Sequence[Shot]], server: Server) -> None:
    """Send the first datagram of each flow, those of a round at the same instant, and let the server answer."""
    processors = sorted(os.sched_getaffinity(0))
    start = time.monotonic() + START_S
    running = [_program(processors[place % len(processors)], start, rounds, place) for place in range(PROGRAMS)]
    for program in running:
        while program.poll() is None and time.monotonic() < start + WITHIN_S:
            listen(server.listeners(), LISTEN_S)


def answered(shots: Sequence[Shot], server: Server, seconds: float) -> list[Shot]:
    """Wait until every flow is answered, or for some seconds, and return those that are not."""
    deadline = time.monotonic() + seconds
    while (left := [each for each in shots if not each.seen]) and time.monotonic() < deadline:
        listen([*left, *server.listeners()], LISTEN_S)
    return left


def _program(processor: int, start: float, rounds: Sequence[Sequence[Shot]], place: int) -> Any:
    own = [[(shot.fileno(), shot.hello.hex()) for shot in shots[place::PROGRAMS]] for shots in rounds]
    descriptors = [descriptor for shots in own for descriptor, _ in shots]
    arguments = (str(processor), str(start), str(APART_S), json.dumps(own))
    command = [sys.executable, "-P", "-m", "testbed.traffic.salvo", *arguments]
    return subprocess.Popen(command, pass_fds=descriptors)
