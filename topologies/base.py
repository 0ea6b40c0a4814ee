"""What every topology has: hosts with an address plan, roles, and the gateways' wiring.

A subclass overrides `build` and calls `gateway` first, then `client` and `server`, and where it has more than one
network on a side, `router`, `access` and `uplink`. Building only describes the network; nothing starts, so it
needs no root.
"""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any, ClassVar

from mininet.topo import Topo

from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface, Route, Side, routed
from topologies.gateways.base import Gateway
from topologies.gateways.plain import Plain
from topologies.network.hosts import AccessSwitch, LabHost, Router

SUBSCRIBERS = ipaddress.IPv4Network("10.64.0.0/10")
"""The addresses of clients that have many, each client's in a network of its own, by its number."""
NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
SERVERS = {
    "server": ipaddress.IPv4Network("198.51.100.0/24"),
    "mirror": ipaddress.IPv4Network("203.0.113.0/24"),
}


def mac_of(address: ipaddress.IPv4Address) -> str:
    """Return a locally administered MAC address that shows the IPv4 address."""
    return "02:00:" + address.packed.hex(":")


def client_name(number: int) -> str:
    """Return the name of the client with this number, from 1: the first eight have one of their own."""
    return NAMES[number - 1] if number <= len(NAMES) else f"client{number}"


def _networks(interfaces: list[Interface]) -> set[ipaddress.IPv4Network]:
    """Return the inside networks, on links of these interfaces and behind hosts there."""
    links = {interface.address.network for interface in interfaces if interface.side is Side.INSIDE}
    return links.union(routed(interfaces))


