"""Writing a recording while its run goes on, so that a file that is cut off anywhere can be read up to there.

Events come in batches from several sources, each a little late. They wait for WINDOW_S, and are then written in
the order of their times. What comes later than that is written as it comes, with its own time: a reader puts it
where it belongs. All that is written is in the file at most a second later.

A recording never costs a run. If the file cannot be written any more, `failure` is the reason, and the rest is
dropped.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Protocol

from testbed.recording.format import GZIP, MOST_TICKS, RECORD, VERSION, VERSION_KEY, packed_text, ticks_of

WINDOW_S = 0.25
FLUSH_EVERY_S = 0.5
LEVEL = 5

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
        self._is_complete = False
        self._written_at = self._flushed_at = 0.0
        self._put(packed_text(0, {VERSION_KEY: VERSION, **header}))
        self._flush(zlib.Z_SYNC_FLUSH)

    def events(self, packed: bytes) -> None:
        """Add records of events. A piece of one at the end is left out."""
        size = RECORD.size
        self._waiting += [packed[at : at + size] for at in range(0, len(packed) - size + 1, size)]

    def text(self, time: float, kind: str, **content: Any) -> None:
        """Add a text. One that is too long is left out."""
        try:
            self._waiting.append(packed_text(ticks_of(time), {"kind": kind, **content}))
        except ValueError:
            self._waiting.append(packed_text(ticks_of(time), {"kind": "missed", "texts": 1}))

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
        self._put(packed_text(ticks_of(time), {"kind": "end", **content}))
        self._flush(zlib.Z_FINISH)
        self._is_complete = True

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
