"""Start the controller: `python -m controller CONFIGURATION.yaml PORT TELEMETRY_FD`.

It listens for its switch at the PORT of this machine, and ends when the other end of its telemetry closes.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from controller.garbage import collect_seldom
from controller.openflow import framework
from controller.openflow.app import NatApp
from controller.openflow.router import Router
from controller.telemetry import Telemetry
from controller.wiring import ControllerConfiguration

HOST = "127.0.0.1"


def main() -> None:
    """Run until killed."""
    NatApp.router = Router(ControllerConfiguration.load(Path(sys.argv[1])))
    NatApp.telemetry = Telemetry(socket.socket(fileno=int(sys.argv[3])))
    collect_seldom()
    framework.run("controller.openflow.app", HOST, int(sys.argv[2]), lambda: NatApp.telemetry.send(listening=True))


main()
