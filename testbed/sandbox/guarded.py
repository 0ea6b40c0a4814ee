"""A program on a host, seen from the other end of its guard's socket: its messages, and what became of it."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from testbed.sandbox.program import FAILED

MOST_BYTES = 1 << 16


class Guarded:
    """A program that was ordered. Its `status` is None until nothing of it is left.

    `on_terminal` takes the other end of its terminal, if it has one. `on_stop` is called when a signal stopped it.
    """

    def __init__(
        self,
        guard: socket.socket,
        *,
        on_terminal: Callable[[int], None] = os.close,
        on_stop: Callable[[Guarded], None] = lambda program: None,
    ) -> None:
        self.status: int | None = None
        self.is_refused = False
        """Whether there is no such host."""
        self.complaint = ""
        """Why it could not be run, in words, if so."""
        self._guard = guard
        self._on_terminal, self._on_stop = on_terminal, on_stop
        self._lock = threading.Lock()

    def signal(self, number: int) -> None:
        """Send it a signal, and to all that is in its group. If it has ended, that changes nothing."""
        try:
            with self._lock:
                self._guard.send(json.dumps({"signal": int(number)}).encode())
        except OSError:
            return

    def follow(self, until_more: Callable[[], None] = lambda: None) -> int:
        """Take the messages of its guard until nothing of it is left, and return its status.

        `until_more` is called before each of them, and may return when there is one.
        """
        while self.status is None:
            until_more()
            try:
                message, descriptors, *_ = socket.recv_fds(self._guard, MOST_BYTES, 1)
            except ConnectionResetError:  # it ended and had not read a signal; what it sent comes after this
                continue
            if not message:
                self.complaint = self.complaint or "the network broke"
                self.status = FAILED
                break
            self._take(json.loads(message), descriptors)
        return self.status

    def fileno(self) -> int:
        """Return the descriptor on which its guard's messages come."""
        return self._guard.fileno()

    def close(self) -> None:
        """Close the socket to its guard, which ends the program."""
        self._guard.close()

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        match message:
            case {"terminal": True}:
                self._on_terminal(descriptors[0])
            case {"failed": [number, about]}:
                self.complaint = f"{about}: {os.strerror(number)}" if number else about
            case {"refused": reason}:
                self.complaint, self.status, self.is_refused = reason, FAILED, True
            case {"stopped": _}:
                self._on_stop(self)
            case {"ended": status}:
                self.status = status
