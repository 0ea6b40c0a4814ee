"""A program that packs what the kernel reports of translated connections, in the network namespace of a router.

    python -m topologies.gateways.conntrack.events FD PLAN ROOM ADDRESS...

It writes a line of JSON ten times a second to the socket FD, first `{"ready": true}`, and ends when that closes.
PLAN is a `RecordingPlan` in JSON, ROOM the bytes for messages that were not read yet, and the addresses are the
router's external ones, as numbers. Messages for which there is no room are lost. Then the kernel's table is read,
so that what is known is right again. A reader that takes no line, as one that Ctrl-Z has stopped, holds nothing
up: meanwhile events wait for the next line.
"""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from controller.recording import BATCH_EVERY_S, PROTOCOLS, RECORD, Batch, Kind, RecordingPlan, Release
from topologies.gateways.conntrack import messages
from topologies.gateways.conntrack.messages import Change, Connection
from topologies.gateways.conntrack.table import table

RULES = Path(__file__).with_name("events.nft")
PAUSE_S = 0.005
"""The precision of the times. Waking up for each message would cost more than reading it."""
NICER = 10
"""The packets come first. The socket has room for what is read later."""
READ_BYTES = 1 << 16
MOST_AT_ONCE = 5000
MOST_IN_LINE = 1 << 18
"""The most events of a line: two for each port of an address that ended, and two for each that is taken since."""
RESTS = 10
"""The kernel's table is not read again until this number of times the time that reading it took."""

_NUMBERS = {protocol: number for number, protocol in enumerate(PROTOCOLS)}


class Events:
    """What becomes of the connections that have an external endpoint of the pool.

    The kernel drops messages that there is no room for. So an end may come of which no beginning came, and what is
    known is corrected by the kernel's whole table.
    """

    def __init__(self, plan: RecordingPlan, external: list[int]) -> None:
        self.batch = Batch(plan, MOST_IN_LINE)
        self._plan = plan
        self._addresses = {address: plan.first_address + place for place, address in enumerate(external)}
        self._subscribers: dict[int, int] = {}
        self._live: dict[bytes, Connection] = {}
        self._closing: set[bytes] = set()
        self._sessions: dict[tuple[str, int, int], int] = {}
        self._total = 0
        self._taken: Counter[str] = Counter()

    def take(self, connection: Connection, now: float) -> None:
        """Record what became of a connection, if it is translated. What is known already is not recorded again."""
        known = self._live.get(connection.key)
        if connection.change is Change.NEW:
            if known is not None and known.endpoint != connection.endpoint:
                self._end(known, now)  # its end was lost, and its host began another one
            if known is None or known.endpoint != connection.endpoint:
                self._begin(connection, now)
        elif known is not None and connection.change is Change.ENDED:
            self._end(known, now)
        elif known is not None and connection.key not in self._closing:
            self._closing.add(connection.key)
            self._add(Kind.CLOSING, known, now)

    def correct(self, table: Iterable[Connection], now: float) -> None:
        """Record what has to have happened by now, by the kernel's whole table."""
        there = {connection.key: connection for connection in table}
        for key, known in [*self._live.items()]:
            if key not in there:
                self._end(known, now)
        for connection in there.values():
            self.take(connection._replace(change=Change.NEW), now)
            if connection.change is Change.CLOSING:
                self.take(connection, now)

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

    def _begin(self, connection: Connection, now: float) -> None:
        if connection.external not in self._addresses or connection.inside in self._addresses:
            return
        self._live[connection.key] = connection
        self._count(connection, 1)
        self._add(Kind.ALLOCATED, connection, now)

    def _end(self, connection: Connection, now: float) -> None:
        del self._live[connection.key]
        self._count(connection, -1)
        was_closing = connection.key in self._closing
        self._closing.discard(connection.key)
        self._add(Kind.RELEASED, connection, now, Release.CLOSED if was_closing else Release.UNKNOWN)
        self._add(Kind.FREED, connection, now)

    def _count(self, connection: Connection, more: int) -> None:
        endpoint = connection.endpoint
        before = self._sessions.get(endpoint, 0)
        after = before + more
        self._total += more
        if after:
            self._sessions[endpoint] = after
        else:
            del self._sessions[endpoint]
        if not before or not after:
            self._taken[connection.protocol] += more

    def _add(self, kind: Kind, connection: Connection, now: float, reason: int = 0) -> None:
        subscriber = self._subscribers.get(connection.inside)
        if subscriber is None:
            name = str(ipaddress.IPv4Address(connection.inside))
            subscriber = self._subscribers[connection.inside] = self.batch.subscriber(name)
        detail, address = _NUMBERS[connection.protocol] | reason << 4, self._addresses[connection.external]
        self.batch.append(RECORD.pack(self._plan.ticks(now), kind, detail, address, connection.port, subscriber))


