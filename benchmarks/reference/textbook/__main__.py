"""The textbook's NAT as a program, started as our own controller is.

python -m benchmarks.reference.textbook CONFIGURATION.yaml PORT FD
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import ModuleType

from benchmarks.reference.textbook.link import Link
from controller.openflow import framework
from controller.wiring import ControllerConfiguration
from topologies.gateways.app import wiring

HOST = "127.0.0.1"


def main() -> None:
    """Run the controller until it is killed."""
    known, port = ControllerConfiguration.load(Path(sys.argv[1])), int(sys.argv[2])
    facts = wiring.wiring(known.settings, known.interfaces, known.mac, dpid=1, listen_port=port)
    constants = sys.modules[wiring.MODULE] = ModuleType(wiring.MODULE)
    vars(constants).update({name.upper(): value for name, value in facts.items()})
    from benchmarks.reference.textbook.nat import Measured  # which imports the constants

    Measured.link = Link(socket.socket(fileno=int(sys.argv[3])))
    framework.run([Measured.__module__], HOST, port, lambda: Measured.link.send(listening=True))


main()