class LabTopology(Topo):
    """A network with clients inside, servers outside, and a gateway between them; or several gateways.

    `wiring` lists, for each gateway, its ports in the order of their numbers, from 1; the first gateway is the one
    under test. `external` has the external addresses of those gateways that do not take them from the settings.
    `addresses` says which addresses each host has, and `behind` behind which gateway each client is.

    With `addresses_per_client`, a client has so many more, from SUBSCRIBERS, and speaks from those. They are not
    on its link: they are a network behind it, to which its gateway has a route.
    """

    settings: ClassVar[dict[str, Any]] = {}
    """The network's own defaults for the gateway's settings. Gateway, profile, scenario and user override them."""

    def __init__(self, *args: Any, addresses_per_client: int = 1, **params: Any) -> None:
        self.addresses_per_client = addresses_per_client
        self.clients: list[str] = []
        self.servers: list[str] = []
        self.addresses: dict[str, list[ipaddress.IPv4Address]] = {}
        self.behind: dict[str, str] = {}
        self.wiring: dict[str, list[Interface]] = {}
        self.external: dict[str, list[ipaddress.IPv4Address]] = {}
        self._routers: dict[str, dict[str, str]] = {}
        self._access: dict[str, tuple[str, int]] = {}
        super().__init__(*args, **params)

    def gateway(
        self,
        cls: type[Gateway],
        params: dict[str, dict[str, Any]] | None,
        *,
        name: str = "gateway",
        external: list[ipaddress.IPv4Address] | None = None,
    ) -> None:
        """Place a NAT; `params` has each one's by its name, and none where Mininet's own command places it."""
        self.wiring[name] = []
        if external is not None:
            self.external[name] = external
        if params is None:
            self.addSwitch(name, cls=self._plain(name, cls), batch=False)
        else:
            self.addSwitch(name, cls=cls, batch=False, **params.get(name, {}))

    def _plain(self, name: str, cls: type[Gateway]) -> Plain:
        def wiring() -> tuple[list[Interface], str]:
            return self.wiring[name], self.gateway_mac(name)

        return Plain(cls, wiring, settings=self.settings, external=self.external.get(name))

    def router(self, name: str) -> None:
        """Place a plain router, which translates nothing and knows the networks on its links."""
        self._routers[name] = {}
        self.addHost(name, cls=Router, interfaces=self._routers[name])

    def access(self, name: str, address: ipaddress.IPv4Interface, *, gateway: str = "gateway") -> None:
        """Place a switch for clients on a port of a gateway, whose address on that LAN is `address`."""
        self.addSwitch(name, cls=AccessSwitch, dpid="0", inNamespace=True)
        port = self._plug(gateway, Side.INSIDE, address)
        self.addLink(name, gateway, intfName1="uplink", port2=port, intfName2=self._interface(gateway, port))
        self._access[name] = (gateway, port)

    def client(
        self,
        name: str,
        address: ipaddress.IPv4Interface,
        gateway: ipaddress.IPv4Address,
        *,
        behind: str = "gateway",
    ) -> None:
        """Place an inside host behind a gateway (with address `gateway` on that LAN), or at an access switch."""
        own = None if self.addresses_per_client == 1 else self._subscribers(len(self.clients))
        self._host(name, [address], gateway, Side.INSIDE, behind, own)
        self.clients.append(name)
        self.behind[name], port = self._access.get(behind) or (behind, len(self.wiring[behind]))
        if own is not None:
            wiring, route = self.wiring[self.behind[name]], Route(network=own, next_hop=address.ip)
            wiring[port - 1] = wiring[port - 1].model_copy(update={"routes": (*wiring[port - 1].routes, route)})

    def server(
        self,
        name: str,
        addresses: list[ipaddress.IPv4Interface],
        gateway: ipaddress.IPv4Address,
        *,
        behind: str = "gateway",
    ) -> None:
        """Place an outside host with one or more addresses, on a link of its own to a gateway or a router."""
        self._host(name, addresses, gateway, Side.OUTSIDE, behind)
        self.servers.append(name)

    def sources(self, client: int) -> list[str]:
        """Return the addresses that a client speaks from, by its place among them: each is a subscriber."""
        if self.addresses_per_client == 1:
            return [str(self.addresses[self.clients[client]][0])]
        first = self._subscribers(client).network_address
        return [str(first + number) for number in range(self.addresses_per_client)]

    def two_servers(self, *, behind: str = "gateway") -> None:
        """Place `server` and `mirror`, with two addresses each."""
        for name, network in SERVERS.items():
            first, second, last = (network.network_address + host for host in (1, 2, 254))
            addresses = [ipaddress.IPv4Interface((address, network.prefixlen)) for address in (first, second)]
            self.server(name, addresses, last, behind=behind)

    def uplink(
        self, gateway: str, address: ipaddress.IPv4Interface, next_hop: ipaddress.IPv4Address, *, to: str
    ) -> None:
        """Connect a gateway's outside to a router, or to another gateway's inside, which is `next_hop` there."""
        port = self._plug(gateway, Side.OUTSIDE, address, next_hop)
        here = {"port2": port, "intfName2": self._interface(gateway, port)}
        far = ipaddress.IPv4Interface((next_hop, address.network.prefixlen))
        if to in self._routers:
            self.addLink(to, gateway, intfName1=self._route(to, far), **here)
        else:
            theirs = self._plug(to, Side.INSIDE, far)
            self.addLink(to, gateway, port1=theirs, intfName1=self._interface(to, theirs), **here)

    def gateway_mac(self, name: str) -> str:
        """Return a gateway's MAC address, one for all its ports."""
        return mac_of(next(i for i in self.wiring[name] if i.side is Side.INSIDE).address.ip)

    def inside_address(self, client: str) -> ipaddress.IPv4Address:
        """Return the inside address of the gateway that a client is behind: whom its ICMP errors come from."""
        return next(each for each in self.wiring[self.behind[client]] if each.side is Side.INSIDE).address.ip

    @property
    def inside(self) -> set[ipaddress.IPv4Network]:
        """The networks whose addresses must never be seen by a server."""
        return _networks(self._interfaces())

    @property
    def uplinks(self) -> list[tuple[str, str, set[ipaddress.IPv4Network]]]:
        """Gateways with a next hop: name, the interface that leads there, and the networks behind it."""
        return [
            (name, self._interface(name, uplink.port), _networks(interfaces))
            for name, interfaces in self.wiring.items()
            for uplink in interfaces
            if uplink.next_hop is not None
        ]

    def check(self, settings: Settings) -> None:
        """Raise ConfigurationError if the settings and the address plan contradict each other."""
        for name, interfaces in self.wiring.items():
            uplink = next((interface for interface in interfaces if interface.next_hop), None)
            for address in self.external.get(name, settings.external_addresses):
                if uplink is None:
                    self._check_routed(address)
                else:
                    self._check_on_link(address, uplink)

    def _check_routed(self, address: ipaddress.IPv4Address) -> None:
        for network in {interface.address.network for interface in self._interfaces()} | self.inside:
            if address in network:
                raise ConfigurationError(
                    f"setting external_addresses: {address} belongs to this topology's network {network}; "
                    "choose others, such as 192.0.2.1 and up"
                )

    def _check_on_link(self, address: ipaddress.IPv4Address, uplink: Interface) -> None:
        """Whoever routes to a gateway on a network of that link asks there for the address."""
        network = uplink.address.network
        others = {interface.address.ip for interface in self._interfaces()} - {uplink.address.ip}
        taken = {uplink.next_hop, network.network_address, network.broadcast_address, *others}
        if address not in network or address in taken:
            why = "is taken" if address in network else "is not on it"
            raise ConfigurationError(
                f"setting external_addresses: here they are on the link {network} to router {uplink.next_hop}, "
                f"and {address} {why}; choose others, such as {network.network_address + 1} and up"
            )

    def _interfaces(self) -> list[Interface]:
        return list(itertools.chain.from_iterable(self.wiring.values()))

    def _host(
        self,
        name: str,
        addresses: list[ipaddress.IPv4Interface],
        gateway: ipaddress.IPv4Address,
        side: Side,
        behind: str,
        own: ipaddress.IPv4Network | None = None,
    ) -> None:
        first = addresses[0]
        self.addHost(name, cls=LabHost, addresses=tuple(map(str, addresses)), gateway=str(gateway), own=own)
        self.addresses[name] = [address.ip for address in addresses]
        here = {"intfName1": "eth0", "addr1": mac_of(first.ip)}
        far = ipaddress.IPv4Interface((gateway, first.network.prefixlen))
        if behind in self._access:
            self.addLink(name, behind, **here, intfName2=f"port{len(self.addresses)}")
        elif behind in self._routers:
            self.addLink(name, behind, **here, intfName2=self._route(behind, far))
        else:
            port = self._plug(behind, side, far)
            self.addLink(name, behind, **here, port2=port, intfName2=self._interface(behind, port))

    def _subscribers(self, client: int) -> ipaddress.IPv4Network:
        """Return the network of a client's many addresses, by its place among the clients."""
        bits = (self.addresses_per_client - 1).bit_length()
        first = int(SUBSCRIBERS.network_address) + (client << bits)
        if first + self.addresses_per_client - 1 > int(SUBSCRIBERS.broadcast_address):
            raise ConfigurationError(
                f"parameter addresses_per_client={self.addresses_per_client} is not possible with more than "
                f"{client:,} clients: each takes {1 << bits:,} of {SUBSCRIBERS.num_addresses:,} addresses; "
                "take fewer of one or the other"
            )
        return ipaddress.IPv4Network((first, SUBSCRIBERS.max_prefixlen - bits))

    def _plug(
        self,
        gateway: str,
        side: Side,
        address: ipaddress.IPv4Interface,
        next_hop: ipaddress.IPv4Address | None = None,
    ) -> int:
        """Take a gateway's next port, and return its number."""
        port = len(self.wiring[gateway]) + 1
        self.wiring[gateway].append(Interface(port=port, side=side, address=address, next_hop=next_hop))
        return port

    def _interface(self, gateway: str, port: int) -> str:
        """Name an interface by its side, and that of any but the first gateway by the gateway: all must differ."""
        if gateway == next(iter(self.wiring)):
            return f"{self.wiring[gateway][port - 1].side.value}{port}"
        return f"{gateway}-{port}"

    def _route(self, router: str, address: ipaddress.IPv4Interface) -> str:
        """Give a router one more interface, and return its name."""
        name = f"eth{len(self._routers[router])}"
        self._routers[router][name] = str(address)
        return name
