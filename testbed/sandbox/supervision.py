"""The runner's orders to PID 1: which processes to watch, and when the run is over."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, NoReturn

MOST_LETTERS = 4000
"""Letters of a reason, and of last words: both together fit in one message, however they are written."""


class Supervisor:
    """The runner's end of the socket: it names processes to PID 1, which ends the run when one of them dies."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def watch(self, name: str, pid: int, log: Path) -> None:
        """Have PID 1 end the run when this process ends. The tail of `log` is reported as its last words."""
        self._order(do="watch", name=name, pid=pid, log=str(log))

    def over(self) -> NoReturn:
        """Order PID 1 to end the run, when every record has been sent, and wait for that."""
        self._order(do="end")
        while True:
            signal.pause()

    def fail(self, reason: str, last_words: str) -> NoReturn:
        """Order PID 1 to break the run off, and wait for that. If a process has just died, that is the reason."""
        self._order(do="fail", reason=reason[:MOST_LETTERS], last_words=last_words[-MOST_LETTERS:])
        while True:
            signal.pause()

    def _order(self, **order: Any) -> None:
        self._connection.send(json.dumps(order).encode())

    def start(self, name: str, command: list[str], log: Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program and watch it. What it prints goes to `log`. No terminal's Ctrl-C reaches it."""
        with log.open("w") as words:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
                **options,
            )
        self.watch(name, process.pid, log)
        return process
