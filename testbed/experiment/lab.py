"""The lab: a running network by its roles (clients, servers, gateway), its traffic, and its judge.

Nothing stops the lab. It ends with its sandbox.
"""

from __future__ import annotations

import itertools
import random
import socket
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol

from testbed.evidence.judge import Judge
from testbed.evidence.judging import keeps
from testbed.evidence.knowing import Knowing
from testbed.evidence.oddities import Oddities
from testbed.evidence.stations import exits, stations
from testbed.evidence.strays import Strays
from testbed.evidence.tallies import Tally
from testbed.evidence.taps import Sample
from testbed.evidence.train import Flow
from testbed.evidence.witnesses import LeakWitness, TcpWitness
from testbed.experiment.building import Network
from testbed.experiment.own_flow import over, own_connection, own_datagrams
from testbed.experiment.recording import Recorders
from testbed.sandbox.linux import network_of
from testbed.sandbox.mounts import FOLDER
from testbed.sandbox.supervision import Supervisor
from testbed.traffic.drive import Clients, Servers
from testbed.traffic.firing import Volleys
from testbed.traffic.generator import Host as RawHost
from testbed.traffic.generator import Plan
from testbed.traffic.raw import RawTraffic
from testbed.traffic.records import Attempt, Sent, Sighting
from testbed.traffic.wire import Endpoint
from topologies.addresses import mac_of

PORT = 7
"""The port at which servers listen: that of the echo service (RFC 862)."""
OWN_PORT = 9
"""The port for a flow of the judge's own: that of the discard service (RFC 863)."""
OWN_NETNS = "/proc/self/ns/net"
"""The network namespace of the bridges, which is this process's own."""


class Seer(Protocol):
    """One server, or several, that records the clients it has seen."""

    def sightings(self) -> list[Sighting]:
        """Return the clients that it has seen so far."""


class Sender(Protocol):
    """Clients that can carry out a transfer on what they have open."""

    def transfer(self, *, size: int, hosts: Sequence[str]) -> list[Sent]:
        """Carry out a transfer, in datagrams of `size` bytes, and return it as the clients saw it.

        Shorter ones follow for `hosts`, by their network namespaces.
        """


class Receiver(Protocol):
    """Servers that compare what arrives of a transfer."""

    def arrived(self) -> dict[int, int]:
        """Return the bytes that arrived as they were sent, by the client's nonce."""


