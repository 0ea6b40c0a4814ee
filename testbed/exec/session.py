"""`lastport exec --session`: programs by lines of JSON, for a test suite that talks to this process.

A line on standard input starts a program, or sends it a signal; the end of the input ends all:

    {"id": 1, "host": "alice", "command": ["curl", "http://server/"], "input": BASE64, "folder": "",
     "environment": {}}
    {"id": 1, "signal": 15}

A line on standard output is one of these; what programs write comes at once, in BASE64:

    {"hosts": ["alice", ...]}                                    the network is there
    {"id": 1, "output": BASE64}    {"id": 1, "errors": BASE64}
    {"id": 1, "status": 0, "complaint": ""}                      nothing of it is left, or it was never started
    {"refused": "..."}                                           a line that is no order
    {"results": "runs/...", "account": {...}, ...}               the last line
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from testbed.exec.conducting import Conductor, Surroundings
from testbed.exec.lines import write_all
from testbed.sandbox.guarded import Guarded
from testbed.sandbox.program import FAILED, in_memory

READ_BYTES = 1 << 16
WRONG = (ValueError, TypeError, KeyError, AttributeError, OSError)
"""What an order may raise that is none, or that cannot be carried out."""


class Session(Conductor):
    """Takes orders from standard input until it ends."""

    def __init__(self, surroundings: Surroundings, folder: Path) -> None:
        super().__init__((), surroundings, folder, timeout=None)
        self._hosts: list[str] = []
        self._known: dict[int, Guarded] = {}
        self._writing = threading.Lock()

    def see(self, record: dict[str, Any]) -> None:
        """Take note of the hosts, and begin when the network is there."""
        match record:
            case {"kind": "series", "series": {"hosts": [*hosts]}}:
                self._hosts = hosts
        super().see(record)

    def tell(self, **message: Any) -> None:
        """Write a line of JSON."""
        with self._writing, contextlib.suppress(OSError):
            write_all(1, json.dumps(message).encode() + b"\n")

    def _run(self) -> int:
        self.tell(hosts=self._hosts)
        threads: list[threading.Thread] = []
        for line in sys.stdin.buffer:
            try:
                threads += self._obey(json.loads(line))
            except WRONG as error:
                self.tell(refused=f"this line is no order: {error!r}")
        self._end()
        for thread in threads:
            thread.join()
        return 0

    def _obey(self, order: Mapping[str, Any]) -> list[threading.Thread]:
        """Carry out an order, and return the threads that follow the program."""
        number = int(order["id"])
        if "signal" in order:
            if order["signal"] not in signal.valid_signals():
                raise ValueError(f"there is no signal {order['signal']}")
            if number in self._known:
                self._known[number].signal(order["signal"])
            return []
        if number in self._known:
            raise ValueError(f"there was a program {number} already")
        try:
            return self._started(number, order)
        except WRONG as error:
            self.tell(id=number, status=FAILED, complaint=f"this program could not be ordered: {error}")
            return []

    def _started(self, number: int, order: Mapping[str, Any]) -> list[threading.Thread]:
        """Start a program, and return the threads that follow it."""
        surroundings = replace(
            self._surroundings,
            folder=str(order.get("folder") or self._surroundings.folder),
            environment={**self._surroundings.environment, **_texts(order.get("environment", {}))},
        )
        if not isinstance(order["command"], list):
            raise TypeError("its command is no list of words")
        wanted, host = surroundings.order([str(word) for word in order["command"]]), str(order["host"])
        given = in_memory("input", base64.b64decode(order.get("input", ""), validate=True))
        (output, writes), (errors, complains) = os.pipe(), os.pipe()
        try:
            program = Guarded(self._orders.order(host, wanted, (given, writes, complains)))
        finally:
            for descriptor in (given, writes, complains):
                os.close(descriptor)
        self._known[number] = program
        self._running.append(program)
        copying = [
            threading.Thread(target=self._copy, args=(number, name, pipe), daemon=True)
            for name, pipe in (("output", output), ("errors", errors))
        ]
        following = threading.Thread(target=self._follow, args=(number, program, copying), daemon=True)
        for thread in (*copying, following):
            thread.start()
        return [following]

    def _copy(self, number: int, name: str, pipe: int) -> None:
        while data := os.read(pipe, READ_BYTES):
            self.tell(id=number, **{name: base64.b64encode(data).decode()})
        os.close(pipe)

    def _follow(self, number: int, program: Guarded, copying: list[threading.Thread]) -> None:
        status = program.follow()
        for thread in copying:
            thread.join()
        program.close()
        self.tell(id=number, status=FAILED if status is None else status, complaint=program.complaint)


def _texts(given: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in given.items()}
