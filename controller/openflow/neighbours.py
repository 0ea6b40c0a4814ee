"""Next hops: which host has which MAC address on which port, and the frames that wait until we know."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.openflow.commands import Command, Forward, Install, Send
from controller.openflow.frames import ARP_REPLY, ARP_REQUEST, Arp
from controller.openflow.pipeline import neighbour_rule
from controller.wiring import ControllerConfiguration, Interface

WAITING_FRAMES = 1024
"""Frames that wait for one address at most; then the oldest is dropped."""
ASK_AGAIN_S = 0.5
GIVE_UP_S = 3.0


@dataclass(slots=True)
class _Waiting:
    since: float
    asked_at: float
    frames: deque[bytes] = field(default_factory=lambda: deque(maxlen=WAITING_FRAMES))


class Neighbours:
    """The gateway's ARP (RFC 826), on both sides."""

    def __init__(self, configuration: ControllerConfiguration) -> None:
        self._configuration = configuration
        self._mac = bytes.fromhex(configuration.mac.replace(":", ""))
        self._known: dict[int, tuple[bytes, int]] = {}
        self._waiting: dict[int, _Waiting] = {}

    def rules(self) -> Iterator[Install]:
        """Install what is known, again."""
        for address, (mac, port) in self._known.items():
            yield Install(neighbour_rule(self._configuration, address, mac, port))

    def arp(self, arp: Arp, interface: Interface) -> Iterator[Command]:
        """Learn from an ARP message to the gateway, and answer a request."""
        yield from self._learn(interface, arp.sender, arp.sender_mac)
        own = int(interface.address.ip)
        if arp.operation == ARP_REQUEST and arp.target == own:
            reply = Arp(ARP_REPLY, self._mac, own, arp.sender_mac, arp.sender)
            yield Send(reply.frame(), interface.port)

    def resolve(self, frame: bytes, destination: int, now: float) -> Iterator[Command]:
        """Keep a translated frame until its next hop is known, and ask who has it."""
        waiting = self._waiting.setdefault(destination, _Waiting(since=now, asked_at=float("-inf")))
        waiting.frames.append(frame)
        if now - waiting.asked_at >= ASK_AGAIN_S:
            waiting.asked_at = now
            yield from self._ask(destination)

    def tick(self, now: float) -> None:
        """Give up on hosts that do not answer."""
        for address in [a for a, waiting in self._waiting.items() if now - waiting.since >= GIVE_UP_S]:
            del self._waiting[address]

    def _learn(self, interface: Interface, address: int, mac: bytes) -> Iterator[Command]:
        network = interface.address.network
        if not int(network.network_address) < address < int(network.broadcast_address):
            return
        if self._known.get(address) != (mac, interface.port):
            self._known[address] = (mac, interface.port)
            yield Install(neighbour_rule(self._configuration, address, mac, interface.port))
        waiting = self._waiting.pop(address, None)
        if waiting is not None:
            for frame in waiting.frames:
                yield Forward(frame)

    def _ask(self, address: int) -> Iterator[Command]:
        for interface in self._configuration.interfaces:
            own, network = int(interface.address.ip), interface.address.network
            if int(network.network_address) < address < int(network.broadcast_address):
                yield Send(Arp(ARP_REQUEST, self._mac, own, bytes(6), address).frame(), interface.port)
