"""The records that the sandbox sends to the launcher, on one socket: each is a line of JSON.

The launcher first writes one line, the job. After that it writes nothing. As long as its end is open, the launcher
lives.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any


class Channel:
    """The sandbox's end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor to poll: once the job is read, it gets readable when the launcher is gone."""
        return self._connection.fileno()

    def job(self) -> dict[str, Any]:
        """Read the job, the launcher's one line."""
        line = bytearray()
        while not line.endswith(b"\n"):
            part = self._connection.recv(65536)
            if not part:
                raise EOFError("the launcher is gone")
            line += part
        job: dict[str, Any] = json.loads(line)
        return job

    def send(self, kind: str, **fields: Any) -> None:
        """Send one record to the launcher."""
        line = json.dumps({"kind": kind, **fields}).encode() + b"\n"
        with self._lock:  # gateways report their events from threads of their own
            self._connection.sendall(line)

    def end_line(self) -> None:
        """End the line, which a process that was killed may have left unfinished."""
        self._connection.sendall(b"\n")
