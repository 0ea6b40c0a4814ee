"""The addresses of a network as its topology writes them: read from text, numbered, and each given once.

The external addresses of a NAT come from its settings, and must fit the network. With a next hop, they are on the
link to it; else they are on no link at all.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from controller.settings import ConfigurationError
from controller.wiring import Interface

Address = str | ipaddress.IPv4Address
"""An address alone, such as `10.0.255.254`."""
LinkAddress = str | ipaddress.IPv4Interface
"""An address with the prefix length of its network, such as `10.0.0.1/16`."""

SUBSCRIBERS = ipaddress.IPv4Network("10.64.0.0/10")
"""The addresses of clients that have several. Each client's are a network of its own, by the client's number."""


def mac_of(address: ipaddress.IPv4Address) -> str:
    """Return a locally administered MAC address that shows the IPv4 address."""
    return "02:00:" + address.packed.hex(":")


def host_of(network: ipaddress.IPv4Network, number: int) -> ipaddress.IPv4Interface:
    """Return the address of a network's host by its number, with the network's prefix length."""
    return ipaddress.IPv4Interface((network.network_address + number, network.prefixlen))


def subscribers(client: int, addresses: int) -> ipaddress.IPv4Network:
    """Return the network of a client's `addresses`, by the client's number from 0. Raises ConfigurationError."""
    bits = (addresses - 1).bit_length()
    first = int(SUBSCRIBERS.network_address) + (client << bits)
    if first + addresses - 1 > int(SUBSCRIBERS.broadcast_address):
        raise ConfigurationError(
            f"parameter addresses_per_client={addresses} is not possible with more than {client:,} clients: each "
            f"takes {1 << bits:,} of {SUBSCRIBERS.num_addresses:,} addresses; take fewer of one or the other"
        )
    return ipaddress.IPv4Network((first, SUBSCRIBERS.max_prefixlen - bits))


def require_routed(address: ipaddress.IPv4Address, networks: Collection[ipaddress.IPv4Network]) -> None:
    """Raise ConfigurationError for an external address that belongs to one of the topology's networks."""
    for network in networks:
        if address in network:
            raise ConfigurationError(
                f"setting external_addresses: {address} belongs to this topology's network {network}; "
                "choose others, such as 192.0.2.1 and up"
            )


def require_on_link(
    address: ipaddress.IPv4Address, uplink: Interface, own: Collection[ipaddress.IPv4Address]
) -> None:
    """Raise ConfigurationError unless an external address is free on the link where the next hop asks for it.

    `own` has the addresses of all gateways. The one of this uplink may be an external address as well.
    """
    network = uplink.address.network
    taken = {uplink.next_hop, network.network_address, network.broadcast_address, *own} - {uplink.address.ip}
    if address not in network or address in taken:
        why = "is taken" if address in network else "is not on it"
        raise ConfigurationError(
            f"setting external_addresses: here they are on the link {network} to router {uplink.next_hop}, "
            f"and {address} {why}; choose others, such as {network.network_address + 1} and up"
        )


def require_inside(text: str, address: ipaddress.IPv4Address, hosts: Collection[ipaddress.IPv4Network]) -> None:
    """Raise ConfigurationError for a static mapping whose internal address no inside host has."""
    if not any(address in each for each in hosts):
        first = min(hosts).network_address
        raise ConfigurationError(
            f"setting static_mappings=[{text}] is not possible with this topology: no inside host has the address "
            f"{address}; take an inside host's, such as {first}"
        )


def require_outside(
    network: ipaddress.IPv4Network,
    inside: Collection[ipaddress.IPv4Network],
    own: Collection[ipaddress.IPv4Address],
) -> None:
    """Raise ConfigurationError for untranslated destinations with inside hosts among them, and for a gateway."""
    here = [f"the inside network {each}" for each in inside if network.overlaps(each)]
    here += [f"the gateway's address {each}" for each in own if network == ipaddress.IPv4Network(each)]
    if here:
        raise ConfigurationError(
            f"setting untranslated_destinations=[{network}] is not possible with this topology: {here[0]} is in "
            "it; take networks of outside hosts alone, such as a server's address with /32"
        )


class AddressPlan:
    """The addresses and their owners. Every method raises ConfigurationError where the plan is wrong.

    Two homes may use the same inside addresses. So an address is given once for each `lan`: the name of the
    gateway that it is behind, or None outside.
    """

    def __init__(self, topology: str) -> None:
        """Begin a plan; `topology` is the name that messages have for it."""
        self._topology = topology
        self._owners: dict[tuple[str | None, ipaddress.IPv4Address], str] = {}

    def interface(self, owner: str, text: LinkAddress) -> ipaddress.IPv4Interface:
        """Read an address with its prefix length."""
        if isinstance(text, ipaddress.IPv4Interface):
            return text
        try:
            return ipaddress.IPv4Interface(text if "/" in text else "")
        except ValueError:
            raise ConfigurationError(
                f"topology {self._topology}: {owner} has the address {text!r}, which is not an IPv4 address with "
                "the prefix length of its network; write it as in '10.0.0.1/24'"
            ) from None

    def address(self, owner: str, text: Address) -> ipaddress.IPv4Address:
        """Read an address that stands alone."""
        if isinstance(text, ipaddress.IPv4Address):
            return text
        try:
            return ipaddress.IPv4Address(text)
        except ValueError:
            raise ConfigurationError(
                f"topology {self._topology}: {owner} has the address {text!r}, which is not an IPv4 address; "
                "write it as in '10.0.0.254'"
            ) from None

    def beside(
        self, owner: str, own: ipaddress.IPv4Interface, text: Address, *, role: str = "gateway"
    ) -> ipaddress.IPv4Interface:
        """Read the address at the other end of an owner's link: its gateway's, or whatever its `role` is."""
        address = self.address(f"the {role} of {owner}", text)
        if address not in own.network:
            raise ConfigurationError(
                f"topology {self._topology}: {owner} has the address {own}, and its {role} {address} is not on "
                f"that network, {own.network}; give both of them addresses of one network"
            )
        return ipaddress.IPv4Interface((address, own.network.prefixlen))

    def give(self, owner: str, address: ipaddress.IPv4Address, *, lan: str | None) -> None:
        """Note that a host, a gateway or a router has an address, at one of its ports or at several."""
        other = self._owners.setdefault((lan, address), owner)
        if other != owner:
            raise ConfigurationError(
                f"topology {self._topology}: both {other} and {owner} have the address {address}; "
                "give one of them another"
            )
