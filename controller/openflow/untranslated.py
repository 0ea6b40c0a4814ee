"""Destinations to and from which packets pass as they are (RFC 6888 REQ-6): rules of table 1.

A packet from inside to one of them goes to its next hop without a mapping. A packet from one of them to an inside
address comes back in the same way. The rules stand in front of all those that concern translation, also those that
send fragments to the controller, but behind those for a used-up TTL. An ICMP error from a router on the way is no
such packet, since its source is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.nat.model import Side
from controller.openflow.rules import IPV4, LAST_HOP, Rule, Table, masked
from controller.wiring import ControllerConfiguration

OUTBOUND, INBOUND = 51, 88
"""The priorities in table 1. Those of outside ports are above all of the inside's."""


def untranslated(configuration: ControllerConfiguration) -> Iterator[Rule]:
    """Yield the rules that let packets to and from such destinations pass untranslated."""
    table = Table.CLASSIFY
    for network in map(masked, configuration.settings.untranslated_destinations):
        outbound = (("eth_dst", configuration.mac), IPV4, ("ipv4_dst", network))
        yield Rule(table, OUTBOUND, outbound, (), Table.FORWARD)
        for interface in configuration.interfaces:
            if interface.side is Side.OUTSIDE:
                for own in map(masked, configuration.inside_networks):
                    port, ends = ("in_port", interface.port), (("ipv4_src", network), ("ipv4_dst", own))
                    yield Rule(table, INBOUND, (port, IPV4, *ends), (), Table.FORWARD)
                    for last_hop in LAST_HOP:
                        yield Rule(table, INBOUND + 1, (port, *last_hop, *ends), (), Table.EXPIRED)
