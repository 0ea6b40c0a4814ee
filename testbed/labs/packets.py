"""The packets of one second of a run: what both captures of it have, in one file, in the order of their times.

The captures are written by `testbed/traffic/pcapng.py`, so one section with known options is all that is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from testbed.recording import Recording, RecordingError
from testbed.recording.format import Text, Texts
from testbed.run.folder import CAPTURES
from testbed.traffic import pcapng

SECOND_NS = 10**9
BEFORE_NS = 20_000_000
"""What is kept of the time before a phase: the clocks of captures and phases may differ by this."""
MOST = 2000
"""The packets that are kept."""
SNAP = 65535
_BLOCK = struct.Struct("=II")
_NAME = struct.Struct("=HH")


def phases(results: Path) -> dict[str, int]:
    """Return when each phase of a run first began, in nanoseconds since the epoch, as far as it was recorded."""
    try:
        recording = Recording.open(results)
        started = round(datetime.fromisoformat(str(recording.header["started"])).timestamp() * SECOND_NS)
        texts = [each for each in recording if isinstance(each, Text) and each.kind == Texts.PHASE]
    except (RecordingError, OSError, KeyError, ValueError):
        return {}
    begun: dict[str, int] = {}
    for text in texts:
        if not text.content.get("end"):
            begun.setdefault(str(text.content.get("name")), started + round(text.time * SECOND_NS))
    return begun


def sliced(results: Path, begins: int) -> bytes:
    """Return the packets of the second that begins then, as a file; nothing if there are none."""
    frames: list[tuple[int, int, int, bytes]] = []
    names: list[str] = []
    for side, name in CAPTURES.items():
        try:
            content = (results / name).read_bytes()
        except OSError:
            continue
        first = len(names)
        for kind, body in _blocks(content):
            if kind == pcapng.INTERFACE:
                names.append(f"{_interface(body)} ({side})")
            elif kind == pcapng.ENHANCED_PACKET:
                at, packet = _packet(body)
                if begins - BEFORE_NS <= at < begins + SECOND_NS:
                    frames.append((at, first + packet[0], packet[1], packet[2]))
    if not frames:
        return b""
    kept = sorted(frames)[:MOST]
    packets = (pcapng.packet(interface, at, length, frame) for at, interface, length, frame in kept)
    return pcapng.head(names, SNAP) + b"".join(packets)


def _blocks(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the body of each whole block."""
    at = 0
    while at + _BLOCK.size <= len(content):
        kind, length = _BLOCK.unpack_from(content, at)
        if length < 12 or at + length > len(content):
            return
        yield kind, content[at + _BLOCK.size : at + length - 4]
        at += length


def _interface(body: bytes) -> str:
    """Return the name in the first option of an interface's block."""
    _, length = _NAME.unpack_from(body, 8)
    return body[12 : 12 + length].decode(errors="replace")


def _packet(body: bytes) -> tuple[int, tuple[int, int, bytes]]:
    """Return the time of a frame, and its interface, its whole length, and what is kept of it."""
    interface, high, low, kept, length = struct.unpack_from("=IIIII", body)
    return high << 32 | low, (interface, length, body[20 : 20 + kept])
