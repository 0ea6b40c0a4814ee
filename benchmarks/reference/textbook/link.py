"""The controller's end of the socket to its gateway: it reports that it is ready, and takes orders."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from typing import Any

from controller.openflow.framework import hub

Adopt = Callable[[list[tuple[int, str, int, int]]], None]


class Link:
    """Lines of JSON, as `controller.openflow.telemetry` has them."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, **record: Any) -> None:
        """Send one record to the gateway."""
        self._connection.sendall(json.dumps(record).encode() + b"\n")

    def answer(self, adopt: Adopt) -> None:
        """Carry out orders in a loop of its own until the other end closes, and then end this process."""
        hub.spawn(self._answer, adopt)

    def _answer(self, adopt: Adopt) -> None:
        with self._connection.makefile("r") as lines:
            for line in lines:
                asked = json.loads(line)
                adopt([tuple(flow) for flow in asked["adopt"]])
                self.send(id=asked["id"])
        os._exit(0)
