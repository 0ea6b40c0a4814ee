"""The four tables of the switch, as data: their rules before there is any mapping, and for each mapping.

    0 classify   ARP and packets for the gateway's own addresses -> controller; inside -> 1; outside -> 2
    1 outbound   rewrite the source, -> 3.        TCP SYN, or no rule -> controller
    2 inbound    rewrite the destination, -> 3.   TCP SYN, or no rule -> controller
    3 forward    next hop: MAC addresses, TTL, port; else the default route.  Unknown -> controller, for ARP

A packet that the controller has decided on is injected again at table 0, with register 0 set to INJECTED. It then
meets the same rules as every later packet, and a rule that the switch refused forwards nothing. FIN and RST are
forwarded and copied, so that the controller sees connections end. No packet passes tables 1 and 2 untranslated.

This module knows neither Ryu nor sockets. Matches use OpenFlow's OXM names, as the framework spells them.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from controller.nat.model import Dependence, Endpoint, Flow, Protocol, Side, TcpFlags
from controller.wiring import ControllerConfiguration, Interface, routed


class Table(enum.IntEnum):
    """The tables, in the order in which a packet meets them."""

    CLASSIFY = 0
    OUTBOUND = 1
    INBOUND = 2
    FORWARD = 3


@dataclass(frozen=True, slots=True)
class SetField:
    """Rewrite a header field or a register, by its OXM name."""

    name: str
    value: int | str


@dataclass(frozen=True, slots=True)
class Output:
    """Send the packet out of a port."""

    port: int


class Act(enum.Enum):
    """The actions that have no argument."""

    TO_CONTROLLER = "controller"
    DECREMENT_TTL = "dec_ttl"
    AS_A_LAN_SWITCH = "normal"


Action = SetField | Output | Act
Value = int | str | tuple[int, int] | tuple[str, str]
Match = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A flow rule. Matched packets take `actions` in order, then go on to the table `goto`.

    `metered` rules pass through the meter that protects the controller.
    """

    table: Table
    priority: int
    match: Match
    actions: tuple[Action, ...] = ()
    goto: Table | None = None
    metered: bool = False
    cookie: int = 0


DEFAULT_ROUTE = 1
"""The priority of the default route. Any other rule of its table is more specific."""
INJECTED = 1
"""Register 0 of a packet that the controller has already decided on."""

_FRESH = ("reg0", 0)
_ARP = ("eth_type", 0x0806)
_IPV4 = ("eth_type", 0x0800)
_NOT_ONE_HOST = ("224.0.0.0", "224.0.0.0")  # class D, class E, and the broadcast
_TAGGED = ("vlan_vid", (0x1000, 0x1000))
_TCP = (_IPV4, ("ip_proto", int(Protocol.TCP)))
# The framework puts Nicira's fields first, and what they presuppose must come before them: so Nicira's as well.
_FRAGMENT = (("eth_type_nxm", 0x0800), ("ip_frag", (1, 1)))
_PORT_FIELDS = {Protocol.TCP: "tcp", Protocol.UDP: "udp"}
_COPY_THEN = (Act.TO_CONTROLLER,)


def _flags(value: TcpFlags, mask: TcpFlags) -> tuple[str, tuple[int, int]]:
    return ("tcp_flags", (int(value), int(mask)))


_FIN = _flags(TcpFlags.FIN, TcpFlags.FIN)
_RST = _flags(TcpFlags.RST, TcpFlags.RST)
_OPENS_CONNECTION = _flags(TcpFlags.SYN, TcpFlags.SYN | TcpFlags.ACK)


def base_rules(configuration: ControllerConfiguration) -> Iterator[Rule]:
    """Yield the rules that stand before there is any mapping."""
    yield from _classify(configuration)
    yield from _translate(configuration)
    yield from _forward(configuration)


def _classify(configuration: ControllerConfiguration) -> Iterator[Rule]:
    table = Table.CLASSIFY
    yield Rule(table, 100, (_TAGGED,))  # no VLAN is ours, and OpenFlow looks behind a tag
    for interface in configuration.interfaces:
        if interface.side is Side.OUTSIDE:
            port, own = ("in_port", interface.port), interface.address.ip
            yield Rule(table, 90, (port, *_FRAGMENT), _COPY_THEN, metered=True)
            if own in configuration.own:
                yield Rule(table, 85, (port, _IPV4, ("ipv4_dst", str(own))), _COPY_THEN, metered=True)
            for flag in (_FIN, _RST):
                yield Rule(table, 80, (_FRESH, port, *_TCP, flag), _COPY_THEN, Table.INBOUND)
            yield Rule(table, 75, (port, _IPV4), (), Table.INBOUND)
            for address in sorted({own, *_external_on(interface, configuration)}):
                yield Rule(table, 70, (port, _ARP, ("arp_tpa", str(address))), _COPY_THEN, metered=True)
            yield Rule(table, 65, (port,))
    # What is left comes from inside. What is not for the gateway crosses the LAN as in any switch.
    to_us = ("eth_dst", configuration.mac)
    inside = str(_inside(configuration).address.ip)
    yield Rule(table, 40, (_ARP, ("arp_tpa", inside)), _COPY_THEN, metered=True)
    yield Rule(table, 35, (to_us, *_FRAGMENT), _COPY_THEN, metered=True)
    for address in sorted(configuration.own):
        yield Rule(table, 30, (to_us, _IPV4, ("ipv4_dst", str(address))), _COPY_THEN, metered=True)
    for flag in (_FIN, _RST):
        yield Rule(table, 25, (_FRESH, to_us, *_TCP, flag), _COPY_THEN, Table.OUTBOUND)
    yield Rule(table, 20, (to_us, _IPV4), (), Table.OUTBOUND)
    yield Rule(table, 10, (), (Act.AS_A_LAN_SWITCH,))


