"""A program that is both ends of raw flows: it sends from inside hosts, and sends back from a server.

    python -m testbed.traffic.generator ORDERS_FD PLAN

Flow number N comes from the source port 1024 + N, and sixteen flows in a row come from the same host. When all
source ports have had their turn, the next host uses the same ports, so no two flows have one endpoint. The hosts'
kernels have no part in this: they have no default route any more, and so cannot answer frames that they know
nothing of. Since both ends are here, every frame's way through the NAT is known: whether it arrived, when, and
from which external endpoint. Answers are sent to that endpoint, and must reach the very host and port of the flow.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from testbed.sandbox.linux import network_of
from testbed.traffic.bulk import Outgoing, Ring, sender
from testbed.traffic.flight import ARRIVAL_NUMBER, ARRIVAL_TCP_SEQUENCE, PAUSE_S, Arrival, Flight
from testbed.traffic.frames import SMALLEST_PAYLOAD, Kind, Maker, Station
from testbed.traffic.wire import Orders
from topologies.network import arp

FIRST_PORT = 1024
SOURCE_PORTS = 65536 - FIRST_PORT
RUN = 16
"""Flows in a row that come from the same host, so that one system call sends them."""
INTERFACE = "eth0"
OPENING = (Kind.DATAGRAM, Kind.SYN)
FLOODED_S = 1.0
"""Seconds without an arrival after which the rest of a flood counts as lost."""
FLOOD_FRAMES = 1024
"""The fewest frames that are made for a flood, and are sent again and again."""


class Host(BaseModel):
    """One host: the path of its network namespace, its addresses, and its gateway's."""

    netns: str
    mac: str
    address: str
    gateway: str


