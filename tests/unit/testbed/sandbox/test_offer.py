"""A record that can be spared is not sent to a launcher that takes none."""

from __future__ import annotations

import json
import socket

from testbed.sandbox.records import Channel


def test_a_launcher_that_stands_still_gets_no_more_than_it_has_room_for() -> None:
    """Ctrl-Z may have stopped it: the run goes on, and what it must know still fits."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(theirs)
        for number in range(10_000):
            channel.offer("watched", number=number, padding="x" * 1000)
        channel.send("check", check={})
        ours.setblocking(False)
        taken = bytearray()
        try:
            while True:
                taken += ours.recv(1 << 20)
        except BlockingIOError:
            pass

    records = [json.loads(line) for line in taken.splitlines()]
    assert records[-1] == {"kind": "check", "check": {}}
    assert 0 < len(records) < 10_000
