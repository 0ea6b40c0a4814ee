"""The runner's orders to PID 1: which processes to watch, and when the run is over."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, NoReturn


class Supervisor:
    """The runner's end of the socket: it names processes to PID 1, which ends the run when one of them dies."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def watch(self, name: str, pid: int, log: Path) -> None:
        """Have PID 1 end the run when this process ends. The tail of `log` is reported as its last words."""
        self._connection.send(json.dumps({"do": "watch", "name": name, "pid": pid, "log": str(log)}).encode())

    def over(self) -> NoReturn:
        """Order PID 1 to end the run, when every record has been sent, and wait for that."""
        self._connection.send(json.dumps({"do": "end"}).encode())
        while True:
            signal.pause()

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
