"""The launcher's end of a recording: the records of the sandbox go on into one file among the results.

A thread of its own writes the file, so that it is at most a second old even if nothing happens. What
cannot be written costs a sentence, and never the run.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from controller.nat.port_set import ranges_of
from testbed.experiment.plan import Run
from testbed.recording.format import Texts
from testbed.recording.writer import FLUSH_EVERY_S, Writer
from testbed.run.folder import RECORDING, Folder
from testbed.run.results import Result

TEXTS = frozenset(Texts) - {Texts.HEADER, Texts.END}
"""The kinds of records that are texts of a recording as they are."""
INDEXES = range(1 << 16)
MOST_EARLY = 1000
"""The most records that wait for the header. It is written when the network is there."""
TICK_EVERY_S = FLUSH_EVERY_S / 4


class Recorder:
    """Records one run. Its `started` is when, by the monotonic clock."""

    def __init__(self, plan: Run, folder: Folder, *, follow: Callable[[bytes], None] = lambda data: None) -> None:
        """Open the file in a folder. `follow` gets all bytes that are recorded, before they are compressed."""
        self.started = time.monotonic()
        self._plan = plan
        self._folder = folder
        self._follow = follow
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._writer: Writer | None = None
        self._early: list[dict[str, Any]] = []
        self._missed = 0
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._reason = ""
        self._file: IO[bytes] | None = None
        try:
            self._file = folder.recording()
        except OSError as error:
            self._reason = error.strerror or str(error)

    @property
    def failure(self) -> str:
        """A sentence about what the recording lacks, or an empty string."""
        reason = self._reason or (self._writer.failure if self._writer else "")
        return f"{RECORDING} could not be written to {self._folder.path}: {reason}" if reason else ""

    def take(self, record: dict[str, Any], result: Result) -> None:
        """Take note of a record of the sandbox. One that makes no sense, as a stranger's may, is left out."""
        with self._lock:
            if self._writer is None and record["kind"] == "recording":
                self._begin(result, record.get("gateways"))
            elif self._writer is None and len(self._early) >= MOST_EARLY:
                self._missed += 1
            elif self._writer is None:
                self._early.append(record | {"at": record.get("at", time.monotonic())})
            else:
                self._record(self._writer, record)

    def end(self, result: Result) -> None:
        """Complete the recording of a run that is over."""
        with self._lock:
            if self._writer is None:
                self._begin(result, None)
            assert self._writer is not None
            self._writer.end(time.monotonic() - self.started, verdict=result.verdict, error=result.error)
        result.unrecorded = self.failure

    def close(self) -> None:
        """Close the file. One that could not be written is removed: a full disk has room for the results then."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._file is not None:
            self._file.close()
        if self.failure:
            self._folder.not_recorded()

    def _begin(self, result: Result, gateways: Any) -> None:
        """Write the header, and what was reported before. `gateways` is what the sandbox says of them."""
        plan = self._plan
        known = gateways if isinstance(gateways, dict) else {}
        header = {
            "started": result.started.isoformat(timespec="milliseconds"),
            "scenario": plan.scenario,
            "gateway": plan.gateway,
            "topology": plan.topology,
            "gateways": {
                name: {
                    "addresses": [str(each) for each in settings.external_addresses],
                    "first_port": settings.port_set[0],
                    "ports": settings.port_count,
                    "port_ranges": [[each[0], each[-1]] for each in ranges_of(settings.port_set)],
                    "knows": [],
                    "how": "not known",
                }
                | (known[name] if isinstance(known.get(name), dict) else {})
                for name, settings in plan.gateways.items()
            },
        }
        self._writer = Writer(self._file, header, follow=self._follow)
        self._thread.start()
        for record in self._early:
            self._record(self._writer, record)
        self._early.clear()
        if self._missed:
            self._writer.text(time.monotonic() - self.started, Texts.MISSED, events=0, texts=self._missed)

    def _record(self, writer: Writer, record: dict[str, Any]) -> None:
        kind = record["kind"]
        try:
            if kind == "events":
                writer.events(base64.b64decode(record["data"]))
            elif kind == "phase_ended":
                writer.text(self._time(record), Texts.PHASE, name=record["name"], end=True)
            elif kind == Texts.TABLE:
                tables = {name: _rows(record.get(name, [])) for name in ("addresses", "subscribers")}
                writer.text(self._time(record), kind, **tables)
            elif kind in TEXTS:
                fields = {key: value for key, value in record.items() if key not in ("kind", "at")}
                writer.text(self._time(record), kind, **fields)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            return

    def _time(self, record: dict[str, Any]) -> float:
        return float(record.get("at", time.monotonic())) - self.started

    def _tick(self) -> None:
        while not self._over.wait(TICK_EVERY_S):
            with self._lock:
                if self._writer is not None:
                    self._writer.tick(time.monotonic() - self.started)


def _rows(rows: Any) -> list[tuple[int, str, str]]:
    """Return the rows of a table: index, gateway, address. Raises an error of Python for what is none."""
    return [(INDEXES[index], str(gateway), str(address)) for index, gateway, address in rows]
