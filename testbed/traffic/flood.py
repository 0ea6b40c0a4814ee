"""Datagrams without answers, each of a flow of its own, which fill a table of connections."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Sequence

from testbed.sandbox.linux import network_of
from testbed.traffic.bpf import TAKE_NOTHING, attach
from testbed.traffic.wire import Endpoint

FIRST_SOURCE_PORT = 20_000
SOURCE_PORTS = 16_384
"""Source ports of all clients together. No two are alike, so a NAT can keep each and need not search."""
TELL_EVERY = 1000


class Silence:
    """Sockets that take datagrams and never answer. Without them the server's kernel would answer by ICMP."""

    def __init__(self, server: str, address: str, first_port: int, count: int) -> None:
        self.targets: list[Endpoint] = [(address, first_port + number) for number in range(count)]
        self._sockets = []
        with network_of(server):
            for target in self.targets:
                taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                attach(taken, TAKE_NOTHING)
                taken.bind(target)
                self._sockets.append(taken)


def targets_needed(flows: int) -> int:
    """Return the number of endpoints that `flows` flows need as targets."""
    return math.ceil(flows / SOURCE_PORTS)


def flood(
    clients: Sequence[str], targets: Sequence[Endpoint], flows: int, progress: Callable[[int], None]
) -> None:
    """Send one datagram for each of `flows` flows, from the clients in turn to all targets."""
    sent = 0
    share = math.ceil(SOURCE_PORTS / len(clients))
    for number, netns in enumerate(clients):
        with network_of(netns):
            for port in range(share):
                source = FIRST_SOURCE_PORT + number * share + port
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.bind(("", source))
                    for target in targets:
                        if sent == flows:
                            return
                        sender.sendto(b"", target)
                        sent += 1
                if port % (TELL_EVERY // len(targets) + 1) == 0:
                    progress(sent)
