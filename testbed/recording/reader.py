"""Reading a recording: events and texts in the order of their times, from a file of any length.

A file may end anywhere, since its run may have been killed. What came before is read, and `is_complete` is False.
A file that unpacks to more than MOST_BYTES is read up to there, as if it ended.
What is no recording raises RecordingError, which names the file and what is wrong.

The file is read twice. The first time only finds what was written later than its time, as a client's attempts are,
and the tables. So memory holds these, and one piece of the file.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from testbed.recording.format import (
    FILE,
    GZIP,
    MOST_BYTES,
    MOST_TEXT,
    PROTOCOLS,
    REASONS,
    RECORD,
    TEXT,
    TICKS_PER_S,
    VERSION,
    VERSION_KEY,
    Event,
    Kind,
    Text,
    Texts,
)
from testbed.recording.replay import State

READ_BYTES = 1 << 16
MOST_LATE_BYTES = 64 << 20
"""The most bytes of late records that are put where they belong. More are yielded where they stand in the file."""

_ROW = tuple[int, int, int, int, int, int]
_Named = tuple[str, str]
_Table = dict[int, _Named]
NOBODY = ("", "")
INDEXES = range(1 << 16)
NO_RECORDING = "there is no recording; `lastport run SCENARIO` makes one among its results"


class RecordingError(Exception):
    """A file is no recording, or not one that this version can read. The message names the file."""


@dataclass(slots=True)
class _Survey:
    """What is known of a file once it was read."""

    header: dict[str, Any] = field(default_factory=dict)
    addresses: _Table = field(default_factory=dict)
    subscribers: _Table = field(default_factory=dict)
    late: list[bytes] = field(default_factory=list)
    last: int = 0
    is_complete: bool = False


class Recording:
    """The recording of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: str | Path) -> Recording:
        """Return the recording in a folder of results, or in a file. Raises RecordingError, and OSError."""
        path = Path(path)
        recording = cls(path / FILE if path.is_dir() else path)
        recording._survey  # noqa: B018 (a file that is none fails now)
        return recording

    @property
    def header(self) -> dict[str, Any]:
        """What the recording is of: scenario, gateway, gateways, and what can be known of each."""
        return self._survey.header

    @property
    def is_complete(self) -> bool:
        """Whether the run ended by itself, and the file was not cut off."""
        return self._survey.is_complete

    @property
    def seconds(self) -> float:
        """The time of the last record."""
        return self._survey.last / TICKS_PER_S

    @property
    def subscribers(self) -> list[tuple[str, str]]:
        """The gateway and the address of each subscriber."""
        return list(self._survey.subscribers.values())

    def __iter__(self) -> Iterator[Event | Text]:
        """Yield all events and texts in the order of their times."""
        survey = self._survey
        for record in self._in_order():
            if record[4] == Kind.TEXT:
                text = self._text(record)
                if text.kind != Texts.TABLE:
                    yield text
            elif record[4] in _KINDS:  # a later version may have more
                yield event(RECORD.unpack(record), survey.addresses, survey.subscribers)

    def at(self, seconds: float) -> State:
        """Return the state at an instant, after all that had its time."""
        return next(iter(self.states([seconds])))

    def states(self, times: Iterable[float]) -> Iterator[State]:
        """Yield the state at each of these instants, in the order of time. It is one object, which goes on."""
        state, records = State(), iter(self)
        following = next(records, None)
        for time in sorted(times):
            while following is not None and following.time <= time:
                state.apply(following)
                following = next(records, None)
            state.time = time
            yield state

    @cached_property
    def _survey(self) -> _Survey:
        survey, late_bytes = _Survey(), 0
        for record in self._records():
            survey.is_complete = record[4] == Kind.TEXT and self._take(record, survey) == Texts.END
            time = _time(record)
            if time >= survey.last:
                survey.last = time
            elif late_bytes < MOST_LATE_BYTES:
                late_bytes += len(record)
                survey.late.append(record)
        if not survey.header:
            raise self._error("ends before its header")
        survey.late.sort(key=_time)
        return survey

    def _take(self, record: bytes, survey: _Survey) -> str:
        """Take note of a text, and return its kind."""
        text = self._text(record)
        if not survey.header:
            self._require_version(text.content)
            survey.header = text.content
        elif text.kind == Texts.TABLE:
            self._tabulate(text.content, "addresses", survey.addresses)
            self._tabulate(text.content, "subscribers", survey.subscribers)
        return text.kind

    def _tabulate(self, content: dict[str, Any], name: str, table: _Table) -> None:
        try:
            for index, gateway, address in content.get(name, []):
                table[INDEXES[index]] = (str(gateway), str(address))
        except (TypeError, ValueError, IndexError):
            raise self._error(f"has a table of {name} whose rows are not index, gateway, address") from None

    def _require_version(self, header: dict[str, Any]) -> None:
        version = header.get(VERSION_KEY)
        if version is None:
            raise self._error(f"begins with a text without {VERSION_KEY}")
        if version != VERSION:
            raise self._error(
                f"has {VERSION_KEY}={version!r}, and {VERSION} is read here; take the lastport that wrote it"
            )

    def _in_order(self) -> Iterator[bytes]:
        survey, last, rank, sent = self._survey, 0, 0, 0
        late = survey.late
        for record in self._records():
            time = _time(record)
            if time < last and sent < len(late):
                sent += 1  # it was yielded at its time
                continue
            last = max(last, time)
            while rank < len(late) and _time(late[rank]) < time:
                yield late[rank]
                rank += 1
            yield record
        yield from late[rank:]

    def _records(self) -> Iterator[bytes]:
        """Yield each record as it stands in the file, with its text. A piece of one at the end is left out."""
        unread, at, size = b"", 0, RECORD.size
        for piece in self._pieces():
            unread, at = unread[at:] + piece, 0
            while len(unread) - at >= size:
                end = at + size
                if unread[at + 4] == Kind.TEXT:
                    _, _, _, length, _ = TEXT.unpack_from(unread, at)
                    if length > MOST_TEXT:
                        raise self._error(f"has a text of {length:,} bytes, with room for {MOST_TEXT:,}")
                    end += length
                    if end > len(unread):
                        break
                yield unread[at:end]
                at = end

    def _pieces(self) -> Iterator[bytes]:
        with self._file() as file:
            inflate, left = zlib.decompressobj(GZIP), MOST_BYTES
            while not inflate.eof:
                data = inflate.unconsumed_tail or file.read(READ_BYTES)
                try:
                    piece = inflate.decompress(data, READ_BYTES)
                except zlib.error as error:
                    raise self._error(f"is no gzip stream, or is damaged ({error})") from None
                if not data and not piece:
                    return
                left -= len(piece)
                if left < 0:  # a small file can unpack to any number of bytes
                    return
                yield piece
            if inflate.unused_data or file.read(1):
                raise self._error("has something behind the end of its gzip stream")

    def _file(self) -> IO[bytes]:
        """Open the file. What is none, such as a pipe that nobody writes to, is refused and never waited for."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return open(descriptor, "rb")
        os.close(descriptor)
        raise self._error("is no regular file")

    def _text(self, record: bytes) -> Text:
        try:
            content = json.loads(record[TEXT.size :])
        except (ValueError, RecursionError):
            raise self._error("has a text that is no JSON") from None
        if not isinstance(content, dict):
            raise self._error("has a text that is no JSON object")
        kind = Texts.HEADER if VERSION_KEY in content else str(content.get("kind", ""))
        return Text(_time(record) / TICKS_PER_S, kind, content)

    def _error(self, what: str) -> RecordingError:
        return RecordingError(f"{self.path} {what}: this version of lastport cannot read it as a recording")


def _time(record: bytes) -> int:
    return int.from_bytes(record[:4], "little")


def event(row: _ROW, addresses: Mapping[int, _Named], subscribers: Mapping[int, _Named]) -> Event:
    """Return the event of a record, with what its indexes stand for: a gateway, and an address of it."""
    ticks, number, detail, address, port, subscriber = row
    kind = _KINDS[number]
    gateway, external = addresses.get(address, NOBODY)
    of, internal = subscribers.get(subscriber, NOBODY)
    protocol = PROTOCOLS[detail & 15] if detail & 15 < len(PROTOCOLS) else ""
    reason = _REASONS.get((number, detail >> 4))
    return Event(ticks / TICKS_PER_S, kind, protocol, gateway or of, external, port, internal, reason)


_KINDS = {int(kind): kind for kind in Kind}
_REASONS = {(int(kind), int(reason)): reason for kind, reasons in REASONS.items() for reason in reasons}
