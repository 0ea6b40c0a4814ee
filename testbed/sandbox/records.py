"""What the sandbox tells the launcher: records, one line of JSON each, on one socket.

The launcher first writes one line, the job. After that it writes nothing: that its end is open is the sign
that it lives.
"""

from __future__ import annotations

import json
import socket
from typing import Any


class Channel:
    """The sandbox's end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        """Readable, once the job is read, means that the launcher is gone."""
        return self._connection.fileno()

    def job(self) -> dict[str, Any]:
        """Read what is to be done."""
        line = bytearray()
        while not line.endswith(b"\n"):
            part = self._connection.recv(65536)
            if not part:
                raise EOFError("the launcher is gone")
            line += part
        job: dict[str, Any] = json.loads(line)
        return job

    def send(self, kind: str, **fields: Any) -> None:
        """Write one record."""
        self._connection.sendall(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    def end_line(self) -> None:
        """End whatever line a process that was killed may have left unfinished."""
        self._connection.sendall(b"\n")
