"""Where the bytes of a recording come from: a finished file, or a file that grows while its run goes on.

Each viewer reads for itself, from the offset that it asks for. So a slow viewer holds nobody, and nothing is kept
in memory for one; a viewer that comes late or comes back reads on from what it has.
"""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

PIECE = 1 << 16
"""The most bytes of a file that are read at once."""
LOOKS_AGAIN_S = 0.05
GZIP = 16 + zlib.MAX_WBITS


class Source(Protocol):
    """A recording that viewers may read."""

    key: str
    title: str
    about: dict[str, Any]
    is_live: bool
    """Whether more may come."""

    def pieces(self, start: int) -> AsyncIterator[bytes]:
        """Yield the bytes of the recording from an offset on, to its end, which for a live one is the run's."""


@dataclass(slots=True)
class Growing:
    """A recording of a run that goes on. Another process appends to the file, and says when it is over."""

    key: str
    title: str
    descriptor: int
    about: dict[str, Any] = field(default_factory=dict)
    is_live: bool = True

    async def pieces(self, start: int) -> AsyncIterator[bytes]:
        """Yield what is there and what comes, until the run is over and all of it is read."""
        while True:
            was_live = self.is_live  # asked before it reads: what was appended until then is read
            piece = os.pread(self.descriptor, PIECE, start)
            if piece:
                start += len(piece)
                yield piece
            elif was_live:
                await asyncio.sleep(LOOKS_AGAIN_S)
            else:
                return


@dataclass(slots=True)
class Finished:
    """A recording in a file. One that is cut off or damaged ends where that begins."""

    key: str
    title: str
    path: Path
    about: dict[str, Any] = field(default_factory=dict)
    is_live: bool = False

    async def pieces(self, start: int) -> AsyncIterator[bytes]:
        """Yield what the file holds, a limited number of bytes at once."""
        unpack = zlib.decompressobj(GZIP)
        left_out = start
        with self.path.open("rb") as file:
            while packed := unpack.unconsumed_tail or file.read(PIECE):
                try:
                    piece = unpack.decompress(packed, PIECE)
                except zlib.error:
                    return
                if piece[left_out:]:
                    yield piece[left_out:]
                left_out = max(0, left_out - len(piece))
                if unpack.eof:
                    return
                await asyncio.sleep(0)
