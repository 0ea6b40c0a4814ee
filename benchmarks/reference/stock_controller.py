"""Our controller with the framework's own receive loop, events and message objects, for comparison.

    python -m benchmarks.reference.stock_controller CONFIGURATION.yaml PORT TELEMETRY_FD

The same router decides everything. Only the ways in and out are those of a textbook.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from controller.nat.model import Flow
from controller.openflow import framework, messages
from controller.openflow.app import NatApp
from controller.openflow.outbox import Outbox
from controller.openflow.pipeline import ToldApart, rules_of
from controller.openflow.router import Router
from controller.openflow.rules import Table
from controller.openflow.switch import Arrival
from controller.openflow.telemetry import Telemetry
from controller.wiring import ControllerConfiguration

HOST = "127.0.0.1"


class StockOutbox(Outbox):
    """An outbox that makes every message of the framework's classes."""

    def __init__(self, told_apart: ToldApart) -> None:
        super().__init__(told_apart)
        self._told_apart = told_apart

    def add(self, flow: Flow, cookie: int, cause: Arrival | None) -> None:
        """Add a flow's rules."""
        super().add(flow, cookie, cause)  # expects a refusal
        self._pieces.pop()
        for rule in rules_of(flow, self._told_apart, cookie):
            self.append(messages.addition(rule), self.xid)

    def remove(self, flow: Flow, cookie: int) -> None:
        """Remove a flow's rules."""
        for rule in rules_of(flow, self._told_apart, cookie):
            self.append(messages.removal(rule))

    def inject(self, frame: bytes, in_port: int, table: Table) -> None:
        """Put a frame back where it came in."""
        self.append(messages.injection(frame, in_port, table))

    def deliver(self, frame: bytes) -> None:
        """Put a frame before the inbound rules."""
        self.append(messages.delivery(frame))

    def forward(self, frame: bytes) -> None:
        """Send a frame on to its next hop."""
        self.append(messages.forwarding(frame))

    def send(self, frame: bytes, port: int) -> None:
        """Send a frame out of a port."""
        self.append(messages.sending(frame, port))


def main() -> None:
    """Run the controller until it is killed."""
    configuration = ControllerConfiguration.load(Path(sys.argv[1]))
    NatApp.outbox = StockOutbox(configuration.settings.for_nat().flows)
    NatApp.router = Router(configuration, NatApp.outbox)
    NatApp.telemetry = telemetry = Telemetry(socket.socket(fileno=int(sys.argv[3])))
    framework.run(["controller.openflow.app"], HOST, int(sys.argv[2]), lambda: telemetry.send(listening=True))


if __name__ == "__main__":
    main()
