"""The textbook's NAT as a program, started as our own controller is.

python -m benchmarks.reference.textbook CONFIGURATION.yaml PORT FD
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from benchmarks.reference.textbook.link import Link
from benchmarks.reference.textbook.nat import TextbookNat
from controller.openflow import framework
from controller.wiring import ControllerConfiguration

HOST = "127.0.0.1"


def main() -> None:
    """Run the controller until it is killed."""
    TextbookNat.configuration = ControllerConfiguration.load(Path(sys.argv[1]))
    TextbookNat.link = Link(socket.socket(fileno=int(sys.argv[3])))
    framework.run(
        ["benchmarks.reference.textbook.nat"],
        HOST,
        int(sys.argv[2]),
        lambda: TextbookNat.link.send(listening=True),
    )


main()