class Lab:
    """The network of one run, with `clients` inside, `servers` outside, and the `gateway` under test between them.

    `gateways` has all gateways by their names, if the topology has several. `judge` decides what leaked, and which
    clients shared an endpoint.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        network: Network,
        *,
        seed: int,
        wire_is_read: bool,
        recorders: Recorders | None = None,
    ) -> None:
        """Start the recorders and the witnesses, and wait until the gateways translate."""
        self._recorders = recorders
        if recorders is not None:
            recorders.start(network)
        self._supervisor = supervisor
        self._servers: list[Seer] = []  # workers live as long as the lab
        self.senders: list[Sender] = []
        self.receivers: list[Receiver] = []
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        """TCP connections that a scenario has made by itself: the client's end and the server's."""
        self._raw: list[RawTraffic] = []
        self.seed = seed
        self.topology = network.topology
        self.gateways = network.gateways
        self.gateway = next(iter(network.gateways.values()))
        self.links = network.links
        """The links that are under conditions."""
        self.behaviours = network.behaviours
        self.behaviour = next(iter(network.behaviours.values()))
        rates = [each.connection_rate for each in self.gateways.values() if each.connection_rate is not None]
        self._rate = min(rates, default=None)
        self.clients = [network.nodes[name] for name in self.topology.clients]
        self.nodes = network.nodes
        """Mininet's network: every node by its name."""
        self.servers = [network.nodes[name] for name in self.topology.servers]
        self.untranslated = sorted(set().union(*network.untranslated.values()))
        """The networks to which packets may leave untranslated, as the settings have it (RFC 6888 REQ-6)."""
        leaks = [
            LeakWitness(host.netns, "eth0", self.topology.inside, but_to=self.untranslated)
            for host in self.servers
        ]
        leaks += [
            LeakWitness(
                self._netns(name),
                interface,
                behind,
                but_to=network.untranslated[name],
                leaving=True,
            )
            for name, interface, behind in self.topology.uplinks
        ]
        read = [host.netns for host in self.servers if wire_is_read]
        pools, tcp = network.external, TcpWitness(read, "eth0")
        self._served: set[Endpoint] = set()
        self.judge = Judge(
            leaks,
            tcp,
            self.sightings,
            keeps(self.behaviours.values()),
            strays=Strays(
                exits(self.topology, pools, self._netns), stations(self.topology, self._netns) if read else ()
            ),
            oddities=Oddities(
                [host.netns for host in self.clients] if read else (),
                read,
                inside=self.topology.inside,
                but_to=self.untranslated,
                mtu=self.topology.outside_mtu,
            ),
            under_way=network.links.inside,
            knowing=Knowing(tcp, self.sightings, self.topology.outside_addresses, self._served),
        )
        hosts = [host.netns for host in (*self.clients, *self.servers)]
        self.sample = Sample(hosts) if wire_is_read else None
        """A share of all packets of the run, at both ends."""
        self.tally = Tally(hosts)
        for gateway in self.gateways.values():
            gateway.wait_ready()

    def _netns(self, name: str) -> str:
        return getattr(self.nodes[name], "netns", OWN_NETNS)

    def behind(self, gateway: str) -> list[int]:
        """Return the places of the clients that are behind a gateway."""
        behind = self.topology.behind
        return [place for place, name in enumerate(self.topology.clients) if behind[name] == gateway]

    def endpoint(self, server: int = 0, port: int = PORT) -> Endpoint:
        """Return the endpoint at the first address of a server (by its place) and a port."""
        return str(self.topology.addresses[self.servers[server].name][0]), port

    def serve(
        self,
        protocol: str,
        *,
        destinations: int = 1,
        capacity: int = 0,
        port: int = PORT,
        is_silent: bool = False,
    ) -> Servers:
        """Start servers at `destinations` endpoints, with room for `capacity` connections at once.

        Those that are silent drop whatever comes.

        The endpoints differ in their addresses as long as there are new ones: each server's first address, then
        each server's second. Further endpoints differ in their ports, from `port` upward.
        """
        rows = itertools.zip_longest(*(self.topology.addresses[server.name] for server in self.servers))
        hosts = [
            (str(address), server.netns)
            for row in rows
            for server, address in zip(self.servers, row, strict=True)
            if address is not None
        ]
        targets = {}
        for number in range(destinations):
            address, netns = hosts[number % len(hosts)]
            targets[address, port + number // len(hosts)] = netns
        servers = Servers(self._supervisor, FOLDER, protocol, targets, capacity, is_silent=is_silent)
        self._servers.append(servers)
        self._served.update(servers.targets)
        self.receivers.append(servers)
        return servers

    def drive(self, protocol: str, *, attempts: int) -> Clients:
        """Start clients that can make `attempts` attempts at once."""
        hosts = {host.netns: self.topology.sources(place) for place, host in enumerate(self.clients)}
        settle = partial(self._settle, protocol)
        clients = Clients(self._supervisor, FOLDER, protocol, hosts, attempts, settle, rate=self._rate)
        self.senders.append(clients)
        if self.sample is not None:
            self.sample.expect(attempts)
        return clients

    def _settle(self, protocol: str, attempts: list[Attempt]) -> list[Attempt]:
        """Return attempts with what the judge knows of their outcome, and record them."""
        settled = self.judge.settle(attempts)
        if self._recorders is not None:
            self._recorders.attempts(protocol, settled)
        return settled

    def ask_as_well(self, servers: Seer) -> None:
        """Have the judge ask these servers as well."""
        self._servers.append(servers)

    def volley(self) -> Volleys:
        """Start a worker for single datagrams from the clients to the first server, which does not answer."""
        hosts = [host.netns for host in self.clients]
        volleys = Volleys(self._supervisor, FOLDER, hosts, self.endpoint(), self.servers[0].netns, rate=self._rate)
        self._servers.append(volleys)
        self.senders.append(volleys)
        self.receivers.append(volleys)
        return volleys

    def raw(self, protocol: str, *, flows: int) -> RawTraffic:
        """Start a worker for raw flows from the clients to the first server. Their kernels no longer answer."""
        if not self._raw:
            self.tally.stop()
            for host in (*self.clients, *self.servers):
                with network_of(host.netns):
                    subprocess.run(["ip", "route", "del", "default"], check=True)
        plan = Plan(
            protocol=protocol,
            clients=[self._raw_host(host) for host in self.clients],
            server=self._raw_host(self.servers[0]),
            port=PORT,
            gateway_mac=self.topology.gateway_mac(next(iter(self.topology.wiring))),
            flows=flows,
        )
        raw = RawTraffic(self._supervisor, FOLDER, plan)
        self._raw.append(raw)
        return raw

    @property
    def is_raw(self) -> bool:
        """Whether the packets are raw ones, and the hosts' kernels have no route any more."""
        return bool(self._raw)

    def flows(self) -> Iterator[tuple[Flow, str, str]]:
        """Yield flows that may still live, each with its client's and its server's name, and then a new one."""
        by_netns = {host.netns: host.name for host in self.clients}
        by_address = {
            str(address): server for server in self.servers for address in self.topology.addresses[server.name]
        }
        drivers, chance = [each for each in self.senders if isinstance(each, Clients)], random.Random(self.seed)
        for driver in reversed(drivers):
            latest = driver.latest()
            for attempt, netns in chance.sample(latest, len(latest)):
                server, use = by_address[attempt.target[0]], partial(driver.exchange, attempt.number)
                yield Flow(attempt.nonce, netns, server.netns, use), by_netns[netns], server.name
        by_source = {
            source: host for place, host in enumerate(self.clients) for source in self.topology.sources(place)
        }
        for ours, theirs in self.pairs:
            client, server = by_source[ours.getsockname()[0]], by_address[theirs.getsockname()[0]]
            yield over(ours, theirs, client.netns, server.netns), client.name, server.name
        if self.is_raw:
            return
        client, server = self.clients[0], self.servers[0]
        for make in (own_datagrams, own_connection):
            with make(client.netns, server.netns, self.endpoint(port=OWN_PORT)) as flow:
                if flow is not None:
                    yield flow, client.name, server.name

    def sightings(self) -> list[Sighting]:
        """Return the clients that the servers have seen so far."""
        return [seen for servers in self._servers for seen in servers.sightings()]

    def _raw_host(self, host: Any) -> RawHost:
        """Return the description of a host whose link leads to the gateway itself."""
        address = self.topology.addresses[host.name][0]
        interfaces = next(iter(self.topology.wiring.values()))
        own = next(each.address for each in interfaces if address in each.address.network)
        return RawHost(netns=host.netns, mac=mac_of(address), address=str(address), gateway=str(own.ip))
