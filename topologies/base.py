"""What every topology has: hosts with an address plan, roles, and the gateways' wiring.

A subclass overrides `build`, which calls `gateway` first, then `client` and `server`. Where a side has more than
one network, `router`, `access` and `uplink` connect them. Building only describes the network: nothing starts, and
root is not needed. A description that lacks something, or contradicts itself, raises ConfigurationError.
"""

from __future__ import annotations

import abc
import ipaddress
import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from mininet.topo import Topo

from controller.settings import ConfigurationError, Settings, static_mapping
from controller.wiring import ETHERNET_MTU, Interface, Route, Side, routed
from topologies.addresses import (
    Address,
    AddressPlan,
    LinkAddress,
    mac_of,
    require_inside,
    require_on_link,
    require_outside,
    require_routed,
    subscribers,
)
from topologies.gateways.base import Gateway
from topologies.gateways.openflow.gateway import OpenFlowGateway
from topologies.gateways.plain import Plain
from topologies.network.hosts import AccessSwitch, LabHost, Router

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
SERVERS = {"server": "198.51.100", "mirror": "203.0.113"}
"""The servers of most topologies, and the first three octets of their addresses."""
ADDITIONS = {
    "gateway": "self.gateway()",
    "client": 'self.client("alice", "10.0.0.1/24", gateway="10.0.0.254")',
    "server": 'self.server("server", "198.51.100.1/24", gateway="198.51.100.254")',
}
"""What every network has, and how `build` adds it."""


def client_name(number: int) -> str:
    """Return the name of the client with this number, from 1: the first eight have one of their own."""
    return NAMES[number - 1] if number <= len(NAMES) else f"client{number}"


def _networks(interfaces: Sequence[Interface]) -> set[ipaddress.IPv4Network]:
    """Return the inside networks, on links of these interfaces and behind hosts there."""
    links = {interface.address.network for interface in interfaces if interface.side is Side.INSIDE}
    return links.union(routed(interfaces))


def _listed(one_or_more: Any) -> list[Any]:
    single = isinstance(one_or_more, str | ipaddress.IPv4Address | ipaddress.IPv4Interface)
    return [one_or_more] if single else list(one_or_more)


