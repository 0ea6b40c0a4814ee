"""A program that leads the switch to a controller that runs outside of the sandbox.

    python -m topologies.gateways.app.relay FD PORT

FD is a connection to the controller, made before the sandbox was. At 127.0.0.1:PORT the switch finds it. The
program ends, with a sentence, when the controller closes the connection.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading

HOST = "127.0.0.1"
READ_BYTES = 1 << 18


def main() -> None:
    """Carry bytes both ways, each in a thread of its own, since neither end need read while it writes."""
    controller = socket.socket(fileno=int(sys.argv[1]))
    controller.setblocking(True)
    with socket.create_server((HOST, int(sys.argv[2]))) as listening:
        switch, _ = listening.accept()
    for each in (controller, switch):
        with contextlib.suppress(OSError):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=_carry, args=(switch, controller, "the switch"), daemon=True).start()
    _carry(controller, switch, "the controller")


def _carry(source: socket.socket, to: socket.socket, name: str) -> None:
    """Carry bytes one way until the source closes, and then end the program."""
    with contextlib.suppress(ConnectionError):
        while read := source.recv(READ_BYTES):
            to.sendall(read)
    print(f"{name} closed the connection", flush=True)
    os._exit(1)


if __name__ == "__main__":
    main()
