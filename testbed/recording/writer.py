"""Writing a recording while its run goes on, so that a file that is cut off anywhere can be read up to there.

Events come in batches from several sources, each a little late. They wait for WINDOW_S, and are then written in
the order of their times. What comes later than that is written as it comes, with its own time: a reader puts it
where it belongs. All that is written is in the file at most a second later.

A recording has at most as many bytes as a reader takes. When it is full, a text of the kind `missed` is written,
and another at the end, with the numbers of what is not there.

A recording never costs a run. If the file cannot be written any more, `failure` is the reason, and the rest is
dropped.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Protocol

from testbed.recording.format import (
    GZIP,
    MOST_BYTES,
    MOST_TEXT,
    MOST_TICKS,
    RECORD,
    VERSION,
    VERSION_KEY,
    Texts,
    packed_text,
    ticks_of,
)

WINDOW_S = 0.25
FLUSH_EVERY_S = 0.5
LEVEL = 5
KEPT_FREE = MOST_TEXT + 1024
"""The bytes that are left for the end, which tells what became of the run, and for what is missing."""

_by_time = itemgetter(slice(3, None, -1))
"""The bytes of a record's time, the most significant first."""


class Sink(Protocol):
    """An open file for bytes."""

    def write(self, data: bytes, /) -> object:
        """Take bytes."""

    def flush(self) -> None:
        """Hand them on to the kernel."""


class Writer:
    """Writes one recording to an open file. Times are in seconds since the recording began."""

    def __init__(
        self, file: Sink | None, header: dict[str, Any], *, follow: Callable[[bytes], None] = lambda data: None
    ) -> None:
        """Write the header. `follow` gets all bytes that are recorded, before they are compressed.

        Without a file nothing else gets them.
        """
        self.failure = ""
        """The reason why the file lacks something, if it does."""
        self._file = file
        self._follow = follow
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._waiting: list[bytes] = []
        self._is_complete = self._is_full = False
        self._missed_events = self._missed_texts = 0
        self._written_at = self._flushed_at = 0.0
        first = packed_text(0, {VERSION_KEY: VERSION, **header})
        self._room = MOST_BYTES - KEPT_FREE - len(first)
        self._put(first)
        self._flush(zlib.Z_SYNC_FLUSH)

    def events(self, packed: bytes) -> None:
        """Add records of events. A piece of one at the end is left out."""
        size = RECORD.size
        records = [packed[at : at + size] for at in range(0, len(packed) - size + 1, size)]
        if records and self._has_room(len(records) * size, int.from_bytes(packed[:4], "little")):
            self._waiting += records
        else:
            self._missed_events += len(records)

    def text(self, time: float, kind: str, **content: Any) -> None:
        """Add a text. One that is too long is left out."""
        ticks = ticks_of(time)
        try:
            record = packed_text(ticks, {"kind": kind, **content})
        except ValueError:
            record = packed_text(ticks, {"kind": Texts.MISSED, "events": 0, "texts": 1})
        if self._has_room(len(record), ticks):
            self._waiting.append(record)
        else:
            self._missed_texts += 1

    def tick(self, now: float) -> None:
        """Write what has waited for long enough by `now`, and hand it on to the file now and then.

        After the end there is nothing more to write.
        """
        if self._is_complete:
            return
        if now - self._written_at >= WINDOW_S / 2:
            self._written_at = now
            self._write(ticks_of(now - WINDOW_S))
        if now - self._flushed_at >= FLUSH_EVERY_S:
            self._flushed_at = now
            self._flush(zlib.Z_SYNC_FLUSH)

    def end(self, time: float, **content: Any) -> None:
        """Write all that waits, and the last text: the recording is complete."""
        self._write(MOST_TICKS)
        if self._is_full:
            self._put(self._full(ticks_of(time)))
        self._put(packed_text(ticks_of(time), {"kind": "end", **content}))
        self._flush(zlib.Z_FINISH)
        self._is_complete = True

    def _has_room(self, number: int, ticks: int) -> bool:
        """Take room for a number of bytes. When there is too little for the first time, there is none any more."""
        if not self._is_full and number > self._room:
            self._is_full = True
            self._waiting.append(self._full(ticks))
        self._room -= number
        return not self._is_full

    def _full(self, ticks: int) -> bytes:
        """Return the text about what is missing so far, since there is no room."""
        missed = {"events": self._missed_events, "texts": self._missed_texts}
        return packed_text(ticks, {"kind": Texts.MISSED, "is_full": True, **missed})

    def _write(self, until: int) -> None:
        """Write what waits and has a time of `until` or before, in the order of the times."""
        self._waiting.sort(key=_by_time)
        ready = bisect_right(self._waiting, until.to_bytes(4, "big"), key=_by_time)
        if ready:
            self._put(b"".join(self._waiting[:ready]))
            del self._waiting[:ready]

    def _put(self, data: bytes) -> None:
        self._follow(data)
        if self._file is not None and not self.failure:
            self._hand_on(self._file, self._deflate.compress(data))

    def _flush(self, how: int) -> None:
        if self._file is not None and not self.failure:
            self._hand_on(self._file, self._deflate.flush(how), is_flush=True)

    def _hand_on(self, file: Sink, data: bytes, *, is_flush: bool = False) -> None:
        try:
            file.write(data)
            if is_flush:
                file.flush()
        except (OSError, ValueError) as error:  # a file that is closed raises ValueError
            self.failure = getattr(error, "strerror", None) or str(error)
