"""Small pictures as PNG: pixels of a palette, packed to four bits, in a `data:` URI. Always the same bytes."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEPTH = 4
"""Bits of a pixel, so a palette has up to 16 colours."""
PALETTE_COLOURS = 3
"""PNG's type of picture: each pixel is an index of the palette."""

Colour = tuple[int, int, int]


def png(pixels: bytes | bytearray, width: int, palette: Sequence[Colour]) -> bytes:
    """Return a picture of `width` pixels a row; each byte of `pixels` is an index of the palette."""
    rows = [pixels[start : start + width] for start in range(0, len(pixels), width)]
    raw = b"".join(b"\0" + _packed(row) for row in rows)
    header = struct.pack(">IIBBBBB", width, len(rows), DEPTH, PALETTE_COLOURS, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"PLTE", bytes(part for each in palette for part in each))]
    chunks += [(b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(*chunk) for chunk in chunks)


def data_uri(picture: bytes) -> str:
    """Return the address under which a page has the picture in itself."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _packed(row: bytes | bytearray) -> bytes:
    even = bytes(row) + b"\0" * (len(row) % 2)
    return bytes(high << DEPTH | low for high, low in zip(even[::2], even[1::2], strict=True))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
