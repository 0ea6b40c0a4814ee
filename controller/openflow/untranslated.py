"""Destinations to and from which packets pass as they are (RFC 6888 REQ-6): rules of table 0.

A packet from inside to one of them goes to its next hop without a mapping. A packet from one of them to an inside
address comes back in the same way. The rules stand in front of all those that concern translation, also those that
send fragments to the controller. An ICMP error from a router on the way is no such packet, since its source is
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.nat.model import Side
from controller.openflow.rules import IPV4, Rule, Table, masked
from controller.wiring import ControllerConfiguration, routed

OUTBOUND, INBOUND = 37, 92
"""The priorities in table 0. Those of outside ports are above all of the inside's."""


def untranslated(configuration: ControllerConfiguration) -> Iterator[Rule]:
    """Yield the rules that let packets to and from such destinations pass untranslated."""
    inside = [configuration.inside.address.network, *routed(configuration.interfaces)]
    for network in map(masked, configuration.settings.untranslated_destinations):
        outbound = (("eth_dst", configuration.mac), IPV4, ("ipv4_dst", network))
        yield Rule(Table.CLASSIFY, OUTBOUND, outbound, (), Table.FORWARD)
        for interface in configuration.interfaces:
            if interface.side is Side.OUTSIDE:
                for own in map(masked, inside):
                    inbound = (("in_port", interface.port), IPV4, ("ipv4_src", network), ("ipv4_dst", own))
                    yield Rule(Table.CLASSIFY, INBOUND, inbound, (), Table.FORWARD)
