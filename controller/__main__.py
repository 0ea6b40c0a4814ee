"""Start the controller: `python -m controller CONFIGURATION.yaml TELEMETRY_FD`."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from controller.openflow import framework
from controller.openflow.app import NatApp
from controller.openflow.router import Router
from controller.telemetry import Telemetry
from controller.wiring import ControllerConfiguration

LISTEN = ("127.0.0.1", 6653)


def main() -> None:
    """Run until killed."""
    NatApp.router = Router(ControllerConfiguration.load(Path(sys.argv[1])))
    NatApp.telemetry = Telemetry(socket.socket(fileno=int(sys.argv[2])))
    framework.run("controller.openflow.app", *LISTEN, lambda: NatApp.telemetry.send(listening=True))


main()
