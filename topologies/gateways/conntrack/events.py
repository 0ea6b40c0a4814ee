"""A program that packs what the kernel reports of translated connections, in the network namespace of a router.

    python -m topologies.gateways.conntrack.events FD PLAN ADDRESS...

It writes a line of JSON ten times a second to the socket FD, first `{"ready": true}`, and ends when that closes.
PLAN is a `RecordingPlan` in JSON, and the addresses are the router's external ones, as numbers.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from controller.recording import BATCH_EVERY_S, PROTOCOLS, RECORD, Batch, Kind, RecordingPlan, Release
from topologies.gateways.conntrack import messages
from topologies.gateways.conntrack.messages import Change, Connection

RULES = Path(__file__).with_name("events.nft")
PAUSE_S = 0.005
"""The precision of the times. Waking up for each message would cost more than reading it."""
NICER = 10
"""The packets come first. The socket has room for what is read later."""
READ_BYTES = 1 << 16
MOST_AT_ONCE = 5000

_NUMBERS = {protocol: number for number, protocol in enumerate(PROTOCOLS)}


class Events:
    """What becomes of the connections that have an external endpoint of the pool."""

    def __init__(self, plan: RecordingPlan, external: list[int]) -> None:
        self.batch = Batch(plan)
        self._plan = plan
        self._addresses = {address: plan.first_address + place for place, address in enumerate(external)}
        self._subscribers: dict[int, int] = {}
        self._closing: set[bytes] = set()
        self._sessions: dict[tuple[str, int, int], int] = {}
        self._total = 0
        self._taken: Counter[str] = Counter()

    def take(self, connection: Connection, now: float) -> None:
        """Record what became of a connection, if it is translated."""
        address = self._addresses.get(connection.external)
        if address is None or connection.inside in self._addresses:
            return
        if connection.change is Change.NEW:
            self._count(connection, 1)
            self._add(Kind.ALLOCATED, connection, address, now)
        elif connection.change is Change.CLOSING:
            if connection.key not in self._closing:
                self._closing.add(connection.key)
                self._add(Kind.CLOSING, connection, address, now)
        else:
            self._count(connection, -1)
            was_closing = connection.key in self._closing
            self._closing.discard(connection.key)
            reason = Release.CLOSED if was_closing else Release.UNKNOWN
            self._add(Kind.RELEASED, connection, address, now, reason)
            self._add(Kind.FREED, connection, address, now)

    def line(self, lost: int, now: float) -> dict[str, Any]:
        """Return the events since the last line, with the gauges that agree with them."""
        self.batch.miss(lost)
        events, missed, subscribers = self.batch.take()
        gauges = {protocol: {"ports_allocated": self._taken[protocol]} for protocol in PROTOCOLS}
        return {
            "events": base64.b64encode(events).decode(),
            "missed": missed,
            "subscribers": subscribers,
            "at": now,
            "gauges": {**gauges, "total_sessions": self._total},
        }

    def _count(self, connection: Connection, more: int) -> None:
        endpoint = (connection.protocol, connection.external, connection.port)
        before = self._sessions.get(endpoint, 0)
        after = max(0, before + more)
        self._total += after - before
        if after:
            self._sessions[endpoint] = after
        else:
            self._sessions.pop(endpoint, None)
        if bool(after) is not bool(before):
            self._taken[connection.protocol] += more

    def _add(self, kind: Kind, connection: Connection, address: int, now: float, reason: int = 0) -> None:
        subscriber = self._subscribers.get(connection.inside)
        if subscriber is None:
            name = str(ipaddress.IPv4Address(connection.inside))
            subscriber = self._subscribers[connection.inside] = self.batch.subscriber(name)
        detail = _NUMBERS[connection.protocol] | reason << 4
        self.batch.append(RECORD.pack(self._plan.ticks(now), kind, detail, address, connection.port, subscriber))


def main() -> None:
    """Read on until nobody listens."""
    out = socket.socket(fileno=int(sys.argv[1]))
    events = Events(RecordingPlan(**json.loads(sys.argv[2])), [int(each) for each in sys.argv[3:]])
    kernel = messages.opened()
    subprocess.run(["nft", "-f", RULES], check=True)
    os.nice(NICER)
    poll = select.poll()
    poll.register(kernel, select.POLLIN)
    lost, handed_on = 0, time.monotonic()
    try:
        _write(out, {"ready": True})
        while True:
            now = time.monotonic()
            if now - handed_on >= BATCH_EVERY_S:
                before, lost, handed_on = lost, messages.lost(kernel), now
                _write(out, events.line(lost - before, now))
            if poll.poll(max(1.0, 1000 * (handed_on + BATCH_EVERY_S - now))):
                _drain(kernel, events)
                time.sleep(PAUSE_S)
    except (BrokenPipeError, ConnectionResetError):
        return


def _drain(kernel: socket.socket, events: Events) -> None:
    for _ in range(MOST_AT_ONCE):
        try:
            data = kernel.recv(READ_BYTES)
        except BlockingIOError:
            return
        now = time.monotonic()
        for connection in messages.connections(data):
            events.take(connection, now)


def _write(out: socket.socket, line: dict[str, Any]) -> None:
    out.sendall(json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    main()
