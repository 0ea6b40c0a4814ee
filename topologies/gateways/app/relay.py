"""A program that leads the switch to a controller that runs outside of the sandbox.

    python -m topologies.gateways.app.relay FD PORT

FD is a connection to the controller, made before the sandbox was. At 127.0.0.1:PORT the switch finds it. The
program ends, with a sentence, when the controller closes the connection, or does not speak OpenFlow.

Each side of a connection greets the other at once, by OFPT_HELLO (OpenFlow 1.3, section 6.3.1). The switch finds a
place to connect to only when the controller has done so, since it waits for no more than a second. Some
controllers wait for the switch's greeting, and get it later.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from typing import NoReturn

HOST = "127.0.0.1"
READ_BYTES = 1 << 18
GREETS_WITHIN_S = 5.0
VERSIONS = range(1, 7)
"""OpenFlow's versions on the wire, from 1.0 to 1.5."""
HELLO = 0
MOST_SHOWN = 32


def main() -> None:
    """Carry bytes both ways, each in a thread of its own, since neither end need read while it writes."""
    controller = socket.socket(fileno=int(sys.argv[1]))
    greeting = _heard(controller)
    with socket.create_server((HOST, int(sys.argv[2]))) as listening:
        switch, _ = listening.accept()
    for each in (controller, switch):
        with contextlib.suppress(OSError):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if greeting is None:
        controller.sendall(switch.recv(READ_BYTES))
        greeting = _heard(controller)
    if reason := no_controller(greeting):
        _end(reason)
    threading.Thread(target=_carry, args=(switch, controller, "the switch"), daemon=True).start()
    _carry(controller, switch, "the controller")


def no_controller(greeting: bytes | None) -> str:
    """Return why the first bytes that came are no controller's, if so. None: there were none in time."""
    if greeting is None:
        return "the controller did not answer the switch's greeting (OFPT_HELLO)"
    if greeting and (greeting[0] not in VERSIONS or {*greeting[1:2]} - {HELLO}):
        return f"what answers there is no OpenFlow controller: it begins with {greeting[:MOST_SHOWN]!r}"
    return ""


def _heard(controller: socket.socket) -> bytes | None:
    """Return the controller's first bytes, and leave them unread; None if none come in time."""
    controller.settimeout(GREETS_WITHIN_S)
    try:
        return controller.recv(MOST_SHOWN, socket.MSG_PEEK)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""
    finally:
        controller.settimeout(None)


def _carry(source: socket.socket, to: socket.socket, name: str) -> None:
    """Carry bytes one way until the source closes, and then end the program."""
    with contextlib.suppress(ConnectionError):
        while read := source.recv(READ_BYTES):
            to.sendall(read)
    _end(f"{name} closed the connection")


def _end(sentence: str) -> NoReturn:
    print(sentence, flush=True)
    os._exit(1)


if __name__ == "__main__":
    main()
