"""The two parties of a NAT, and the gateway between them: inside hosts, outside servers, a router and its switch.

The wiring is the topology home's, or that of another where a router, `router`, is the gateway's next hop. Hosts
answer ARP; everything else they send is what a test tells them. Time passes only by `tick`. No kernel takes part.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Endpoint, Flow, Mapping, Protocol, Side
from controller.openflow import switch
from controller.openflow.pipeline import rules_of
from controller.openflow.router import Router
from controller.openflow.rules import INJECTED, Rule, Stopped, Table, Value
from controller.openflow.statistics import RuleCount
from controller.settings import Settings
from controller.wiring import ControllerConfiguration
from tests.support.flowtable import FlowTable, PacketIn
from topologies.addresses import mac_of
from topologies.base import Topology
from topologies.gateways.bridge import OUTSIDE_VLAN
from topologies.home import Home

BROADCAST = "ff:ff:ff:ff:ff:ff"
INSIDE = ipaddress.IPv4Network("10.0.0.0/16")
EXTERNAL = "192.0.2.1"
MOST_EVENTS = 10_000
"""After one frame or tick; a handful is usual."""
FIRST_REASON = min(Stopped)
"""The cookies of rules that drop are above those of mappings' buckets."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host on a port of the gateway; its first address is the one it sends from."""

    name: str
    port: int
    side: Side
    addresses: tuple[str, ...]
    gateway: str
    mac: str

    @property
    def address(self) -> str:
        """The address it sends from."""
        return self.addresses[0]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame that came to a host."""

    host: str
    packet: Layer


FROM_CONTROLLER = 0xFFFFFFFD
"""The port that OpenFlow gives to what the controller sends (OFPP_CONTROLLER)."""


class Network:
    """A running network; `acquainted` hosts have already asked by ARP for the gateway, as any host does first."""

    def __init__(
        self,
        *,
        clients: int = 2,
        acquainted: bool = True,
        seed: int = 1,
        topology: type[Topology] = Home,
        addresses_per_client: int = 1,
        outside_mtu: int = 1500,
        **settings: object,
    ) -> None:
        home = topology(clients=clients, addresses_per_client=addresses_per_client, outside_mtu=outside_mtu)
        addresses = {name: home.addresses[name] for name in home.clients}
        for interface in home.wiring["gateway"]:
            if interface.next_hop:
                addresses["router"] = [interface.next_hop]
        if "router" not in addresses:
            addresses |= {name: home.addresses[name] for name in home.servers}
        self.configuration = ControllerConfiguration(
            settings=Settings.model_validate(settings),
            interfaces=home.wiring["gateway"],
            mac=home.gateway_mac("gateway"),
            seed=seed,
        )
        self.mac = home.gateway_mac("gateway")
        self.hosts = {
            name: Host(
                name,
                interface.port,
                interface.side,
                tuple(str(address) for address in addresses[name]),
                str(interface.address.ip),
                mac_of(addresses[name][0]),
            )
            for name, interface in zip(addresses, home.wiring["gateway"], strict=True)
        }
        self._by_port = {host.port: host for host in self.hosts.values()}
        self.now = 0.0
        self.router = Router(self.configuration, _Switch(self))
        self.table = FlowTable()
        self.refuses: Callable[[Rule], bool] = lambda rule: False
        """Which of the rules that belong to a mapping the switch refuses."""
        self.silent: set[str] = set()
        """The hosts that do not answer ARP."""
        self.reports = True
        """Whether the switch answers polls."""
        self.packet_ins: list[PacketIn] = []
        self.polls: list[int] = []
        self._arrivals: list[Arrival] = []
        self._events: deque[Callable[[], None]] = deque()
        self.connect()
        if acquainted:
            for host in self.hosts.values():
                self.send(host.name, who_has(host, host.gateway))

    def __getattr__(self, name: str) -> Host:
        if name in self.__dict__.get("hosts", {}):
            return self.hosts[name]
        raise AttributeError(name)

    # What happens

    def replace(self, host: Host) -> None:
        """Put another host in the place of the one with its name."""
        self.hosts[host.name] = self._by_port[host.port] = host

    def connect(self) -> None:
        """Let the switch connect to its controller."""
        self.router.connected(self.now)
        self._settle()

    def send(self, host: str, frame: Layer) -> list[Arrival]:
        """Let a host send a frame, and return every frame that arrives anywhere because of it."""
        return self.feed(self.hosts[host].port, bytes(frame))

    def feed(self, port: int, frame: bytes) -> list[Arrival]:
        """Let a frame come in by a port, and return every frame that arrives anywhere because of it."""
        before = len(self._arrivals)
        self._enter(frame, port)
        self._settle()
        return self._arrivals[before:]

    def tick(self, seconds: float = 0.0) -> list[Arrival]:
        """Let time pass, and the router notice; the switch answers its polls at once."""
        before = len(self._arrivals)
        self.now += seconds
        self.router.tick(self.now)
        self._settle()
        return self._arrivals[before:]

    # What is to be seen

    def mapping(self, protocol: Protocol, host: Host, port: int) -> Mapping | None:
        """Return the mapping of a host's endpoint, the first where it has several."""
        internal = Endpoint(int(ipaddress.IPv4Address(host.address)), port)
        live = (mapping for mapping in self.router.nat.mappings() if mapping.protocol is protocol)
        return next((mapping for mapping in live if mapping.internal == internal), None)

    def mapping_rules(self) -> set[Rule]:
        """Return the rules that serve a mapping, as they stand in the switch."""
        return {entry.rule for entry in self.table if 0 < entry.rule.cookie < FIRST_REASON}

    # The machinery

    def _settle(self) -> None:
        for _ in range(MOST_EVENTS):
            if not self._events:
                return
            self._events.popleft()()
        raise AssertionError("frames go round in circles between the switch and its controller")

    def _enter(self, frame: bytes, port: int, table: Table = Table.ADMIT, reg0: int = 0) -> None:
        """Send a frame through the switch's tables."""
        outcome = self.table.run(frame, port, table=table, reg0=reg0)
        for output in outcome.outputs:
            self._deliver(*output)
        for switched in outcome.normal:
            self._switch(switched, port)
        for packet_in in outcome.packet_ins:
            self.packet_ins.append(packet_in)
            self._events.append(lambda packet_in=packet_in: self._to_controller(packet_in))

    def _to_controller(self, packet_in: PacketIn) -> None:
        self.router.packet_in(packet_in.table, packet_in.in_port, packet_in.frame, self.now)

    def _counts(self, cookie: int) -> list[RuleCount]:
        return [
            RuleCount(entry.rule.table, *rule_owner(entry.rule), entry.packets)
            for entry in self.table
            if entry.rule.cookie == cookie
        ]

    def _switch(self, frame: bytes, in_port: int) -> None:
        """Do as the switch's `normal`: inside is one LAN; the outside ports' VLAN can be entered by its tag."""
        packet = Ether(frame)
        reaches_outside = Dot1Q in packet and packet[Dot1Q].vlan == OUTSIDE_VLAN
        for host in self.hosts.values():
            is_meant = packet.dst == host.mac or int(packet.dst[:2], 16) & 1
            is_in_reach = host.side is Side.INSIDE or reaches_outside
            if host.port != in_port and is_meant and is_in_reach:
                self._deliver(host.port, frame)

    def _deliver(self, port: int, frame: bytes) -> None:
        host, packet = self._by_port[port], Ether(frame)
        self._arrivals.append(Arrival(host.name, packet))
        if (
            host.name not in self.silent
            and ARP in packet
            and packet[ARP].op == 1
            and packet.dst in (host.mac, BROADCAST)
            and packet[ARP].pdst in host.addresses
        ):
            answer = Ether(dst=packet.src, src=host.mac) / ARP(
                op=2, hwsrc=host.mac, psrc=packet[ARP].pdst, hwdst=packet[ARP].hwsrc, pdst=packet[ARP].psrc
            )
            self._events.append(lambda: self._enter(bytes(answer), port))


