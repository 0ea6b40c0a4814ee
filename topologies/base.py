"""What every topology has: hosts with an address plan, roles, and the gateway's wiring.

A subclass overrides `build` and calls `client`, `server` and `gateway`. Building only describes the network;
nothing starts, so it needs no root.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from mininet.topo import Topo

from controller.configuration import ConfigurationError, Settings
from controller.wiring import Interface, Side
from topologies.hosts import LabHost


def mac_of(address: ipaddress.IPv4Address) -> str:
    """Return a locally administered MAC address that shows the IPv4 address."""
    return "02:00:" + address.packed.hex(":")


class LabTopology(Topo):
    """A network with clients inside, servers outside, and one gateway between them.

    `wiring` lists the gateway's ports in the order of their numbers, from 1. `addresses` says which addresses
    each server has.
    """

    GATEWAY = "gateway"

    def __init__(self, *args: Any, **params: Any) -> None:
        self.clients: list[str] = []
        self.servers: list[str] = []
        self.addresses: dict[str, list[ipaddress.IPv4Address]] = {}
        self.wiring: list[Interface] = []
        super().__init__(*args, **params)

    def gateway(self, cls: type, params: dict[str, Any]) -> None:
        """Place the NAT under test. It is the first to be called."""
        self.addSwitch(self.GATEWAY, cls=cls, batch=False, **params)

    def client(self, name: str, address: ipaddress.IPv4Interface, gateway: ipaddress.IPv4Address) -> None:
        """Place an inside host behind the gateway, which has address `gateway` on that LAN."""
        self._host(name, [address], gateway, Side.INSIDE)
        self.clients.append(name)

    def server(self, name: str, addresses: list[ipaddress.IPv4Interface], gateway: ipaddress.IPv4Address) -> None:
        """Place an outside host with one or more addresses, on a link of its own."""
        self._host(name, addresses, gateway, Side.OUTSIDE)
        self.servers.append(name)

    @property
    def gateway_mac(self) -> str:
        """The gateway's MAC address, one for all its ports."""
        return mac_of(next(i for i in self.wiring if i.side is Side.INSIDE).address.ip)

    def check(self, settings: Settings) -> None:
        """Raise ConfigurationError if the settings and the address plan contradict each other."""
        for address in settings.external_addresses:
            for interface in self.wiring:
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
    ) -> None:
        port = len(self.wiring) + 1
        first = addresses[0]
        self.addHost(
            name,
            cls=LabHost,
            addresses=tuple(str(address) for address in addresses),
            gateway=str(gateway),
        )
        self.addLink(
            name,
            self.GATEWAY,
            port2=port,
            intfName1="eth0",
            intfName2=f"{side.value}{port}",
            addr1=mac_of(first.ip),
        )
        self.addresses[name] = [address.ip for address in addresses]
        own = ipaddress.IPv4Interface((gateway, first.network.prefixlen))
        self.wiring.append(Interface(port=port, side=side, address=own))
