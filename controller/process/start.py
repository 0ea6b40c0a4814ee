"""Start the controller: `python -m controller CONFIGURATION.yaml PORT TELEMETRY_FD`.

It listens for its switch at PORT on the loopback address, and ends when the other end of its telemetry closes.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from controller.openflow import framework
from controller.openflow.app import NatApp
from controller.openflow.loop import Connection
from controller.openflow.outbox import Outbox
from controller.openflow.router import Router
from controller.openflow.telemetry import Telemetry
from controller.process.garbage import collect_seldom
from controller.wiring import ControllerConfiguration

HOST = "127.0.0.1"


def main() -> None:
    """Run the controller until the process is ended."""
    configuration = ControllerConfiguration.load(Path(sys.argv[1]))
    NatApp.outbox = Outbox(configuration.settings.for_nat().flows)
    NatApp.router = Router(configuration, NatApp.outbox)
    NatApp.telemetry = telemetry = Telemetry(socket.socket(fileno=int(sys.argv[3])))
    collect_seldom()
    Connection.packet_in, Connection.answer = NatApp.router.packet_in, NatApp.send
    framework.run(
        ["controller.openflow.app"],
        HOST,
        int(sys.argv[2]),
        lambda: telemetry.send(listening=True),
        connection=Connection,
    )
