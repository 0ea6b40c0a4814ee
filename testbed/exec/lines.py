"""The output of several programs on one: line by line, each with its host's name before it."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable

READ_BYTES = 1 << 16
MOST_IN_LINE = 1 << 16
"""A longer line is parted there."""


class Lines:
    """Copies pipes to one open file, in a thread for each. A line is never mixed with another.

    `unwritable` is called once, if the file cannot be written any more. The rest is read, and goes nowhere.
    """

    def __init__(self, file: int, unwritable: Callable[[OSError], None]) -> None:
        self._file = file
        self._unwritable = unwritable
        self._is_lost = False
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def pipe(self, name: str) -> int:
        """Return the end of a new pipe, to be given to a program and closed; its lines get this name."""
        ours, theirs = os.pipe()
        thread = threading.Thread(target=self._copy, args=(ours, f"{name}: ".encode()), daemon=True)
        thread.start()
        self._threads.append(thread)
        return theirs

    def wait(self) -> None:
        """Wait until every pipe has ended, and all of it is written."""
        for thread in self._threads:
            thread.join()

    def _copy(self, pipe: int, name: bytes) -> None:
        left = b""
        while data := os.read(pipe, READ_BYTES):
            *lines, left = (left + data).split(b"\n")
            if len(left) > MOST_IN_LINE:
                lines.append(left)
                left = b""
            self._write(b"".join(name + line + b"\n" for line in lines))
        if left:
            self._write(name + left + b"\n")
        os.close(pipe)

    def _write(self, text: bytes) -> None:
        with self._lock:
            if self._is_lost:
                return
            try:
                write_all(self._file, text)
            except OSError as error:
                self._is_lost = True
                with contextlib.suppress(OSError):
                    self._unwritable(error)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, also where another process has made the file one that never waits. Raises OSError."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
