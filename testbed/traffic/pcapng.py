"""Writing captures as pcapng, which Wireshark and tcpdump read, and which names the interface of each frame.

The format is that of draft-ietf-opsawg-pcapng. A file is a chain of blocks, so it can be read up to the last whole
block, however its writing ended.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

SECTION, INTERFACE, ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_ANY_LENGTH = 0xFFFF_FFFF_FFFF_FFFF
_ETHERNET = 1
_IF_NAME, _IF_TSRESOL, _END_OF_OPTIONS = 2, 9, 0
_NANOSECONDS = b"\x09"
_PACKET = struct.Struct("=IIIIIII")
_LENGTH = struct.Struct("=I")


def head(interfaces: Sequence[str], snap: int) -> bytes:
    """Return the beginning of a file: its section, and its interfaces, which frames name by their position."""
    section = _block(SECTION, struct.pack("=IHHQ", _BYTE_ORDER_MAGIC, 1, 0, _ANY_LENGTH))
    return section + b"".join(
        _block(
            INTERFACE,
            struct.pack("=HHI", _ETHERNET, 0, snap)
            + _option(_IF_NAME, name.encode())
            + _option(_IF_TSRESOL, _NANOSECONDS)
            + _option(_END_OF_OPTIONS, b""),
        )
        for name in interfaces
    )


def packet(interface: int, nanoseconds: int, length: int, frame: bytes) -> bytes:
    """Return the block of a frame of `length` bytes, which begins with `frame`. The time is since the epoch."""
    kept = len(frame)
    padding = -kept % 4
    total = 32 + kept + padding
    fields = (ENHANCED_PACKET, total, interface, nanoseconds >> 32, nanoseconds & 0xFFFF_FFFF, kept, length)
    return b"".join((_PACKET.pack(*fields), frame, b"\0" * padding, _LENGTH.pack(total)))


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    total = _LENGTH.pack(12 + len(body))
    return _LENGTH.pack(kind) + total + body + total
