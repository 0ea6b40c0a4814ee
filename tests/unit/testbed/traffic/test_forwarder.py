"""The program that is a cable: frames go in at one end of a link, and come out at the other, or do not."""

from __future__ import annotations

import dataclasses
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.paths import ROOT
from tests.support.processes import DEADLINE_S
from topologies.network.conditions import Conditions


class Cable:
    """One link through the program: the ends that a host's kernel and a wire would have, and the orders."""

    def __init__(self, conditions: Conditions) -> None:
        pairs = [
            socket.socketpair(socket.AF_UNIX, kind) for kind in (socket.SOCK_STREAM, *[socket.SOCK_DGRAM] * 2)
        ]
        (self.orders, orders), (self.wire, wire), (self.host, host) = pairs
        for each in (self.orders, self.wire, self.host):
            each.settimeout(DEADLINE_S)
        command = [sys.executable, "-P", "-m", "testbed.traffic.forwarder", str(orders.fileno()), "1"]
        links = [("alice", wire.fileno(), host.fileno())]
        self.process = subprocess.Popen(
            [*command, json.dumps(dataclasses.asdict(conditions)), json.dumps(links)],
            pass_fds=[each.fileno() for each in (orders, wire, host)],
            cwd=ROOT,
        )
        self.lines = self.orders.makefile("r")
        assert json.loads(self.lines.readline()) == {"ready": True}

    def told(self) -> dict[str, Any]:
        """Order the counts, and return them."""
        self.orders.sendall(b'{"do": "tell"}\n')
        told: dict[str, Any] = json.loads(self.lines.readline())
        return told


@contextmanager
def cable(**conditions: float) -> Iterator[Cable]:
    """Give a link under these conditions, and end it."""
    made = Cable(Conditions(**conditions))
    try:
        yield made
    finally:
        made.lines.close()
        made.orders.close()
        assert made.process.wait(DEADLINE_S) == 0


def test_frames_come_out_whole_at_the_other_end() -> None:
    """Both ways, and each is counted for its way."""
    with cable() as link:
        link.host.send(b"from the host" * 100)
        link.wire.send(b"to the host")

        assert link.wire.recv(4096) == b"from the host" * 100
        assert link.host.recv(4096) == b"to the host"
        told = link.told()

    assert told["out"] == told["in"] == {"frames": 1, "lost": 0, "overflowed": 0}


def test_a_frame_takes_the_delay_at_least() -> None:
    """It may take longer on a busy machine, and the program says by how much it was late."""
    with cable(delay=0.05) as link:
        began = time.monotonic()
        link.host.send(b"frame")
        link.wire.recv(4096)
        took = time.monotonic() - began
        late = link.told()["late_s"]

    assert took >= 0.05
    assert 0 < late < took


def test_what_is_lost_is_counted() -> None:
    """What arrives and what was lost add up to what was sent."""
    with cable(loss=0.5) as link:
        for number in range(64):
            link.host.send(bytes([number]))
        told = link.told()
        while told["out"]["frames"] < 64:
            more = link.told()["out"]
            told["out"] = {name: told["out"][name] + more[name] for name in more}
        arrived = [link.wire.recv(16) for _ in range(64 - told["out"]["lost"])]

    assert 8 < told["out"]["lost"] < 56
    assert arrived == sorted(set(arrived))
