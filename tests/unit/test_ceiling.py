"""The controller that decides nothing says what ours says, or it would be no ceiling."""

from __future__ import annotations

import random

import pytest

from benchmarks.ceiling import canned
from controller.configuration import Settings
from controller.nat.model import Dependence, Endpoint, Packet, Protocol, TcpFlags, Translate
from controller.nat.translator import Nat
from controller.openflow.messages import addition, serialised
from controller.openflow.pipeline import rules_of


@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.TCP])
def test_its_rules_are_those_of_our_own_gateway(protocol: Protocol) -> None:
    """Byte by byte, with the addresses and ports of a flow in their places."""
    flags = TcpFlags.SYN if protocol is Protocol.TCP else TcpFlags.NONE
    internal = Endpoint.parse("10.0.0.7:40001")
    packet = Packet(protocol, internal, Endpoint.parse("198.51.100.1:7"), flags)
    verdict = Nat(Settings().for_nat(), random.Random(1)).outbound(packet, 0.0)
    assert isinstance(verdict, Translate)
    rules = rules_of(verdict.flow, Dependence.INDEPENDENT, cookie=1)

    mine = canned(int(protocol), "192.0.2.1").patched(
        internal.address.to_bytes(4, "big"),
        internal.port.to_bytes(2, "big"),
        verdict.flow.mapping.external.port,
    )

    assert mine == b"".join(serialised(addition(rule)) for rule in rules)