class _Switch:
    """The router's way to the network's switch: a flow table in memory."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def clear(self) -> None:
        self._network.table.clear()

    def install(self, rule: Rule) -> None:
        self._network.table.install(rule)

    def withdraw(self, rule: Rule) -> None:
        self._network.table.remove(rule)

    def add(self, flow: Flow, cookie: int, cause: switch.Arrival | None) -> None:
        network = self._network
        for rule in rules_of(flow, network.router.nat.settings.flows, cookie):
            if network.refuses(rule):
                network._events.append(lambda: network.router.refused(flow, cause, network.now))
            else:
                network.table.install(rule)

    def remove(self, flow: Flow, cookie: int) -> None:
        for rule in rules_of(flow, self._network.router.nat.settings.flows, cookie):
            self._network.table.remove(rule)

    def inject(self, frame: bytes, in_port: int, table: Table) -> None:
        self._network._enter(frame, in_port, table=table, reg0=INJECTED)

    def deliver(self, frame: bytes) -> None:
        self._network._enter(frame, FROM_CONTROLLER, table=Table.INBOUND, reg0=INJECTED)

    def forward(self, frame: bytes) -> None:
        self._network._enter(frame, FROM_CONTROLLER, table=Table.FORWARD, reg0=INJECTED)

    def send(self, frame: bytes, port: int) -> None:
        self._network._deliver(port, frame)

    def then(self, do: Callable[[float], None]) -> None:
        network = self._network
        network._events.append(lambda: do(network.now))

    def poll(self, cookie: int) -> None:
        network = self._network
        network.polls.append(cookie)
        if network.reports:
            counts = network._counts(cookie)
            network._events.append(lambda: network.router.counted(cookie, counts, network.now))

    def sum_up(self, why: Stopped) -> None:
        dropped = sum(entry.packets for entry in self._network.table if entry.rule.cookie == why)
        self._network.router.drops.summed_up(why, dropped)


def rule_owner(rule: Rule) -> tuple[Protocol, Endpoint, Endpoint]:
    """Return whose flow a rule serves: its internal or external endpoint, and its peer."""
    match = dict(rule.match)
    protocol = Protocol(int(str(match["ip_proto"])))
    ours, theirs = ("src", "dst") if rule.table is Table.OUTBOUND else ("dst", "src")
    return protocol, _endpoint(match, protocol, ours), _endpoint(match, protocol, theirs)


def _endpoint(match: dict[str, Value], protocol: Protocol, side: str) -> Endpoint:
    address = ipaddress.IPv4Address(str(match.get(f"ipv4_{side}", "0.0.0.0")))
    return Endpoint(int(address), int(str(match.get(f"{protocol.name.lower()}_{side}", 0))))


def who_has(host: Host, address: str) -> Layer:
    """Return an ARP request of a host."""
    return Ether(dst=BROADCAST, src=host.mac) / ARP(op=1, hwsrc=host.mac, psrc=host.address, pdst=address)


def ip(network: Network, sender: Host, destination: str, **fields: object) -> Layer:
    """Return the headers of a packet from a host to an address beyond the gateway; it is not to be fragmented."""
    header = {"src": sender.address, "dst": destination, "flags": "DF", **fields}
    return Ether(dst=network.mac, src=sender.mac) / IP(**header)


def tcp(network: Network, sender: Host, source: int, to: str, flags: str = "S", data: bytes = b"") -> Layer:
    """Return a TCP segment from a host's port to `address:port`, with flags as Scapy writes them."""
    address, port = to.split(":")
    return ip(network, sender, address) / TCP(sport=source, dport=int(port), flags=flags) / Raw(data)


def udp(network: Network, sender: Host, source: int, to: str, data: bytes = b"hello") -> Layer:
    """Return a UDP datagram from a host's port to `address:port`."""
    address, port = to.split(":")
    return ip(network, sender, address) / UDP(sport=source, dport=int(port)) / Raw(data)


def echo(network: Network, sender: Host, destination: str, identifier: int, *, reply: bool = False) -> Layer:
    """Return an ICMP echo request or reply."""
    kind = 0 if reply else 8
    return ip(network, sender, destination) / ICMP(type=kind, id=identifier, seq=1) / Raw(b"odd")