class Lines:
    """Lines for a reader that may take none for a while."""

    def __init__(self, out: socket.socket) -> None:
        self._out = out
        self._unsent = memoryview(b"")

    @property
    def is_waiting(self) -> bool:
        """Whether the last line is not sent yet, or not whole."""
        return bool(self._unsent)

    def put(self, line: dict[str, Any]) -> None:
        """Send a line, as far as there is room. The one before has to be sent."""
        self._unsent = memoryview(json.dumps(line).encode() + b"\n")
        self.send()

    def send(self) -> None:
        """Send what there is room for by now, and never wait."""
        with contextlib.suppress(BlockingIOError):
            while self._unsent:
                self._unsent = self._unsent[self._out.send(self._unsent, socket.MSG_DONTWAIT) :]


def main() -> None:
    """Read on until nobody listens."""
    out, room = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[3])
    events = Events(RecordingPlan(**json.loads(sys.argv[2])), [int(each) for each in sys.argv[4:]])
    kernel = messages.opened(room)
    subprocess.run(["nft", "-f", RULES], check=True)
    os.nice(NICER)
    pump(kernel, events, out)


def pump(kernel: socket.socket, events: Events, out: socket.socket) -> None:
    """Take messages and send lines until nobody listens."""
    lines = Lines(out)
    poll = select.poll()
    poll.register(kernel, select.POLLIN)
    lost = corrected = 0
    handed_on = rested = time.monotonic()
    try:
        lines.put({"ready": True})
        while True:
            now = time.monotonic()
            lines.send()
            if now - handed_on >= BATCH_EVERY_S:
                handed_on = now
                if not lines.is_waiting:
                    before, lost = lost, messages.lost(kernel)
                    lines.put(events.line(lost - before, now))
            poll.register(out, select.POLLOUT if lines.is_waiting else 0)
            is_all_read = True
            if poll.poll(max(1.0, 1000 * (handed_on + BATCH_EVERY_S - now))):
                is_all_read = drain(kernel, events)
                time.sleep(PAUSE_S)
            if lost != corrected and is_all_read and now >= rested:
                corrected, rested = lost, correct(events)
    except (BrokenPipeError, ConnectionResetError):
        return


def drain(kernel: socket.socket, events: Events) -> bool:
    """Take the messages that are there, and return whether these were all.

    Those that a line may have no room for stay with the kernel: what it loses, the table makes right again.
    """
    for _ in range(MOST_AT_ONCE):
        if events.batch.is_half_full:
            return False
        try:
            data = kernel.recv(READ_BYTES)
        except BlockingIOError:
            return True
        now = time.monotonic()
        for connection in messages.connections(data):
            events.take(connection, now)
    return False


def correct(events: Events) -> float:
    """Correct what is known by the kernel's table. Return the time until which it is not to be read again.

    All messages that came before the lost ones have to be read. Those that come meanwhile change nothing twice.
    """
    began = time.monotonic()
    found = [*table()]
    now = time.monotonic()
    events.correct(found, now)
    return now + RESTS * (now - began)


if __name__ == "__main__":
    main()
