"""Table 0: what a packet is, by its port, its addresses and its flags, and where it goes from there.

The first rule that fits decides. The order, by priority, is what is never ours, what the controller has to see,
what is to be translated, and the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.nat.model import Side, TcpFlags
from controller.openflow.rules import ARP, COPY_THEN, FRESH, IPV4, TCP, Act, Rule, Table, flags
from controller.wiring import ControllerConfiguration

TAGGED = ("vlan_vid", (0x1000, 0x1000))
# The framework puts Nicira's fields first, and what they presuppose must come before them: so Nicira's as well.
FRAGMENT = (("eth_type_nxm", 0x0800), ("ip_frag", (1, 1)))
FIN = flags(TcpFlags.FIN, TcpFlags.FIN)
RST = flags(TcpFlags.RST, TcpFlags.RST)
ANSWER = flags(TcpFlags.SYN | TcpFlags.ACK, TcpFlags.SYN | TcpFlags.ACK)
"""What an inside host answers to a connection from outside; rare, as connections are mostly opened from inside."""


def classify(configuration: ControllerConfiguration) -> Iterator[Rule]:
    """Yield the rules of table 0."""
    table = Table.CLASSIFY
    yield Rule(table, 100, (TAGGED,))  # no VLAN is ours, and OpenFlow looks behind a tag
    for interface in configuration.interfaces:
        if interface.side is Side.OUTSIDE:
            port, own = ("in_port", interface.port), interface.address.ip
            yield Rule(table, 90, (port, *FRAGMENT), COPY_THEN, metered=True)
            if own in configuration.own:
                yield Rule(table, 85, (port, IPV4, ("ipv4_dst", str(own))), COPY_THEN, metered=True)
            for flag in (FIN, RST):
                yield Rule(table, 80, (FRESH, port, *TCP, flag), COPY_THEN, Table.INBOUND)
            yield Rule(table, 75, (port, IPV4), (), Table.INBOUND)
            for address in sorted({own, *configuration.external_on(interface)}):
                yield Rule(table, 70, (port, ARP, ("arp_tpa", str(address))), COPY_THEN, metered=True)
            yield Rule(table, 65, (port,))
    # What is left comes from inside. What is not for the gateway crosses the LAN as in any switch.
    to_us = ("eth_dst", configuration.mac)
    inside = str(configuration.inside.address.ip)
    yield Rule(table, 40, (ARP, ("arp_tpa", inside)), COPY_THEN, metered=True)
    yield Rule(table, 35, (to_us, *FRAGMENT), COPY_THEN, metered=True)
    for address in sorted(configuration.own):
        yield Rule(table, 30, (to_us, IPV4, ("ipv4_dst", str(address))), COPY_THEN, metered=True)
    for flag in (FIN, RST, ANSWER):
        yield Rule(table, 25, (FRESH, to_us, *TCP, flag), COPY_THEN, Table.OUTBOUND)
    yield Rule(table, 20, (to_us, IPV4), (), Table.OUTBOUND)
    yield Rule(table, 10, (), (Act.AS_A_LAN_SWITCH,))
