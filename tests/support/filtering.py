"""A kernel's own packet filter, on a pair of sockets, in place of a wire."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterable

from testbed.evidence.filters import Program

SO_ATTACH_FILTER = 26


def passed(program: Program, frames: Iterable[bytes]) -> list[bytes]:
    """Return the frames that pass the filter. All come as if they were sent to the host itself."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        attached = struct.pack("HL", len(program), ctypes.addressof(code))
        theirs.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, attached)
        theirs.setblocking(False)
        return [frame for frame in frames if _passes(ours, theirs, frame)]


def _passes(ours: socket.socket, theirs: socket.socket, frame: bytes) -> bool:
    ours.send(frame)
    try:
        theirs.recv(len(frame))
    except BlockingIOError:  # what the filter drops leaves nothing
        return False
    return True
