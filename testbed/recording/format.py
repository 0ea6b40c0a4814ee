"""The format of a recording: a gzip stream of records of 12 bytes, some with a text of JSON behind them.

`controller/recording.py` has the record itself, which gateways write. Here is what else is in the file. The first
record is a text, the header. An index is announced by a text of the kind `table` before it is first used.
"""

from __future__ import annotations

import enum
import json
import struct
from typing import Any, NamedTuple

from controller.recording import (
    MOST_TICKS,
    PROTOCOLS,
    RECORD,
    TICKS_PER_S,
    Kind,
    Refusal,
    Release,
    ticks_of,
)

VERSION = 1
VERSION_KEY = "lastport_recording"
FILE = "recording.gz"
"""The name of a recording among the results of its run."""

TEXT = struct.Struct("<IBBIH")
"""A record of the kind TEXT: time, kind 0, 0, the length of the text in bytes, 0."""
MOST_TEXT = 4 << 20
"""The most bytes of a text."""
MOST_BYTES = 128 << 20
"""The most bytes of a recording, unpacked: 11 million events."""

GZIP = 31
"""The window bits by which zlib writes and reads a gzip stream."""


class Outcome(enum.IntEnum):
    """What became of an attempt: the reason of ATTEMPT."""

    UNKNOWN = 0
    ESTABLISHED = 1
    UNANSWERED = 2
    TIMEOUT = 3
    ICMP = 4
    RESET = 5
    HELD = 6
    EVICTED = 7
    LEAKED = 8
    SHARED = 9


REASONS: dict[Kind, type[enum.IntEnum]] = {
    Kind.RELEASED: Release,
    Kind.REFUSED: Refusal,
    Kind.HELD: Refusal,
    Kind.ATTEMPT: Outcome,
}
"""What the reason of each kind is one of. The others have none."""


class Texts(enum.StrEnum):
    """The kinds of texts: the value of `kind` in each but the header, which has the version instead."""

    HEADER = "header"
    TABLE = "table"
    PHASE = "phase"
    PROGRESS = "progress"
    CHECK = "check"
    OUTCOMES = "outcomes"
    COUNTERS = "counters"
    GAUGES = "gauges"
    SAMPLE = "sample"
    MISSED = "missed"
    END = "end"


class Event(NamedTuple):
    """An event. `time` is in seconds since the recording began. What is not known is an empty string or 0."""

    time: float
    kind: Kind
    protocol: str
    gateway: str
    address: str
    port: int
    subscriber: str
    reason: enum.IntEnum | None


class Text(NamedTuple):
    """A text: its time in seconds since the recording began, its kind, and what it contains."""

    time: float
    kind: str
    content: dict[str, Any]


def packed_text(ticks: int, content: dict[str, Any]) -> bytes:
    """Return a record with its text. Raises ValueError if the text is too long."""
    text = json.dumps(content, separators=(",", ":")).encode()
    if len(text) > MOST_TEXT:
        raise ValueError(f"a text of {len(text):,} bytes: a recording has room for {MOST_TEXT:,}")
    return TEXT.pack(ticks, Kind.TEXT, 0, len(text), 0) + text


__all__ = [
    "FILE",
    "GZIP",
    "MOST_BYTES",
    "MOST_TEXT",
    "MOST_TICKS",
    "PROTOCOLS",
    "REASONS",
    "RECORD",
    "TEXT",
    "TICKS_PER_S",
    "VERSION",
    "VERSION_KEY",
    "Event",
    "Kind",
    "Outcome",
    "Refusal",
    "Release",
    "Text",
    "Texts",
    "packed_text",
    "ticks_of",
]