class Topology(Topo, abc.ABC):
    """A network with clients inside, servers outside, and a gateway between them, or several gateways.

    `wiring` lists, for each gateway, its ports in the order of their numbers, from 1; the first gateway is the one
    under test. `external` has the external addresses of those gateways that do not take them from the settings.
    `addresses` has the addresses of each host, and `behind` the gateway that each client is behind.

    With `addresses_per_client`, a client has more than the address on its link, from SUBSCRIBERS, and sends from
    those. They are a network behind the client, to which its gateway has a route.

    `outside_mtu` is the most bytes of a packet on each link that leads out of a gateway.
    """

    settings: ClassVar[dict[str, Any]] = {}
    """The network's own defaults for the gateway's settings. Gateway, profile, scenario and user override them."""
    default_clients: ClassVar[int] = len(NAMES)
    """The number of clients if Mininet's own command gives none."""

    def __init__(
        self,
        clients: int | None = None,
        *,
        addresses_per_client: int = 1,
        outside_mtu: int = ETHERNET_MTU,
        gateway: type[Gateway] | Mapping[str, type[Gateway]] = OpenFlowGateway,
        gateway_params: dict[str, dict[str, Any]] | None = None,
        **params: Any,
    ) -> None:
        """Describe the network. `gateway` is the class of every NAT, or of each by its name.

        `params` are Mininet's and those of `build`.

        `gateway_params` has the parameters of each NAT's constructor, by the NAT's name. Mininet's own command has
        none. Each NAT then prepares itself when the network starts.
        """
        self.addresses_per_client = addresses_per_client
        self.outside_mtu = outside_mtu
        self.clients: list[str] = []
        self.servers: list[str] = []
        self.addresses: dict[str, list[ipaddress.IPv4Address]] = {}
        self.behind: dict[str, str] = {}
        self.wiring: dict[str, list[Interface]] = {}
        self.external: dict[str, list[ipaddress.IPv4Address]] = {}
        self._gateway, self._gateway_params = gateway, gateway_params
        self._routers: dict[str, dict[str, str]] = {}
        self._access: dict[str, tuple[str, int]] = {}
        self._plan = AddressPlan(type(self).__name__)
        super().__init__(self.default_clients if clients is None else clients, **params)
        self._require_complete()

    @abc.abstractmethod
    def build(self, clients: int) -> None:
        """Describe the network with this number of clients: first `gateway`, then `client` and `server`."""

    def gateway(self, name: str = "gateway", external: Address | Sequence[Any] | None = None) -> None:
        """Place a NAT; `external` has its external addresses, unless they come from the settings."""
        self._require_new(name)
        self.wiring[name] = []
        if external is not None:
            self.external[name] = [self._plan.address(name, each) for each in _listed(external)]
        if self._gateway_params is None:
            self.addSwitch(name, cls=self._plain(name), batch=False)
        else:
            self.addSwitch(name, cls=self._kind(name), batch=False, **self._gateway_params.get(name, {}))

    def _kind(self, name: str) -> type[Gateway]:
        return self._gateway[name] if isinstance(self._gateway, Mapping) else self._gateway

    def _plain(self, name: str) -> Plain:
        def wiring() -> tuple[list[Interface], str]:
            return self.wiring[name], self.gateway_mac(name)

        return Plain(self._kind(name), wiring, settings=self.settings, external=self.external.get(name))

    def router(self, name: str) -> None:
        """Place a plain router, which translates nothing and knows the networks on its links."""
        self._require_new(name)
        self._routers[name] = {}
        self.addHost(name, cls=Router, interfaces=self._routers[name])

    def access(self, name: str, address: LinkAddress, *, gateway: str = "gateway") -> None:
        """Place a switch for clients on a port of a gateway, whose address on that LAN is `address`."""
        self._require_new(name)
        self._require_placed(f"access switch {name}", gateway, self.wiring, by="gateway")
        self.addSwitch(name, cls=AccessSwitch, dpid="0", inNamespace=True)
        own = self._plan.interface(gateway, address)
        self._plan.give(gateway, own.ip, lan=gateway)
        port = self._plug(gateway, Side.INSIDE, own)
        self.addLink(name, gateway, intfName1="uplink", port2=port, intfName2=self._interface(gateway, port))
        self._access[name] = (gateway, port)

    def client(self, name: str, address: LinkAddress, gateway: Address, *, behind: str = "gateway") -> None:
        """Place an inside host behind a gateway or at an access switch; `gateway` is the NAT's address there."""
        self._require_placed(f"client {name}", behind, [*self.wiring, *self._access])
        nat, port = self._access.get(behind) or (behind, len(self.wiring[behind]) + 1)
        many = self.addresses_per_client > 1
        own = subscribers(len(self.clients), self.addresses_per_client) if many else None
        self._host(name, [address], gateway, Side.INSIDE, behind, lan=nat, own=own)
        self.clients.append(name)
        self.behind[name] = nat
        self._add_hosts(nat, port, self.addresses[name])
        if own is not None:
            wiring, route = self.wiring[nat], Route(network=own, next_hop=self.addresses[name][0])
            wiring[port - 1] = wiring[port - 1].model_copy(update={"routes": (*wiring[port - 1].routes, route)})

    def server(
        self,
        name: str,
        addresses: LinkAddress | Sequence[LinkAddress],
        gateway: Address,
        *,
        behind: str = "gateway",
    ) -> None:
        """Place an outside host with one or more addresses, on a link of its own to a gateway or a router."""
        self._require_placed(f"server {name}", behind, [*self.wiring, *self._routers])
        self._host(name, _listed(addresses), gateway, Side.OUTSIDE, behind, lan=None)
        self.servers.append(name)

    def sources(self, client: int) -> list[str]:
        """Return the addresses that a client sends from, by its place among the clients: each is a subscriber."""
        if self.addresses_per_client == 1:
            return [str(self.addresses[self.clients[client]][0])]
        first = subscribers(client, self.addresses_per_client).network_address
        return [str(first + number) for number in range(self.addresses_per_client)]

    def two_servers(self, *, behind: str = "gateway") -> None:
        """Place `server` and `mirror`, with two addresses each."""
        for name, network in SERVERS.items():
            self.server(name, [f"{network}.1/24", f"{network}.2/24"], f"{network}.254", behind=behind)

    def uplink(self, gateway: str, address: LinkAddress, next_hop: Address, *, to: str) -> None:
        """Connect a gateway's outside to a router, or to another gateway's inside, which is `next_hop` there."""
        self._require_placed("an uplink", gateway, self.wiring)
        self._require_placed(f"the uplink of {gateway}", to, [*self.wiring, *self._routers], by="to")
        own = self._plan.interface(gateway, address)
        far = self._plan.beside(gateway, own, next_hop, role="next hop")
        for owner, address_of_owner in ((gateway, own.ip), (to, far.ip)):
            self._plan.give(owner, address_of_owner, lan=to if to in self.wiring else None)
        port = self._plug(gateway, Side.OUTSIDE, own, far.ip)
        here = {"port2": port, "intfName2": self._interface(gateway, port), **self._mtu()}
        if to in self._routers:
            # The NAT may remember the next hop of an earlier run.
            self.addLink(to, gateway, intfName1=self._route(to, far), addr1=mac_of(far.ip), **here)
        else:
            theirs = self._plug(to, Side.INSIDE, far, mtu=self.outside_mtu)
            # External addresses that come from the settings may be any on the link.
            known = gateway in self.external
            self._add_hosts(to, theirs, [own.ip, *self.external[gateway]] if known else [own.network])
            self.addLink(to, gateway, port1=theirs, intfName1=self._interface(to, theirs), **here)

    def gateway_mac(self, name: str) -> str:
        """Return a gateway's MAC address, one for all its ports."""
        return mac_of(next(i for i in self.wiring[name] if i.side is Side.INSIDE).address.ip)

    def inside_address(self, client: str) -> ipaddress.IPv4Address:
        """Return the inside address of the gateway that a client is behind: the sender of its ICMP errors."""
        return next(each for each in self.wiring[self.behind[client]] if each.side is Side.INSIDE).address.ip

    @property
    def inside(self) -> set[ipaddress.IPv4Network]:
        """The networks whose addresses no server must ever see."""
        return _networks(self._interfaces())

    @property
    def uplinks(self) -> list[tuple[str, str, set[ipaddress.IPv4Network]]]:
        """Gateways with a next hop: name, the interface that leads there, and the networks behind the gateway."""
        return [
            (name, self._interface(name, uplink.port), _networks(interfaces))
            for name, interfaces in self.wiring.items()
            for uplink in interfaces
            if uplink.next_hop is not None
        ]

    @property
    def outside_addresses(self) -> set[str]:
        """The addresses of all servers."""
        return {str(address) for name in self.servers for address in self.addresses[name]}

    @property
    def router_interfaces(self) -> list[ipaddress.IPv4Interface]:
        """The addresses of all plain routers, each with the prefix length of its link."""
        return [ipaddress.IPv4Interface(own) for each in self._routers.values() for own in each.values()]

    def check(self, settings: Settings) -> None:
        """Raise ConfigurationError if the settings and the address plan contradict each other."""
        everywhere = self._interfaces()
        for name, interfaces in self.wiring.items():
            uplink = next((interface for interface in interfaces if interface.next_hop), None)
            for address in self.external.get(name, settings.external_addresses):
                if uplink is None:
                    require_routed(address, {each.address.network for each in everywhere} | self.inside)
                else:
                    require_on_link(address, uplink, {each.address.ip for each in everywhere})
        inside = [each for each in everywhere if each.side is Side.INSIDE]
        hosts = [*(network for each in inside for network in each.hosts), *routed(inside)]
        for text in settings.static_mappings:
            require_inside(text, ipaddress.IPv4Address(static_mapping(text).internal.address), hosts)
        for network in settings.untranslated_destinations:
            require_outside(network, self.inside, [each.address.ip for each in everywhere])

    def _require_new(self, name: str) -> None:
        if name in self.g.nodes():
            raise self._wrong(f"two nodes have the name {name!r}; give one of them another")

    def _require_placed(self, what: str, place: str, places: Collection[str], *, by: str = "behind") -> None:
        """Require that a node is there to which another shall be connected."""
        if place in places:
            return
        if places:
            way_out = f"take {by}={' or '.join(map(repr, places))}, or place {place!r} before it in build()"
        else:
            way_out = f"add {ADDITIONS['gateway']} before it in build()"
        raise self._wrong(f"{what} is to be connected to {place!r}, which does not exist; {way_out}")

    def _require_complete(self) -> None:
        """Require what no experiment can do without."""
        placed: dict[str, Collection[str]] = {
            "gateway": self.wiring,
            "client": self.clients,
            "server": self.servers,
        }
        for what, names in placed.items():
            if not names:
                raise self._wrong(f"there is no {what}; add {ADDITIONS[what]} to build()")
        for name, interfaces in self.wiring.items():
            for side, what in ((Side.INSIDE, "client"), (Side.OUTSIDE, "server")):
                if side not in {interface.side for interface in interfaces}:
                    addition = f"{ADDITIONS[what][:-1]}, behind={name!r})"
                    raise self._wrong(f"{name} has nothing {side.value}; add {addition} to build()")

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"topology {type(self).__name__}: {what}")

    def _interfaces(self) -> list[Interface]:
        return list(itertools.chain.from_iterable(self.wiring.values()))

    def _host(
        self,
        name: str,
        texts: Sequence[LinkAddress],
        gateway: Address,
        side: Side,
        behind: str,
        *,
        lan: str | None,
        own: ipaddress.IPv4Network | None = None,
    ) -> None:
        self._require_new(name)
        if not texts:
            raise self._wrong(f"{name} has no address; give it one at least")
        interfaces = [self._plan.interface(name, text) for text in texts]
        far, *_ = [self._plan.beside(name, each, gateway) for each in interfaces]
        for interface in interfaces:
            self._plan.give(name, interface.ip, lan=lan)
        self._plan.give(lan or behind, far.ip, lan=lan)
        self.addHost(name, cls=LabHost, addresses=tuple(map(str, interfaces)), gateway=str(far.ip), own=own)
        self.addresses[name] = [interface.ip for interface in interfaces]
        here = {"intfName1": "eth0", "addr1": mac_of(interfaces[0].ip)}
        if behind in self._access:
            self.addLink(name, behind, **here, intfName2=f"port{len(self.addresses)}")
        elif behind in self._routers:
            self.addLink(name, behind, **here, intfName2=self._route(behind, far))
        else:
            port = self._plug(behind, side, far)
            mtu = self._mtu() if side is Side.OUTSIDE else {}
            self.addLink(name, behind, **here, **mtu, port2=port, intfName2=self._interface(behind, port))

    def _plug(
        self,
        gateway: str,
        side: Side,
        address: ipaddress.IPv4Interface,
        next_hop: ipaddress.IPv4Address | None = None,
        *,
        mtu: int | None = None,
    ) -> int:
        """Take a gateway's next port, and return its number. An outside port has `outside_mtu`."""
        port = len(self.wiring[gateway]) + 1
        mtu = mtu or (self.outside_mtu if side is Side.OUTSIDE else ETHERNET_MTU)
        self.wiring[gateway].append(Interface(port=port, side=side, address=address, next_hop=next_hop, mtu=mtu))
        return port

    def _add_hosts(self, gateway: str, port: int, hosts: Sequence[Any]) -> None:
        """Note that hosts at a gateway's inside port have these addresses, or any of these networks."""
        wiring = self.wiring[gateway]
        added = dict.fromkeys((*wiring[port - 1].hosts, *map(ipaddress.IPv4Network, hosts)))
        wiring[port - 1] = wiring[port - 1].model_copy(update={"hosts": tuple(added)})

    def _mtu(self) -> dict[str, int]:
        """Return the option of a link that leads out of a gateway, if it is not as any other."""
        return {} if self.outside_mtu == ETHERNET_MTU else {"mtu": self.outside_mtu}

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