class Plan(BaseModel):
    """The hosts at both ends, their protocol and port, and the number of flows."""

    protocol: str
    clients: list[Host]
    server: Host
    port: int
    gateway_mac: str
    flows: int

    def client(self, number: int) -> int:
        """Return the position of the client that has the flow with this number."""
        turn, port = divmod(number, SOURCE_PORTS)
        return (port // RUN + turn) % len(self.clients)

    def source_port(self, number: int) -> int:
        """Return the source port of the flow with this number."""
        return FIRST_PORT + number % SOURCE_PORTS


@dataclass(frozen=True, slots=True)
class External:
    """The external endpoint from which a flow came."""

    address: str
    port: int


class Generator:
    """The flows of one protocol, and the scenario's orders for them."""

    def __init__(self, orders: Orders, plan: Plan) -> None:
        self._orders = orders
        self._plan = plan
        protocol = socket.IPPROTO_UDP if plan.protocol == "udp" else socket.IPPROTO_TCP
        self._inside = [sender(host.netns, INTERFACE) for host in plan.clients]
        self._outside = sender(plan.server.netns, INTERFACE)
        self._at_server = Ring(plan.server.netns, INTERFACE, protocol, port=plan.port, at_source=False)
        self._at_clients = [
            Ring(host.netns, INTERFACE, protocol, port=plan.port, at_source=True) for host in plan.clients
        ]
        self._externals: list[External | None] = [None] * plan.flows
        self._misled = 0
        for host in (*plan.clients, plan.server):
            _introduce(host)

    def run(self) -> None:
        """Carry out orders until they end."""
        for order in self._orders:
            answer = getattr(self, "_do_" + order.pop("do"))(**order)
            self._orders.tell(answer=answer)

    def _do_out(
        self, kind: str, first: int, count: int, window: int, patience: float, rate: float | None = None
    ) -> dict[str, Any]:
        """Send a frame of each of these flows from inside. A frame that opens no flow goes over open ones only."""
        numbers = [
            number
            for number in range(first, first + count)
            if Kind(kind) in OPENING or self._externals[number] is not None
        ]
        if not numbers:
            return {"sent": 0, "arrived": 0, "seconds": 0.0}
        positions = {number: position for position, number in enumerate(numbers)}
        outgoing = self._outward(Kind(kind), numbers)
        if Kind(kind) in OPENING:
            for number in numbers:
                self._externals[number] = None  # the endpoint that it had before is no longer its own

        def send(frames: Outgoing, position: int, most: int) -> int:
            number = numbers[position]
            return frames.send(self._inside[self._plan.client(number)], position, min(most, RUN - number % RUN))

        flight = Flight(outgoing, send, lambda: self._seen_outside(Kind(kind), positions), self._tell)
        landing = flight.fly(window=window, patience=patience, rate=rate)
        return {**landing.summary(), **self._known(numbers)}

    def _do_back(
        self, kind: str, first: int, count: int, window: int, patience: float, rate: float | None = None
    ) -> dict[str, Any]:
        """Send a frame of each of these flows from outside, to the flow's external endpoint."""
        numbers = [number for number in range(first, first + count) if self._externals[number] is not None]
        if not numbers:
            return {"sent": 0, "arrived": 0, "seconds": 0.0, "misled": 0}
        positions = {number: position for position, number in enumerate(numbers)}
        makers: dict[str, Maker] = {}
        frames = []
        for number in numbers:
            external = self._externals[number]
            assert external is not None
            maker = makers.get(external.address)
            if maker is None:
                maker = makers[external.address] = self._maker(Kind(kind), self._plan.server, external.address)
            frames.append(maker.frame(self._plan.port, external.port, number))
        self._misled = 0
        flight = Flight(
            Outgoing(frames),
            lambda outgoing, position, most: outgoing.send(self._outside, position, min(most, RUN)),
            lambda: self._seen_inside(Kind(kind), positions),
            self._tell,
        )
        landing = flight.fly(window=window, patience=patience, rate=rate)
        return {**landing.summary(), "misled": self._misled}

    def _do_flood(self, count: int, frames: int, window: int, payload: int) -> dict[str, Any]:
        """Send `frames` datagrams in all over the first `count` flows in turn, and count those that arrive."""
        numbers = [position % count for position in range(math.ceil(FLOOD_FRAMES / count) * count)]
        outgoing = self._outward(Kind.DATAGRAM, numbers, payload)
        together = self._together(numbers)
        sent = arrived = position = 0
        started = last = time.time()
        while arrived < frames and time.time() - last < FLOODED_S:
            while sent < frames and sent - arrived < window:
                most = min(window - sent + arrived, together[position], frames - sent)
                left = outgoing.send(self._inside[self._plan.client(numbers[position])], position, most)
                sent += left
                position = (position + left) % len(numbers)
            here = [at for at, _ in self._at_server.take(ARRIVAL_NUMBER)]
            arrived += len(here)
            last = max([last, *here])
            if not here:
                time.sleep(PAUSE_S)
        return {"sent": sent, "arrived": arrived, "seconds": last - started}

    def _together(self, numbers: Sequence[int]) -> list[int]:
        """Return for each position the number of frames from it on that have the same sender."""
        together = [1] * len(numbers)
        for position in range(len(numbers) - 2, -1, -1):
            if self._plan.client(numbers[position]) == self._plan.client(numbers[position + 1]):
                together[position] = together[position + 1] + 1
        return together

    def _do_dropped(self) -> int:
        """Return the number of frames that found no room in this program's own rings."""
        return sum(ring.dropped for ring in (self._at_server, *self._at_clients))

    def _outward(self, kind: Kind, numbers: Sequence[int], payload: int = SMALLEST_PAYLOAD) -> Outgoing:
        plan = self._plan
        makers = [self._maker(kind, client, plan.server.address, payload) for client in plan.clients]
        return Outgoing(
            [makers[plan.client(number)].frame(plan.source_port(number), plan.port, number) for number in numbers]
        )

    def _maker(self, kind: Kind, source: Host, address: str, payload: int = SMALLEST_PAYLOAD) -> Maker:
        return Maker(kind, Station(source.mac, source.address), address, self._plan.gateway_mac, payload=payload)

    def _seen_outside(self, kind: Kind, positions: dict[int, int]) -> list[Arrival]:
        """Take the frames that have come at the server. A frame that opens a flow has its external endpoint."""
        seen = []
        fields = ARRIVAL_NUMBER if kind is Kind.DATAGRAM else ARRIVAL_TCP_SEQUENCE
        for at, (address, port, _, number) in self._at_server.take(fields):
            own = number - (0 if kind in OPENING else 1)
            if kind in OPENING and own < len(self._externals):
                self._externals[own] = External(socket.inet_ntoa(address), port)
            seen.append((at, positions.get(own, -1)))
        return seen

    def _seen_inside(self, kind: Kind, positions: dict[int, int]) -> list[Arrival]:
        """Take the frames that have come at the clients. One at another host or port than its flow's is misled."""
        seen = []
        for client, ring in enumerate(self._at_clients):
            for at, (_, _, port, number) in ring.take(ARRIVAL_NUMBER):
                own = number - (0 if kind is Kind.DATAGRAM else 1)
                position = positions.get(own, -1)
                sender = self._plan.source_port(own), self._plan.client(own)
                if position >= 0 and sender != (port, client):
                    self._misled += 1
                    position = -1
                seen.append((at, position))
        return seen

    def _known(self, numbers: Sequence[int]) -> dict[str, int]:
        """Count the external endpoints of these flows, and the flows that left untranslated."""
        externals = [self._externals[number] for number in numbers]
        known = [each for each in externals if each is not None]
        inside = {client.address for client in self._plan.clients}
        return {
            "endpoints": len(set(known)),
            "untranslated": sum(each.address in inside for each in known),
        }

    def _tell(self, done: int) -> None:
        self._orders.tell(done=done)


def _introduce(host: Host) -> None:
    """Send an ARP request for the gateway, as any host does first, so that the gateway knows where the host is."""
    with network_of(host.netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.bind((INTERFACE, 0))
        mac = bytes.fromhex(host.mac.replace(":", ""))
        wire.send(arp.request(mac, ipaddress.IPv4Address(host.address), ipaddress.IPv4Address(host.gateway)))


def main() -> None:
    """Open the sockets, report that they are ready, and carry out orders until they end."""
    orders, plan = Orders(int(sys.argv[1])), Plan.model_validate_json(sys.argv[2])
    generator = Generator(orders, plan)
    orders.tell(ready=True)
    generator.run()


if __name__ == "__main__":
    main()
