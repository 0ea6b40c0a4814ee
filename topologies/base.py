"""What every topology has: hosts with an address plan, roles, and the gateway's wiring.

A subclass overrides `build` and calls `client`, `server` and `gateway`. Building only describes the network;
nothing starts, so it needs no root.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections import defaultdict
from typing import Any

from mininet.topo import Topo

from controller.configuration import ConfigurationError, Settings
from controller.wiring import Interface, Side
from topologies.hosts import LabHost


def mac_of(address: ipaddress.IPv4Address) -> str:
    """Return a locally administered MAC address that shows the IPv4 address."""
    return "02:00:" + address.packed.hex(":")


class LabTopology(Topo):
    """A network with clients inside, servers outside, and a gateway between them; or several gateways.

    `wiring` lists, for each gateway, its ports in the order of their numbers, from 1. `external` has the external
    addresses of those gateways that do not take them from the settings. `addresses` says which addresses each
    host has.
    """

    def __init__(self, *args: Any, **params: Any) -> None:
        self.clients: list[str] = []
        self.servers: list[str] = []
        self.addresses: dict[str, list[ipaddress.IPv4Address]] = {}
        self.wiring: dict[str, list[Interface]] = defaultdict(list)
        self.external: dict[str, list[ipaddress.IPv4Address]] = {}
        super().__init__(*args, **params)

    def gateway(self, cls: type, params: dict[str, dict[str, Any]], *, name: str = "gateway") -> None:
        """Place a NAT; `params` has each one's by its name. The first is the one under test."""
        self.addSwitch(name, cls=cls, batch=False, **params.get(name, {}))

    def client(
        self,
        name: str,
        address: ipaddress.IPv4Interface,
        gateway: ipaddress.IPv4Address,
        *,
        behind: str = "gateway",
    ) -> None:
        """Place an inside host behind a gateway, which has address `gateway` on that LAN."""
        self._host(name, [address], gateway, Side.INSIDE, behind)
        self.clients.append(name)

    def server(
        self,
        name: str,
        addresses: list[ipaddress.IPv4Interface],
        gateway: ipaddress.IPv4Address,
        *,
        behind: str = "gateway",
    ) -> None:
        """Place an outside host with one or more addresses, on a link of its own."""
        self._host(name, addresses, gateway, Side.OUTSIDE, behind)
        self.servers.append(name)

    def gateway_mac(self, name: str) -> str:
        """Return a gateway's MAC address, one for all its ports."""
        return mac_of(next(i for i in self.wiring[name] if i.side is Side.INSIDE).address.ip)

    @property
    def inside(self) -> set[ipaddress.IPv4Network]:
        """The networks whose addresses must never be seen by a server."""
        wiring = itertools.chain.from_iterable(self.wiring.values())
        return {interface.address.network for interface in wiring if interface.side is Side.INSIDE}

    def check(self, settings: Settings) -> None:
        """Raise ConfigurationError if the settings and the address plan contradict each other."""
        for address in settings.external_addresses:
            for interface in itertools.chain.from_iterable(self.wiring.values()):
                if address in interface.address.network:
                    raise ConfigurationError(
                        f"setting external_addresses: {address} belongs to this topology's network "
                        f"{interface.address.network}; choose others, such as 192.0.2.1 and up"
                    )

    def _host(
        self,
        name: str,
        addresses: list[ipaddress.IPv4Interface],
        gateway: ipaddress.IPv4Address,
        side: Side,
        behind: str,
    ) -> None:
        port = len(self.wiring[behind]) + 1
        first = addresses[0]
        self.addHost(
            name,
            cls=LabHost,
            addresses=tuple(str(address) for address in addresses),
            gateway=str(gateway),
        )
        self.addLink(
            name,
            behind,
            port2=port,
            intfName1="eth0",
            intfName2=f"{side.value}{port}",
            addr1=mac_of(first.ip),
        )
        self.addresses[name] = [address.ip for address in addresses]
        own = ipaddress.IPv4Interface((gateway, first.network.prefixlen))
        self.wiring[behind].append(Interface(port=port, side=side, address=own))
