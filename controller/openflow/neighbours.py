"""Next hops: the MAC address and port of each host, and the frames that wait until these are known.

A host on a network of ours is its own next hop. A host with many addresses is the next hop to all of them, so that
a thousand cost one rule. For any other address it is the router of the default route.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.openflow.frames import ARP_REPLY, ARP_REQUEST, Arp
from controller.openflow.pipeline import default_route, neighbour_rule, network_rule
from controller.openflow.rules import Rule
from controller.openflow.switch import Switch
from controller.wiring import ControllerConfiguration, Interface

WAITING_FRAMES = 1024
"""The most frames that wait for one address. With one more the oldest is dropped."""
ASK_AGAIN_S = 0.5
GIVE_UP_S = 3.0


@dataclass(slots=True)
class _Waiting:
    since: float
    asked_at: float
    frames: deque[bytes] = field(default_factory=lambda: deque(maxlen=WAITING_FRAMES))


class Neighbours:
    """The gateway's ARP (RFC 826), on both sides."""

    def __init__(self, configuration: ControllerConfiguration, switch: Switch) -> None:
        self._switch = switch
        self._configuration = configuration
        self._mac = bytes.fromhex(configuration.mac.replace(":", ""))
        interfaces, external = configuration.interfaces, configuration.settings.external_addresses
        self._router = next((int(i.next_hop) for i in interfaces if i.next_hop is not None), None)
        self._external = {int(address) for address in external}
        self._behind: dict[int, list[ipaddress.IPv4Network]] = defaultdict(list)
        self._next_hops: dict[tuple[int, int], int] = {}
        for route in (route for interface in interfaces for route in interface.routes):
            network, next_hop = route.network, int(route.next_hop)
            self._behind[next_hop].append(network)
            self._next_hops[int(network.network_address), int(network.netmask)] = next_hop
        self._masks = {mask for _, mask in self._next_hops}
        self._known: dict[int, tuple[bytes, int]] = {}
        self._waiting: dict[int, _Waiting] = {}

    def install(self) -> None:
        """Install the rules of all known hosts again."""
        for address, (mac, port) in self._known.items():
            for rule in self._routes(address, mac, port):
                self._switch.install(rule)

    def arp(self, arp: Arp, interface: Interface) -> None:
        """Learn from an ARP message to the gateway, and answer a request."""
        self._learn(interface, arp.sender, arp.sender_mac)
        if arp.operation == ARP_REQUEST and self._is_ours(arp.target, interface):
            reply = Arp(ARP_REPLY, self._mac, arp.target, arp.sender_mac, arp.sender)
            self._switch.send(reply.frame(), interface.port)

    def resolve(self, frame: bytes, destination: int, now: float) -> None:
        """Keep a translated frame until its next hop is known, and ask for that by ARP."""
        hop = self._next_hop(destination)
        waiting = self._waiting.setdefault(hop, _Waiting(since=now, asked_at=float("-inf")))
        waiting.frames.append(frame)
        if now - waiting.asked_at >= ASK_AGAIN_S:
            waiting.asked_at = now
            self._ask(hop)

    def tick(self, now: float) -> None:
        """Give up on hosts that do not answer."""
        for address in [a for a, waiting in self._waiting.items() if now - waiting.since >= GIVE_UP_S]:
            del self._waiting[address]

    def _learn(self, interface: Interface, address: int, mac: bytes) -> None:
        if not _is_on(interface, address) or address in self._external:
            return
        if self._known.get(address) != (mac, interface.port):
            self._known[address] = (mac, interface.port)
            for rule in self._routes(address, mac, interface.port):
                self._switch.install(rule)
        waiting = self._waiting.pop(address, None)
        if waiting is not None:
            for frame in waiting.frames:
                self._switch.forward(frame)

    def _routes(self, address: int, mac: bytes, port: int) -> Iterator[Rule]:
        """Yield the rules that lead to a host or by way of it."""
        yield neighbour_rule(self._configuration, address, mac, port)
        for network in self._behind.get(address, ()):
            yield network_rule(self._configuration, network, mac, port)
        if address == self._router:
            yield default_route(self._configuration, mac, port)

    def _next_hop(self, destination: int) -> int:
        for mask in self._masks:
            if (next_hop := self._next_hops.get((destination & mask, mask))) is not None:
                return next_hop
        is_near = any(_is_on(interface, destination) for interface in self._configuration.interfaces)
        return destination if is_near or self._router is None else self._router

    def _is_ours(self, address: int, interface: Interface) -> bool:
        """Whether the gateway has this address on the link of an interface."""
        is_external = interface.next_hop is not None and address in self._external and _is_on(interface, address)
        return is_external or address == int(interface.address.ip)

    def _ask(self, address: int) -> None:
        for interface in self._configuration.interfaces:
            if _is_on(interface, address):
                request = Arp(ARP_REQUEST, self._mac, int(interface.address.ip), bytes(6), address)
                self._switch.send(request.frame(), interface.port)


def _is_on(interface: Interface, address: int) -> bool:
    """Whether an address is a host's on the network of an interface."""
    network = interface.address.network
    return int(network.network_address) < address < int(network.broadcast_address)
