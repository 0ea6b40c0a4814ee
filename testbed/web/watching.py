"""What the launcher has of the page's server: it begins and ends recordings, appends to them, and never waits.

The bytes of a recording go to a file without a name that the server has open as well. To append to a file takes no
reader, so whatever becomes of the server or of its viewers costs the run nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from testbed.experiment.plan import Run
from testbed.run.launch import Watch
from testbed.run.naming import printable, title
from testbed.web.about import about_plan
from testbed.web.listening import Listener, listen
from testbed.web.serving import ENDS_WITHIN_S


class Watched:
    """A recording that viewers may read while it grows."""

    def __init__(self, orders: socket.socket, title: str, about: dict[str, Any]) -> None:
        self._orders = orders
        self._key = secrets.token_hex(8)
        self._file: IO[bytes] | None = None
        begin = json.dumps({"begin": self._key, "title": title}).encode()
        with contextlib.suppress(OSError), open(os.memfd_create("about"), "wb") as told:
            told.write(json.dumps(about).encode())  # in a file, since a message has a limited size
            told.flush()
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (until it is closed)
            socket.send_fds(orders, [begin], [self._file.fileno(), told.fileno()])

    def write(self, recorded: bytes) -> None:
        """Append to the recording. If the disk is full, the page lacks the rest, and the run goes on."""
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.write(recorded)

    def close(self) -> None:
        """Note that nothing more comes."""
        if self._file is not None:
            self._file.close()
        with contextlib.suppress(OSError):
            self._orders.send(json.dumps({"end": self._key}).encode())


class Web:
    """The page's server, in a process of its own, for as long as the block lasts."""

    def __init__(self, listener: Listener) -> None:
        self.url = listener.url
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptors = [theirs.fileno(), listener.socket.fileno()]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "testbed.web.process", *map(str, descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C ends the run, and the page then shows the end of it
        )
        theirs.close()
        listener.socket.close()
        self._orders.setblocking(False)
        self._orders.send(json.dumps({"token": listener.token}).encode())

    @property
    def process_id(self) -> int:
        """The server's process."""
        return self._process.pid

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        """End the server. It has a second to send the rest to those who take it."""
        self._orders.close()
        try:
            self._process.wait(ENDS_WITHIN_S + 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def begin(self, title: str, about: dict[str, Any]) -> Watched:
        """Return a recording that is empty so far."""
        return Watched(self._orders, title, about)


@contextlib.contextmanager
def watching(address: str | None, port: int | None) -> Iterator[Watch]:
    """Serve the page while the block lasts, and print its URL. Raises ConfigurationError if that cannot be."""
    with Web(listen(address, port)) as web:
        print(f"lastport: {web.url} shows the run", file=sys.stderr, flush=True)

        def watch(plan: Run) -> Watched:
            named = title(plan.scenario, plan.gateway, plan.chosen)
            return web.begin(printable(named), about_plan(plan))

        yield watch
