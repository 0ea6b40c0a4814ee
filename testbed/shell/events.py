"""The events of all NATs as they come, for somebody at the prompt: a bounded number of them, unpacked when asked.

A run records its events in any case. They pass by here on their way to the launcher, and cost nothing more than
being kept for a while.
"""

from __future__ import annotations

import base64
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any

from testbed.experiment.recording import Sink
from testbed.recording.format import RECORD, Event, Kind
from testbed.recording.reader import event

MOST_BYTES = 4 << 20
"""The most bytes of events that are kept, in base64: some 250,000."""


class Events:
    """Stands before the channel to the launcher, and keeps what gateways report."""

    def __init__(self, channel: Sink) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._batches: deque[tuple[int, str]] = deque()
        self._bytes = self._number = 0
        self._tables: dict[str, dict[int, tuple[str, str]]] = {"addresses": {}, "subscribers": {}}
        self.knows: dict[str, Any] = {}
        """What is known of the events of each gateway: how, and of which kinds."""

    def send(self, kind: str, **fields: Any) -> None:
        """Keep a record if it is about events, and send it on."""
        with self._lock:
            if kind == "events":
                self._keep(fields["data"])
            elif kind == "recording":
                self.knows = fields["gateways"]
            elif kind == "table":
                for name, table in self._tables.items():
                    table.update((index, (gateway, address)) for index, gateway, address in fields.get(name, []))
        self._channel.send(kind, **fields)

    def since(self, number: int = 0) -> tuple[list[Event], int]:
        """Return the events of the batches after this number, and the number of the last batch."""
        with self._lock:
            batches = [data for place, data in self._batches if place > number]
            addresses, subscribers = (dict(each) for each in self._tables.values())
            last = self._number
        found = [
            event(row, addresses, subscribers)
            for data in batches
            for row in RECORD.iter_unpack(base64.b64decode(data))
        ]
        return found, last

    def last_refusal(self, subscribers: list[str]) -> Event | None:
        """Return the last packet of these inside addresses that is known to have been refused."""
        found, _ = self.since()
        return next(
            (each for each in reversed(found) if each.kind is Kind.REFUSED and each.subscriber in subscribers),
            None,
        )

    def _keep(self, data: str) -> None:
        self._number += 1
        self._batches.append((self._number, data))
        self._bytes += len(data)
        while self._bytes > MOST_BYTES:
            self._bytes -= len(self._batches.popleft()[1])


def reports(knows: dict[str, Any], kind: Kind) -> Iterator[str]:
    """Yield the names of the gateways that report events of a kind."""
    return (name for name, known in knows.items() if kind.name in known["knows"])
