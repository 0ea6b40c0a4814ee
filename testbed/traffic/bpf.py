"""Programs by which a kernel chooses what comes to a socket: classic BPF (socket(7), SO_ATTACH_FILTER)."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence

Line = tuple[int, int, int, int]
"""An instruction: code, jumps if true and if false, operand (struct sock_filter)."""
LOAD_BYTE, LOAD_HALF, LOAD_LENGTH, EQUAL, GIVE = 0x30, 0x28, 0x80, 0x15, 0x06
TAKE_NOTHING: Sequence[Line] = [(GIVE, 0, 0, 0)]
"""Whatever comes is dropped, as if nobody had the socket. So a full queue loses none of it."""
_SO_ATTACH_FILTER = 26


def attach(filtered: socket.socket, program: Sequence[Line]) -> None:
    """Put a program in the place of the one before."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    filtered.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(code))
    )
