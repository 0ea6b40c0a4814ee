"""The tables of the switch, as data: their rules before there is any mapping, and for each mapping.

    0 admit      what no host can have sent, or can ever get: dropped.            All else -> 1
    1 classify   ARP and packets for the gateway's own addresses -> controller;  TTL used up -> 5
                 to inside -> 4, untranslated;  inside -> 2, without a route -> 6;  outside -> 3
    2 outbound   rewrite the source, -> 4.        TCP SYN, or no rule -> controller.   Other protocols: dropped
    3 inbound    rewrite the destination, -> 4.   TCP SYN, or no rule -> controller.   Other protocols: dropped
    4 forward    next hop: MAC addresses, TTL, port; else the default route.  Unknown -> controller, for ARP
    5 expired    -> controller, for an ICMP error
    6 unrouted   -> controller, for an ICMP error
    7 large      -> controller: no outside link has room for the packet

A packet that the controller has decided on is injected again at table 2 or 3, with register 0 set to INJECTED. It
then meets the same rules as every later packet, and a rule that the switch refused forwards nothing. FIN and RST
are forwarded and copied, so that the controller sees connections end; a SYN/ACK of the inside, so that it sees one
that the outside opened be answered. No packet passes tables 2 and 3 untranslated.

A packet from inside to an external address passes both, one after the other (hairpinning, RFC 4787 REQ-9): table 4
sends it back to table 3. There it is a packet from outside, with port 0 as the port that it came in by.

The rules are written in the words of `rules`. Those of table 0 are in `admission`, and those of table 1 in
`classify`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from controller.nat.model import Dependence, Endpoint, Flow, Protocol, TcpFlags
from controller.openflow.admission import admit
from controller.openflow.classify import classify
from controller.openflow.rules import (
    COPY_THEN,
    FRESH,
    IPV4,
    TCP,
    TOO_LARGE,
    Act,
    Action,
    Match,
    Meter,
    Output,
    Resubmit,
    Rule,
    SetField,
    Stopped,
    Table,
    Value,
    flags,
    masked,
)
from controller.openflow.untranslated import untranslated
from controller.wiring import ControllerConfiguration, routed

DEFAULT_ROUTE = 1
"""The priority of the default route. Any other rule is more specific, but the one for an unknown next hop."""

ToldApart = Callable[[Protocol], Dependence]
"""Returns the part of the remote endpoint by which the flows of a protocol differ."""

_NOT_ONE_HOST = ("224.0.0.0", "224.0.0.0")  # class D, class E, and the broadcast
_PORT_FIELDS = {Protocol.TCP: "tcp", Protocol.UDP: "udp"}
_OPENS_CONNECTION = flags(TcpFlags.SYN, TcpFlags.SYN | TcpFlags.ACK)


def base_rules(configuration: ControllerConfiguration) -> Iterator[Rule]:
    """Yield the rules that stand before there is any mapping."""
    yield from admit(configuration)
    yield from classify(configuration)
    yield from untranslated(configuration)
    yield from _translate(configuration)
    yield from _forward(configuration)


def _translate(configuration: ControllerConfiguration) -> Iterator[Rule]:
    if configuration.largest_outbound is not None:
        yield Rule(Table.OUTBOUND, 40, (TOO_LARGE, IPV4), (), Table.LARGE)
        yield Rule(Table.LARGE, 10, (IPV4,), COPY_THEN, metered=True)
    for network in configuration.inside_networks:
        yield from _misses(Table.OUTBOUND, ("ipv4_src", masked(network)), Meter.PACKETS)
    for address in configuration.settings.external_addresses:
        yield from _misses(Table.INBOUND, ("ipv4_dst", str(address)), Meter.STRANGERS)


def _misses(table: Table, ours: tuple[str, Value], meter: Meter) -> Iterator[Rule]:
    """Yield the rules by which a connection's first packet, and a packet without a rule, go to the controller.

    What is not translated does not.
    """
    yield Rule(table, 30, (FRESH, *TCP, ours, _OPENS_CONNECTION), COPY_THEN, metered=True, meter=meter)
    for protocol in Protocol:
        match = (FRESH, IPV4, ("ip_proto", int(protocol)), ours)
        yield Rule(table, 5, match, COPY_THEN, metered=True, meter=meter)
    yield Rule(table, 4, (FRESH, IPV4, ours), cookie=Stopped.PROTOCOL)


def _forward(configuration: ControllerConfiguration) -> Iterator[Rule]:
    networks = {interface.address.network for interface in configuration.interfaces}
    for addresses in sorted(map(masked, networks.union(routed(configuration.interfaces)))):
        yield Rule(Table.FORWARD, 5, (IPV4, ("ipv4_dst", addresses)), COPY_THEN, metered=True)
    for interface in configuration.interfaces:
        if interface.next_hop is not None:
            yield Rule(Table.FORWARD, DEFAULT_ROUTE - 1, (IPV4,), COPY_THEN, metered=True)
            # What has no next hop must not take that way: multicast and broadcast.
            yield Rule(Table.FORWARD, 10, (IPV4, ("ipv4_dst", _NOT_ONE_HOST)))
    if not any(interface.next_hop for interface in configuration.interfaces):
        yield Rule(Table.FORWARD, DEFAULT_ROUTE - 1, (IPV4,), (), Table.UNROUTED)
    # RFC 4787 REQ-9: what goes to an external address comes in again, with the external source that it has by now.
    comes_in = (SetField("reg0", 0), Act.MAY_RETURN, Resubmit(Table.INBOUND))
    for network in configuration.external_networks:
        yield Rule(Table.FORWARD, 25, (IPV4, ("ipv4_dst", masked(network))), comes_in)


def rules_of(flow: Flow, told_apart: ToldApart, cookie: int) -> tuple[Rule, ...]:
    """Return the rules of a TCP or UDP flow: outbound and inbound, or inbound alone.

    They match the part of the remote endpoint by which flows of the protocol differ.
    """
    mapping = flow.mapping
    field, part = _PORT_FIELDS[mapping.protocol], told_apart(mapping.protocol)

    def rule(table: Table, ours: str, theirs: str, match: Endpoint, rewrite: Endpoint) -> Rule:
        address, port = f"ipv4_{ours}", f"{field}_{ours}"
        peer: Match = ()
        if part is not Dependence.INDEPENDENT:
            peer += ((f"ipv4_{theirs}", _dotted(flow.peer)),)
        if part is Dependence.ADDRESS_AND_PORT:
            peer += ((f"{field}_{theirs}", flow.peer.port),)
        return Rule(
            table,
            20,
            (IPV4, ("ip_proto", int(mapping.protocol)), (address, _dotted(match)), (port, match.port), *peer),
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
    match = (IPV4, ("ipv4_dst", str(ipaddress.IPv4Address(address))))
    return Rule(Table.FORWARD, 20, match, _by_way_of(configuration, mac, port))


def network_rule(
    configuration: ControllerConfiguration, network: ipaddress.IPv4Network, mac: bytes, port: int
) -> Rule:
    """Return the rule that forwards to a network behind a host whose MAC address and port are known."""
    match = (IPV4, ("ipv4_dst", masked(network)))
    return Rule(Table.FORWARD, 15, match, _by_way_of(configuration, mac, port))


def default_route(configuration: ControllerConfiguration, mac: bytes, port: int) -> Rule:
    """Return the rule that forwards to the next hop what is on no network of the gateway's."""
    return Rule(Table.FORWARD, DEFAULT_ROUTE, (IPV4,), _by_way_of(configuration, mac, port))


def _by_way_of(configuration: ControllerConfiguration, mac: bytes, port: int) -> tuple[Action, ...]:
    return (
        SetField("eth_src", configuration.mac),
        SetField("eth_dst", mac.hex(":")),
        Act.DECREMENT_TTL,
        Output(port),
    )


def _dotted(endpoint: Endpoint) -> str:
    return str(ipaddress.IPv4Address(endpoint.address))
