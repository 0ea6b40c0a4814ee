"""How the runner tells PID 1 which processes the run lives by."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, NoReturn


class Supervisor:
    """The runner's end: names processes to PID 1, which ends the run when one of them dies."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def watch(self, name: str, pid: int, log: Path) -> None:
        """Let the end of this process be the end of the run; the tail of `log` are its last words."""
        self._connection.send(json.dumps({"do": "watch", "name": name, "pid": pid, "log": str(log)}).encode())

    def over(self) -> NoReturn:
        """Say that the run is over and everything told; wait for PID 1 to end us all."""
        self._connection.send(json.dumps({"do": "end"}).encode())
        while True:
            signal.pause()

    def start(self, name: str, command: list[str], log: Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program and watch it; what it prints goes to `log`."""
        with log.open("w") as words:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words, **options)
        self.watch(name, process.pid, log)
        return process
