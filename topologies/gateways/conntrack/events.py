"""A program that packs what the kernel reports of translated connections, in the network namespace of a router.

    python -m topologies.gateways.conntrack.events FD PLAN ADDRESS...

It writes a line of JSON ten times a second to the socket FD, first `{"ready": true}`, and ends when that closes.
PLAN is a `RecordingPlan` in JSON, and the addresses are the router's external ones, as numbers.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import select
import socket
import sys
import time
from collections import Counter
from typing import Any

from controller.recording import BATCH_EVERY_S, PROTOCOLS, Batch, Kind, RecordingPlan, Release
from topologies.gateways.conntrack import messages
from topologies.gateways.conntrack.messages import Change, Connection

READ_BYTES = 1 << 16
MOST_AT_ONCE = 1000


class Events:
    """What becomes of the connections that have an external endpoint of the pool."""

    def __init__(self, plan: RecordingPlan, external: list[int]) -> None:
        self.batch = Batch(plan)
        self._plan = plan
        self._addresses = {address: plan.first_address + place for place, address in enumerate(external)}
        self._subscribers: dict[int, int] = {}
        self._closing: set[bytes] = set()
        self._sessions: Counter[tuple[str, int, int]] = Counter()
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
            "gauges": {**gauges, "total_sessions": self._sessions.total()},
        }

    def _count(self, connection: Connection, more: int) -> None:
        endpoint = (connection.protocol, connection.external, connection.port)
        before = self._sessions[endpoint]
        self._sessions[endpoint] = after = max(0, before + more)
        self._taken[connection.protocol] += bool(after) - bool(before)
        if not after:
            del self._sessions[endpoint]

    def _add(self, kind: Kind, connection: Connection, address: int, now: float, reason: int = 0) -> None:
        subscriber = self._subscribers.get(connection.inside)
        if subscriber is None:
            name = str(ipaddress.IPv4Address(connection.inside))
            subscriber = self._subscribers[connection.inside] = self.batch.subscriber(name)
        self.batch.add(
            self._plan.ticks(now),
            kind,
            PROTOCOLS.index(connection.protocol),
            reason=reason,
            address=address,
            port=connection.port,
            subscriber=subscriber,
        )


def main() -> None:
    """Read on until nobody listens."""
    out = socket.socket(fileno=int(sys.argv[1]))
    events = Events(RecordingPlan(**json.loads(sys.argv[2])), [int(each) for each in sys.argv[3:]])
    kernel = messages.opened()
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
