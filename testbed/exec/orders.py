"""How the launcher orders programs of the sandbox: by messages with descriptors."""

from __future__ import annotations

import os
import socket
import threading

from testbed.sandbox.program import Order


class Orders:
    """The launcher's end of the socket by which programs are ordered. Any thread may order one."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()

    def order(self, host: str, order: Order, files: tuple[int, int, int]) -> socket.socket:
        """Order a program on a host, with these standard files, and return the socket to its guard."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        written = order.written()
        with theirs, self._lock:
            socket.send_fds(
                self._ours, [host.encode(errors="replace") or b" "], [theirs.fileno(), written, *files]
            )
        os.close(written)
        return ours

    def end(self) -> None:
        """Order no more."""
        with self._lock:
            self._ours.close()
