"""A switch that reads nothing for longer than the framework's sockets wait.

    LASTPORT_FRAMEWORK=ryu python -m tests.support.slow_switch

It prints whether the controller had to wait, was still connected afterwards, and whether all came in the end. To
import the framework changes Python's standard library; so this is a process of its own.
"""

from __future__ import annotations

import json
import socket

from controller.openflow.framework import handler, hub
from controller.openflow.loop import Connection

TIMEOUT_S = 0.02
SAID = bytes(range(256)) * 131_072


class Watched(Connection):
    """Counts how often there was no room for as long as its socket waits; nobody else is told of its states."""

    waits = 0

    def set_state(self, state: str) -> None:
        """Enter a state."""
        self.state = state

    def _send_some(self) -> None:
        before = len(self._unsent)
        super()._send_some()
        self.waits += len(self._unsent) == before


def main() -> None:
    """Say more than there is room for; read only when the controller has waited in vain, three times."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, address = listener.accept()
    connection = Watched(ours, address)
    ours.settimeout(TIMEOUT_S)
    hub.spawn(connection._send_loop)
    connection.send(SAID)
    while connection.waits < 3 and connection.state != handler.DEAD_DISPATCHER:
        hub.sleep(TIMEOUT_S)
    alive = connection.state != handler.DEAD_DISPATCHER
    received = bytearray()
    while alive and len(received) < len(SAID):
        received += theirs.recv(1 << 20)
    print(json.dumps({"waited": connection.waits >= 3, "alive": alive, "received": received == SAID}))


if __name__ == "__main__":
    main()
