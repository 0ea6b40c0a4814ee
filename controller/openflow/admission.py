"""Table 0: which packets may enter, by their addresses and the port that they come by. All others are dropped.

What no host has sent, or what no host could ever get, must cost nothing: no port, no subscriber, no session. So it
is stopped by rules, before anything decides on it. The cookie of a rule that drops says why (`Stopped`), and by it
the switch counts what was dropped.

From inside, only the hosts of a port may send by it, and those of the networks that are routed by way of them
(`source_validation`; RFC 2827, RFC 7513). Their ARP messages keep to the same, so that none can pass for another.
Frames between inside hosts are not examined: they cross the LAN as in any switch.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from controller.nat.model import Side
from controller.openflow.rules import ARP, IPV4, Match, Rule, Stopped, Table, masked
from controller.wiring import ControllerConfiguration, Interface, joined, routed

TAGGED = ("vlan_vid", (0x1000, 0x1000))
MARTIANS = tuple(map(ipaddress.IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""Neither a source nor a destination here: this network, loopback, a link's own (RFC 3927), classes D and E."""
NOBODY = "0.0.0.0"
"""The sender of an ARP message that asks whether an address is free (RFC 5227)."""

Networks = list[ipaddress.IPv4Network]


def admit(configuration: ControllerConfiguration) -> Iterator[Rule]:
    """Yield the rules of table 0."""
    yield Rule(Table.ADMIT, 100, (TAGGED,))  # no VLAN is ours, and OpenFlow looks behind a tag
    for interface in configuration.interfaces:
        if interface.side is Side.OUTSIDE:
            yield from _from_outside(configuration, interface)
    yield from _from_inside(configuration)


def _from_outside(configuration: ControllerConfiguration, interface: Interface) -> Iterator[Rule]:
    port, to_us = ("in_port", interface.port), ("eth_dst", configuration.mac)
    for network in (*MARTIANS, *_ends(configuration, Side.OUTSIDE)):
        yield _stop(90, (port, IPV4, ("ipv4_src", masked(network))), Stopped.MARTIAN)
    for network in (*configuration.inside_networks, *_ours(configuration)):
        yield _stop(90, (port, IPV4, ("ipv4_src", masked(network))), Stopped.SPOOFED)
    yield _pass(80, (port, to_us, IPV4))
    yield _pass(80, (port, ARP))
    yield Rule(Table.ADMIT, 70, (port,))


def _from_inside(configuration: ControllerConfiguration) -> Iterator[Rule]:
    to_us = ("eth_dst", configuration.mac)
    for network in (*MARTIANS, *_ends(configuration, *Side)):
        yield _stop(60, (to_us, IPV4, ("ipv4_dst", masked(network))), Stopped.MARTIAN)
    for network in (*_ours(configuration), *_ends(configuration, Side.INSIDE)):
        yield _stop(55, (to_us, IPV4, ("ipv4_src", masked(network))), Stopped.SPOOFED)
    if configuration.settings.source_validation:
        for interface in configuration.interfaces:
            for network in (*interface.hosts, *routed([interface])):
                port = ("in_port", interface.port)
                yield _pass(50, (port, to_us, IPV4, ("ipv4_src", masked(network))))
                yield _pass(50, (port, ARP, ("arp_spa", masked(network))))
        yield _pass(50, (ARP, ("arp_spa", NOBODY)))
        yield _stop(40, (ARP,), Stopped.SPOOFED)
    else:
        for network in configuration.inside_networks:
            yield _pass(50, (to_us, IPV4, ("ipv4_src", masked(network))))
    yield _stop(40, (to_us, IPV4), Stopped.SPOOFED)
    yield _pass(10, ())


def _pass(priority: int, match: Match) -> Rule:
    return Rule(Table.ADMIT, priority, match, (), Table.CLASSIFY)


def _stop(priority: int, match: Match, why: Stopped) -> Rule:
    return Rule(Table.ADMIT, priority, match, cookie=why)


def _ours(configuration: ControllerConfiguration) -> Networks:
    """Return the addresses of the gateway itself and of the NAT, which no other host may send from."""
    own = {interface.address.ip for interface in configuration.interfaces}
    return joined(own.union(configuration.settings.external_addresses))


def _ends(configuration: ControllerConfiguration, *sides: Side) -> Networks:
    """Return the first and the last address of each network on a link: its own and its broadcast address."""
    links = {each.address.network for each in configuration.interfaces if each.side in sides}
    return [
        ipaddress.IPv4Network(end)
        for link in sorted(links)
        for end in (link.network_address, link.broadcast_address)
        if link.prefixlen < 31
    ]
