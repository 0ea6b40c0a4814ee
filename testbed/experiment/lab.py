"""A running network: the topology built by Mininet, its gateway ready, and the witnesses in place.

Scenarios see it through its roles only: clients, servers, gateway.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from mininet.log import setLogLevel
from mininet.net import Mininet

from testbed.evidence.outcomes import heard, held, intruded, keeps, lasting, sent_again, shared, waits
from testbed.evidence.witnesses import LeakWitness, TcpWitness
from testbed.experiment.plan import Run, addresses_per_client
from testbed.experiment.report import Report
from testbed.sandbox.linux import network_of
from testbed.sandbox.mounts import FOLDER
from testbed.sandbox.supervision import Supervisor
from testbed.traffic.drive import Clients, Servers, raise_open_files
from testbed.traffic.firing import Volleys
from testbed.traffic.generator import Host as RawHost
from testbed.traffic.generator import Plan
from testbed.traffic.raw import RawTraffic
from testbed.traffic.records import Attempt, Sighting
from testbed.traffic.wire import Endpoint
from topologies.base import LabTopology, mac_of
from topologies.gateways.base import Gateway, GatewayPlan
from topologies.network.nodes import LabLink, LabNode

PORT = 7
"""Where servers listen: the port of the echo service (RFC 862)."""


class WitnessError(Exception):
    """The evidence is not complete: nothing can be said of the run."""


class Seer(Protocol):
    """Whoever can tell whom servers have seen."""

    def sightings(self) -> list[Sighting]:
        """Return them."""


OWN_NETNS = "/proc/self/ns/net"
"""Where the bridges are."""


class Lab:
    """The network of one run. It is not stopped: it ends with its sandbox."""

    def __init__(
        self,
        supervisor: Supervisor,
        run: Run,
        *,
        topology: type[LabTopology],
        kind: type[Gateway],
        wire_is_read: bool = True,
    ) -> None:
        """Build the network of a run, with gateways of one kind."""
        setLogLevel("critical")
        # Or Mininet would set the machine's own limits, such as fs.file-max.
        Mininet.inited = True
        self._supervisor = supervisor
        self.seed = run.seed
        self._servers: list[Seer] = []  # workers live as long as the lab
        self._drivers: list[Clients] = []
        self._raw: list[RawTraffic] = []
        size = {"clients": run.parameters["clients"], "addresses_per_client": addresses_per_client(run.parameters)}
        self._judged: tuple[list[Sighting], int] | None = None
        self._shared: set[int] = set()
        options = kind.Options.model_validate(run.options)
        self.behaviour = kind.declare(run.settings, options)
        self.behaviours = {name: kind.declare(settings, options) for name, settings in run.gateways.items()}
        self._keeps = keeps(self.behaviours.values())
        described = topology(**size)
        nodes = {
            name: kind.prepare(
                GatewayPlan(
                    settings=settings,
                    options=options,
                    interfaces=described.wiring[name],
                    mac=described.gateway_mac(name),
                    seed=run.seed,
                    folder=_folder(name),
                    datapath=run.datapath,
                )
            )
            for name, settings in run.gateways.items()
        }
        self.topology = topology(**size, gateway=kind, gateway_params=nodes)
        raise_open_files()  # each host is one
        self._net = Mininet(topo=self.topology, link=LabLink, controller=None, build=False)
        self._net.build()
        self._net.start()
        self.gateways: dict[str, Gateway] = {name: self._net[name] for name in nodes}
        self.gateway = next(iter(self.gateways.values()))
        self.clients = [self._net[name] for name in self.topology.clients]
        self.servers = [self._net[name] for name in self.topology.servers]
        for gateway in self.gateways.values():
            for process in gateway.processes():
                supervisor.watch(process.name, process.pid, process.log)
        for node in self._net.values():
            self._watch_shell(node)
        self._witnesses = [LeakWitness(host.netns, "eth0", self.topology.inside) for host in self.servers]
        self._witnesses += [
            LeakWitness(getattr(self.gateways[name], "netns", OWN_NETNS), interface, behind, leaving=True)
            for name, interface, behind in self.topology.uplinks
        ]
        self._tcp = TcpWitness([host.netns for host in self.servers if wire_is_read], "eth0")
        for gateway in self.gateways.values():
            gateway.wait_ready()

    def _watch_shell(self, node: Any) -> None:
        """Let the end of a node's shell be the end of the run: who waits for its output would wait for ever."""

        def watch(node: Any) -> None:
            self._supervisor.watch(f"the shell of {node.name}", node.pid, Path("/dev/null"))

        if isinstance(node, LabNode):
            node.on_shell = watch
        else:
            watch(node)

    def behind(self, gateway: str) -> list[int]:
        """Return which clients are behind a gateway, by their places."""
        behind = self.topology.behind
        return [place for place, name in enumerate(self.topology.clients) if behind[name] == gateway]

    def serve(self, protocol: str, *, destinations: int = 1, held: int = 0) -> Servers:
        """Let servers answer at so many endpoints, and hold so many connections at once.

        They differ in their addresses as far as there are some: each server's first, then each one's second; then
        in their ports.
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
            targets[address, PORT + number // len(hosts)] = netns
        servers = Servers(self._supervisor, FOLDER, protocol, targets, held)
        self._servers.append(servers)
        return servers

    def drive(self, protocol: str, *, attempts: int) -> Clients:
        """Make ready for so many attempts at once from the clients."""
        hosts = {host.netns: self.topology.sources(place) for place, host in enumerate(self.clients)}
        clients = Clients(self._supervisor, FOLDER, protocol, hosts, attempts)
        self._drivers.append(clients)
        return clients

    def ask_as_well(self, servers: Seer) -> None:
        """Ask these servers, too, whom they have seen."""
        self._servers.append(servers)

    def volley(self) -> Volleys:
        """Make ready for single datagrams from the clients to the first server, which does not answer."""
        server = self.servers[0]
        target = (str(self.topology.addresses[server.name][0]), PORT)
        volleys = Volleys(self._supervisor, FOLDER, [host.netns for host in self.clients], target, server.netns)
        self._servers.append(volleys)
        return volleys

    def raw(self, protocol: str, *, flows: int) -> RawTraffic:
        """Make ready for raw flows from the clients to the first server; their kernels no longer answer."""
        if not self._raw:
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

    def _raw_host(self, host: Any) -> RawHost:
        """Describe a host on a link of the gateway's own."""
        address = self.topology.addresses[host.name][0]
        interfaces = next(iter(self.topology.wiring.values()))
        own = next(each.address for each in interfaces if address in each.address.network)
        return RawHost(netns=host.netns, mac=mac_of(address), address=str(address), gateway=str(own.ip))

    def sightings(self) -> list[Sighting]:
        """Return whom all servers have seen so far."""
        return [seen for servers in self._servers for seen in servers.sightings()]

    def leaks(self) -> tuple[int, set[Endpoint]]:
        """Return how many frames came outside with an inside source, and the sources that could be read."""
        for witness in self._witnesses:
            witness.look()
        sources = set().union(*(witness.sources for witness in self._witnesses))
        return sum(witness.frames for witness in self._witnesses), sources

    def shared(self) -> set[int]:
        """Return the nonces of attempts whose external endpoint another used at the same time."""
        evidence = self.sightings(), self._tcp.frames
        if evidence != self._judged:
            spoken = heard(evidence[0], self._tcp.speakers())
            sightings = lasting(spoken, self._tcp.ends(), self._keeps)
            self._shared = shared(sightings) | intruded(sightings, self._tcp.syns())
            self._judged = evidence
        return self._shared

    def held(self, attempts: Collection[Attempt]) -> set[int]:
        """Return the numbers of those whose SYN was kept on its way for a while, and then passed."""
        return held(attempts, self._tcp.syns())

    def waits(self, attempts: Collection[Attempt]) -> dict[int, float]:
        """Return by number for how many seconds each SYN that was sent once was under way."""
        return waits(attempts, self._tcp.syns())

    def sent_again(self, attempts: Collection[Attempt]) -> set[int]:
        """Return the numbers of those whose kernels sent their SYN again."""
        return sent_again(attempts, self._tcp.syns())

    def witness(self, report: Report) -> None:
        """Check what must never happen, in any run of any scenario.

        Raises WitnessError if the witnesses did not see everything (packet(7): the kernel counts what it could
        not hand over).
        """
        report.check(
            "no packet left untranslated",
            expected=0,
            observed=self.leaks()[0],
            source="RFC 6888 REQ-11A; counted by the kernels of the outside hosts, and on the uplinks of NATs",
        )
        if not self._tcp.is_there:
            return
        report.check(
            "no two clients ever shared an external endpoint toward one destination",
            expected=0,
            observed=len(self.shared()),
            source="RFC 4787 REQ-3, RFC 5382 REQ-7; seen by the servers and on the wire",
        )
        if missed := self._tcp.missed:
            raise WitnessError(
                f"{missed:,} packets escaped the witnesses on the wire, so nobody knows what they were: this "
                "machine was too busy to keep up; run it again with less going on besides, or fewer attempts"
            )

    def peak_memory(self) -> dict[str, int]:
        """Return the peak resident memory, in KiB, of all processes in the sandbox, added up by their commands."""
        peaks: dict[str, int] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it has ended
            if "VmHWM" in status:
                name = _program(command, int(folder.name))
                peaks[name] = peaks.get(name, 0) + int(status["VmHWM"].split()[0])
        return peaks


def _folder(name: str) -> Path:
    folder = FOLDER / name
    folder.mkdir()
    return folder


def _program(command: list[bytes], pid: int) -> str:
    """Name a process: a Python program by its module, another by its own name."""
    words = [word.decode(errors="replace") for word in command]
    if "-m" in words:
        module = words[words.index("-m") + 1]
        return f"{module}" if pid != 1 else "init"
    return Path(words[0]).name
