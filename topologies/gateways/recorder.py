"""What a gateway hands the events of its ports to, for the recording of a run.

A gateway overrides `record` if it can report each event, or `mappings` if it has a table that can be read. What
goes wrong here costs a part of the recording, and never the run.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from controller.recording import PROTOCOLS, Batch, Kind, RecordingPlan

GAUGES_EVERY_S = 0.25
READ_EVERY_S = 0.25
"""The shortest time between two readings of a table."""
READING_SHARE = 0.04
"""The largest share of the time that reading a table takes."""


class ExternalMapping(NamedTuple):
    """A mapping as a gateway's table has it: `tcp`, external address and port, and the inside address."""

    protocol: str
    address: str
    port: int
    subscriber: str


@dataclass(frozen=True, slots=True)
class Knows:
    """What a recording can have of a gateway: the kinds of events, and how they are known."""

    kinds: tuple[Kind, ...] = ()
    how: str = "not known"


class Recorder:
    """Takes the events of one gateway. `send` gets each record for the launcher."""

    def __init__(
        self, gateway: str, plan: RecordingPlan, external: Collection[str], send: Callable[..., None]
    ) -> None:
        self.plan = plan
        self._gateway = gateway
        self._addresses = {address: plan.first_address + place for place, address in enumerate(external)}
        self._send = send
        self._batch = Batch(plan)
        self._gauged_at = 0.0

    def packed(self, events: str, missed: int = 0, subscribers: Collection[tuple[int, str]] = ()) -> None:
        """Take events that are packed already, in base64, with the subscribers that are new in them."""
        if subscribers:
            self._send("table", subscribers=[[index, self._gateway, address] for index, address in subscribers])
        if events:
            self._send("events", gateway=self._gateway, data=events)
        if missed:
            self._send("missed", gateway=self._gateway, events=missed)

    def gauges(self, gauges: Mapping[str, Any], at: float) -> None:
        """Take gauges of the time `at`, which agree with all events so far. Most calls cost nothing."""
        now = time.monotonic()
        if now - self._gauged_at >= GAUGES_EVERY_S:
            self._gauged_at = now
            self._send("gauges", gateway=self._gateway, gauges=gauges, at=at)

    def sample(self, **figures: Any) -> None:
        """Note that a table was read, and how often it is."""
        self._send("sample", gateway=self._gateway, **figures)

    def add(self, kind: Kind, mapping: ExternalMapping, now: float, *, reason: int = 0) -> None:
        """Take an event of one mapping. It is handed on by `hand_on`, or before that if there are many."""
        if self._batch.is_full:
            self.hand_on()
        address = self._addresses.get(mapping.address)
        if address is not None and mapping.protocol in PROTOCOLS:
            self._batch.add(
                self.plan.ticks(now),
                kind,
                PROTOCOLS.index(mapping.protocol),
                reason=reason,
                address=address,
                port=mapping.port,
                subscriber=self._batch.subscriber(mapping.subscriber),
            )

    def hand_on(self) -> None:
        """Hand on the events that were taken."""
        events, missed, subscribers = self._batch.take()
        self.packed(b64encode(events).decode(), missed, subscribers)


class TableReader:
    """Reads a gateway's table again and again, and records the differences, in a thread of its own.

    Reading takes at most READING_SHARE of the time, so that a large table is read less often. What comes and goes
    between two readings is not seen. The gateway may fail to answer, as when the run ends: that ends the reading.
    """

    def __init__(self, recorder: Recorder, read: Callable[[], Collection[ExternalMapping] | None]) -> None:
        self._recorder = recorder
        self._read = read
        self._known: Counter[ExternalMapping] = Counter()

    def start(self) -> None:
        """Read on, for as long as the process lives."""
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        every = READ_EVERY_S
        try:
            while True:
                began = time.monotonic()
                self.read(began, every)
                every = max(READ_EVERY_S, (time.monotonic() - began) / READING_SHARE)
                time.sleep(max(0.0, began + every - time.monotonic()))
        except Exception as error:  # of a gateway that is no part of ours, or of a switch that is gone
            self._recorder.sample(rate=0.0, ended=str(error)[:200])

    def read(self, now: float, every: float) -> None:
        """Read the table once, and record what has changed."""
        found = Counter(self._read() or ())
        for kind, changed in ((Kind.RELEASED, self._known - found), (Kind.ALLOCATED, found - self._known)):
            for mapping in changed.elements():
                self._recorder.add(kind, mapping, now)
                if kind is Kind.RELEASED:
                    self._recorder.add(Kind.FREED, mapping, now)
        self._known = found
        taken = Counter(protocol for protocol, _, _ in {mapping[:3] for mapping in found})
        self._recorder.hand_on()
        self._recorder.sample(rate=round(1 / every, 2), mappings=found.total(), at=now)
        self._recorder.gauges({protocol: {"ports_allocated": taken[protocol]} for protocol in PROTOCOLS}, now)