def _translate(configuration: ControllerConfiguration) -> Iterator[Rule]:
    for network in (_inside(configuration).address.network, *routed(configuration.interfaces)):
        yield from _misses(Table.OUTBOUND, ("ipv4_src", _masked(network)))
    for address in configuration.settings.external_addresses:
        yield from _misses(Table.INBOUND, ("ipv4_dst", str(address)))


def _misses(table: Table, ours: tuple[str, Value]) -> Iterator[Rule]:
    """Yield the rules by which a connection's first packet, and a packet without a rule, go to the controller."""
    yield Rule(table, 30, (_FRESH, *_TCP, ours, _OPENS_CONNECTION), _COPY_THEN, metered=True)
    yield Rule(table, 5, (_FRESH, _IPV4, ours), _COPY_THEN, metered=True)


def _forward(configuration: ControllerConfiguration) -> Iterator[Rule]:
    networks = {interface.address.network for interface in configuration.interfaces}
    for network in sorted(map(_masked, networks.union(routed(configuration.interfaces)))):
        yield Rule(Table.FORWARD, 5, (_IPV4, ("ipv4_dst", network)), _COPY_THEN, metered=True)
    for interface in configuration.interfaces:
        if interface.next_hop is not None:
            yield Rule(Table.FORWARD, DEFAULT_ROUTE, (_IPV4,), _COPY_THEN, metered=True)
            # What has no next hop must not take that way: multicast and broadcast, and what is ours itself.
            yield Rule(Table.FORWARD, 10, (_IPV4, ("ipv4_dst", _NOT_ONE_HOST)))
            for address in _external_on(interface, configuration):
                yield Rule(Table.FORWARD, 10, (_IPV4, ("ipv4_dst", str(address))))


def rules_of(flow: Flow, told_apart: Dependence, cookie: int) -> tuple[Rule, ...]:
    """Return the rules of a TCP or UDP flow: outbound and inbound, or inbound alone.

    They match the part of the remote endpoint by which flows differ.
    """
    mapping = flow.mapping
    field = _PORT_FIELDS[mapping.protocol]

    def rule(table: Table, ours: str, theirs: str, match: Endpoint, rewrite: Endpoint) -> Rule:
        address, port = f"ipv4_{ours}", f"{field}_{ours}"
        peer: Match = ()
        if told_apart is not Dependence.INDEPENDENT:
            peer += ((f"ipv4_{theirs}", _dotted(flow.peer)),)
        if told_apart is Dependence.ADDRESS_AND_PORT:
            peer += ((f"{field}_{theirs}", flow.peer.port),)
        return Rule(
            table,
            20,
            (_IPV4, ("ip_proto", int(mapping.protocol)), (address, _dotted(match)), (port, match.port), *peer),
            (SetField(address, _dotted(rewrite)), SetField(port, rewrite.port)),
            Table.FORWARD,
            cookie=cookie,
        )

    inbound = rule(Table.INBOUND, "dst", "src", mapping.external, mapping.internal)
    if flow.is_inbound_only:
        return (inbound,)
    return (rule(Table.OUTBOUND, "src", "dst", mapping.internal, mapping.external), inbound)


def neighbour_rule(configuration: ControllerConfiguration, address: int, mac: bytes, port: int) -> Rule:
    """Return the rule that forwards to a host whose MAC address and port are known."""
    match = (_IPV4, ("ipv4_dst", str(ipaddress.IPv4Address(address))))
    return Rule(Table.FORWARD, 20, match, _by_way_of(configuration, mac, port))


def network_rule(
    configuration: ControllerConfiguration, network: ipaddress.IPv4Network, mac: bytes, port: int
) -> Rule:
    """Return the rule that forwards to a network behind a host whose MAC address and port are known."""
    match = (_IPV4, ("ipv4_dst", _masked(network)))
    return Rule(Table.FORWARD, 15, match, _by_way_of(configuration, mac, port))


def default_route(configuration: ControllerConfiguration, mac: bytes, port: int) -> Rule:
    """Return the rule that forwards to the next hop what is on no network of the gateway's."""
    return Rule(Table.FORWARD, DEFAULT_ROUTE, (_IPV4,), _by_way_of(configuration, mac, port))


def _by_way_of(configuration: ControllerConfiguration, mac: bytes, port: int) -> tuple[Action, ...]:
    return (
        SetField("eth_src", configuration.mac),
        SetField("eth_dst", mac.hex(":")),
        Act.DECREMENT_TTL,
        Output(port),
    )


def _external_on(interface: Interface, configuration: ControllerConfiguration) -> list[ipaddress.IPv4Address]:
    """Return the external addresses that are on the network of an interface."""
    external = configuration.settings.external_addresses
    return [address for address in external if interface.next_hop and address in interface.address.network]


def _inside(configuration: ControllerConfiguration) -> Interface:
    return next(interface for interface in configuration.interfaces if interface.side is Side.INSIDE)


def _masked(network: ipaddress.IPv4Network) -> tuple[str, str]:
    return (str(network.network_address), str(network.netmask))


def _dotted(endpoint: Endpoint) -> str:
    return str(ipaddress.IPv4Address(endpoint.address))
