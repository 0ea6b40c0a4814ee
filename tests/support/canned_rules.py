"""A program for `test_ceiling`: prints the rules of a flow, as the ceiling has them and as our own gateway does.

    python -m tests.support.canned_rules udp|tcp

To import the framework changes Python's standard library; so this is a process of its own.
"""

from __future__ import annotations

import random
import struct
import sys

from benchmarks.reference.ceiling import canned
from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags
from controller.nat.translator import Nat
from controller.nat.verdicts import Translate
from controller.openflow.messages import addition, serialised
from controller.openflow.pipeline import rules_of
from controller.settings import Settings


def main() -> None:
    """Print both on a line each, in hexadecimal."""
    protocol = Protocol[sys.argv[1].upper()]
    flags = TcpFlags.SYN if protocol is Protocol.TCP else TcpFlags.NONE
    internal, remote = Endpoint.parse("10.0.0.7:40001"), Endpoint.parse("198.51.100.1:7")
    settings = Settings().for_nat()
    verdict = Nat(settings, random.Random(1)).outbound(Packet(protocol, internal, remote, flags), 0.0)
    assert isinstance(verdict, Translate)
    rules = rules_of(verdict.flow, settings.flows, cookie=1)
    frame = bytes(26) + struct.pack("!IIHH", internal.address, remote.address, internal.port, remote.port)
    ceiling = canned(int(protocol), "192.0.2.1").patched(frame, verdict.flow.mapping.external.port)
    print(bytes(ceiling).hex())
    print(b"".join(serialised(addition(rule)) for rule in rules).hex())


if __name__ == "__main__":
    main()
