"""Table 1: what an admitted packet is, by its port, its addresses and its flags, and where it goes from there.

The first rule that fits decides. The order, by priority, is what is for the gateway itself, what may not go any
further (its TTL is used up), what is not to be translated, what is, and the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from controller.nat.model import Side, TcpFlags
from controller.openflow.rules import (
    ARP,
    COPY_THEN,
    FRESH,
    IPV4,
    LAST_HOP,
    NICIRA_IPV4,
    TCP,
    Act,
    Action,
    CheckLarger,
    Match,
    Meter,
    Rule,
    Table,
    Value,
    flags,
    masked,
)
from controller.wiring import ControllerConfiguration, Interface

FRAGMENT = (NICIRA_IPV4, ("ip_frag", (1, 1)))
FIN = flags(TcpFlags.FIN, TcpFlags.FIN)
RST = flags(TcpFlags.RST, TcpFlags.RST)
ANSWER = flags(TcpFlags.SYN | TcpFlags.ACK, TcpFlags.SYN | TcpFlags.ACK)
"""What an inside host answers to a connection from outside; rare, as connections are mostly opened from inside."""

Condition = tuple[str, Value]


def classify(configuration: ControllerConfiguration) -> Iterator[Rule]:
    """Yield the rules of table 1, and of those tables that only say why a packet comes to the controller."""
    for interface in configuration.interfaces:
        if interface.side is Side.OUTSIDE:
            yield from _from_outside(configuration, interface)
    yield from _from_inside(configuration)
    for table in (Table.EXPIRED, Table.UNROUTED):
        yield Rule(table, 10, (IPV4,), COPY_THEN, metered=True)


def _from_outside(configuration: ControllerConfiguration, interface: Interface) -> Iterator[Rule]:
    table, port = Table.CLASSIFY, ("in_port", interface.port)
    for each in configuration.interfaces:
        if each.side is Side.OUTSIDE and each.address.ip in configuration.own:
            yield from _to_controller(90, port, ("ipv4_dst", str(each.address.ip)))
    for network in configuration.external_networks:
        to_nat = ("ipv4_dst", masked(network))
        for last_hop in LAST_HOP:
            yield Rule(table, 87, (port, *last_hop, to_nat), (), Table.EXPIRED)
        yield _fragments(85, port, to_nat)
        for flag in (FIN, RST):
            yield Rule(table, 80, (FRESH, port, *TCP, to_nat, flag), COPY_THEN, Table.INBOUND)
        yield Rule(table, 75, (port, IPV4, to_nat), (), Table.INBOUND)
    for address in sorted({interface.address.ip, *configuration.external_on(interface)}):
        yield Rule(table, 70, (port, ARP, ("arp_tpa", str(address))), COPY_THEN, metered=True)
    yield Rule(table, 65, (port,))


def _from_inside(configuration: ControllerConfiguration) -> Iterator[Rule]:
    """Yield the rules for what is left. What is not for the gateway crosses the LAN as in any switch."""
    table, to_us = Table.CLASSIFY, ("eth_dst", configuration.mac)
    own = str(configuration.inside.address.ip)
    yield Rule(table, 60, (ARP, ("arp_tpa", own)), COPY_THEN, metered=True)
    for address in sorted(configuration.own):
        yield from _to_controller(55, to_us, ("ipv4_dst", str(address)))
    for last_hop in LAST_HOP:
        yield Rule(table, 52, (to_us, *last_hop), (), Table.EXPIRED)
    for network in configuration.inside_networks:
        # RFC 3022 section 2: what stays inside is routed, and not translated.
        stays = (to_us, IPV4, ("ipv4_dst", masked(network)))
        yield Rule(table, 50, stays, (Act.MAY_RETURN,), Table.FORWARD)
    yield from _hairpinned(configuration, to_us)
    yield from _outbound(configuration, to_us)
    yield Rule(table, 10, (), (Act.AS_A_LAN_SWITCH,))


def _hairpinned(configuration: ControllerConfiguration, to_us: Condition) -> Iterator[Rule]:
    """Yield the rules for what inside hosts send to external addresses. It stays inside, whatever its size."""
    for network in configuration.external_networks:
        external = ("ipv4_dst", masked(network))
        yield _fragments(49, to_us, external)
        for flag in (FIN, RST, ANSWER):
            yield Rule(Table.CLASSIFY, 48, (FRESH, to_us, *TCP, external, flag), COPY_THEN, Table.OUTBOUND)
        yield Rule(Table.CLASSIFY, 47, (to_us, IPV4, external), (), Table.OUTBOUND)


def _outbound(configuration: ControllerConfiguration, to_us: Condition) -> Iterator[Rule]:
    """Yield the rules for what has a route outside: to every destination, or to the networks on the links."""
    table, outside = Table.CLASSIFY, [each for each in configuration.interfaces if each.side is Side.OUTSIDE]
    check = _check_of_size(configuration)
    routes: list[Match] = [()]
    if not any(each.next_hop for each in outside):
        routes = [
            (("ipv4_dst", masked(network)),) for network in sorted({each.address.network for each in outside})
        ]
        yield Rule(table, 15, (to_us, IPV4), (), Table.UNROUTED)
    for route in routes:
        yield _fragments(45, to_us, *route)
        for flag in (FIN, RST, ANSWER):
            yield Rule(table, 25, (FRESH, to_us, *TCP, *route, flag), (*COPY_THEN, *check), Table.OUTBOUND)
        yield Rule(table, 20, (to_us, IPV4, *route), check, Table.OUTBOUND)


def _to_controller(priority: int, *those: Condition) -> Iterator[Rule]:
    """Yield the rules that send packets to the controller, whole ones and fragments."""
    yield Rule(Table.CLASSIFY, priority, (IPV4, *those), COPY_THEN, metered=True)
    yield _fragments(priority + 1, *those)


def _fragments(priority: int, *those: Condition) -> Rule:
    """Return the rule that sends fragments to the controller."""
    match: Match = (*FRAGMENT, *those)
    return Rule(Table.CLASSIFY, priority, match, COPY_THEN, metered=True, meter=Meter.FRAGMENTS)


def _check_of_size(configuration: ControllerConfiguration) -> tuple[Action, ...]:
    """Return the action that marks what no outside link has room for, if anything can be that large."""
    most = configuration.largest_outbound
    return () if most is None else (CheckLarger(most),)
