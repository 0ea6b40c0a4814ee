"""The gateway's routes: which host is the next hop to an address, and what leads by way of a host.

A host on a network of ours is its own next hop. A host with many addresses is the next hop to all of them, so that
a thousand cost one rule. For any other address it is the router of the default route, if there is one.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator

from controller.nat.model import Side
from controller.openflow.pipeline import default_route, neighbour_rule, network_rule
from controller.openflow.rules import Rule
from controller.wiring import ControllerConfiguration, Interface


class Routes:
    """What the wiring says of addresses: where they are, and who may have them."""

    def __init__(self, configuration: ControllerConfiguration) -> None:
        self._configuration = configuration
        interfaces, external = configuration.interfaces, configuration.settings.external_addresses
        self._router = next((int(i.next_hop) for i in interfaces if i.next_hop is not None), None)
        self._ours = {int(address) for address in (*external, *(each.address.ip for each in interfaces))}
        self._external = {int(address) for address in external}
        self._behind: dict[int, list[ipaddress.IPv4Network]] = defaultdict(list)
        self._next_hops: dict[tuple[int, int], int] = {}
        for route in (route for interface in interfaces for route in interface.routes):
            network, next_hop = route.network, int(route.next_hop)
            self._behind[next_hop].append(network)
            self._next_hops[_key(network)] = next_hop
        self._masks = {mask for _, mask in self._next_hops}
        self._links = list({_key(each.address.network): each for each in interfaces}.values())
        self._inside = [_key(network) for network in configuration.inside_networks]
        self._ports: dict[tuple[int, int], list[int]] = defaultdict(list)
        for interface in interfaces:
            for hosts in self._may_be_at(interface):
                self._ports[_key(hosts)].append(interface.port)
        self._port_masks = {mask for _, mask in self._ports}

    def _may_be_at(self, interface: Interface) -> tuple[ipaddress.IPv4Network, ...]:
        """Return the addresses that hosts at a port may have."""
        is_known = interface.side is Side.INSIDE and self._configuration.settings.source_validation
        return interface.hosts if is_known else (interface.address.network,)

    def next_hop(self, destination: int) -> int | None:
        """Return the host to which packets for a destination go next, or None if there is no route."""
        for mask in self._masks:
            if (next_hop := self._next_hops.get((destination & mask, mask))) is not None:
                return next_hop
        return destination if any(is_on(each, destination) for each in self._links) else self._router

    def ports(self, host: int) -> list[int]:
        """Return the ports at which a host with this address may be: none for an address of our own."""
        if host in self._ours or not any(is_on(each, host) for each in self._links):
            return []
        found = [self._ports.get((host & mask, mask), ()) for mask in self._port_masks]
        return [port for ports in found for port in ports]

    def is_inside(self, address: int) -> bool:
        """Whether an address belongs to an inside network."""
        return any(address & mask == network for network, mask in self._inside)

    def rules(self, host: int, mac: bytes, port: int) -> Iterator[Rule]:
        """Yield the rules that lead to a host or by way of it."""
        yield neighbour_rule(self._configuration, host, mac, port)
        for network in self._behind.get(host, ()):
            yield network_rule(self._configuration, network, mac, port)
        if host == self._router:
            yield default_route(self._configuration, mac, port)

    def is_ours(self, address: int, interface: Interface) -> bool:
        """Whether the gateway has this address on the link of an interface, and answers ARP requests for it."""
        is_external = interface.next_hop is not None and address in self._external and is_on(interface, address)
        return is_external or address == int(interface.address.ip)


def is_on(interface: Interface, address: int) -> bool:
    """Whether an address is a host's on the network of an interface."""
    network = interface.address.network
    return int(network.network_address) < address < int(network.broadcast_address)


def _key(network: ipaddress.IPv4Network) -> tuple[int, int]:
    return int(network.network_address), int(network.netmask)
