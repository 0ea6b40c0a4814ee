"""Building the network of a run by Mininet: nodes, links and gateways, whose processes are watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from mininet.log import setLogLevel
from mininet.net import Mininet

from testbed.experiment.links import Links, lay
from testbed.experiment.plan import Run, network_of_size
from testbed.sandbox.mounts import FOLDER
from testbed.sandbox.supervision import Supervisor
from testbed.traffic.drive import raise_open_files
from topologies.base import Topology
from topologies.gateways.base import Gateway, GatewayPlan, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.network.nodes import LabLink, LabNode
from topologies.network.sysctls import EVERYWHERE, write_sysctls


@dataclass(frozen=True, slots=True)
class Network:
    """A running network: its topology, its nodes by their names, its gateways, and what each of these declares.

    By each gateway's settings, `untranslated` has the networks to which it lets packets pass untranslated, and
    `external` has its external addresses.
    """

    topology: Topology
    nodes: Any
    gateways: dict[str, Gateway]
    behaviours: dict[str, Behaviour]
    untranslated: dict[str, list[IPv4Network]]
    external: dict[str, list[IPv4Address]]
    links: Links = field(default_factory=Links)


def build(
    supervisor: Supervisor,
    run: Run,
    *,
    topology: type[Topology],
    kinds: Mapping[str, type[Gateway]],
    files: Mapping[str, int] | None = None,
) -> Network:
    """Build and start the network of a run, with the kinds of its gateways by their names.

    For some of these `files` may be open.
    """
    setLogLevel("critical")

    def watch(process: SupervisedProcess) -> None:
        supervisor.watch(process.name, process.pid, process.log)

    # Otherwise Mininet would set limits of the machine itself, such as fs.file-max.
    Mininet.inited = True
    write_sysctls(EVERYWHERE)  # this process's own namespace has the switches
    size = network_of_size(run.parameters)
    options = {name: kind.Options.model_validate(run.options_of(name)) for name, kind in kinds.items()}
    described = topology(**size)
    prepared = {
        name: kinds[name].prepare(
            GatewayPlan(
                settings=settings,
                options=options[name],
                interfaces=described.wiring[name],
                mac=described.gateway_mac(name),
                seed=run.seed,
                folder=_folder(name),
                datapath=run.datapath,
                watch=watch,
                files=files or {},
            )
        )
        for name, settings in run.gateways.items()
    }
    placed = topology(**size, gateway=kinds, gateway_params=prepared)
    raise_open_files()  # each host is an open file
    net = Mininet(topo=placed, link=LabLink, controller=None, build=False)
    net.build()
    links = lay(supervisor, net, placed, run.parameters, seed=run.seed)
    net.start()
    gateways: dict[str, Gateway] = {name: net[name] for name in prepared}
    _watch(supervisor, gateways, net.values())
    return Network(
        topology=placed,
        nodes=net,
        gateways=gateways,
        behaviours={name: kinds[name].declare(each, options[name]) for name, each in run.gateways.items()},
        untranslated={name: settings.untranslated_destinations for name, settings in run.gateways.items()},
        external={name: settings.external_addresses for name, settings in run.gateways.items()},
        links=links,
    )


def _watch(supervisor: Supervisor, gateways: dict[str, Gateway], nodes: Any) -> None:
    """Have the run end when a gateway's process or a node's shell ends.

    A call that waits for the output of a shell that has ended would wait for ever.
    """

    def watch(node: Any) -> None:
        supervisor.watch(f"the shell of {node.name}", node.pid, Path("/dev/null"))

    for gateway in gateways.values():
        for process in gateway.processes():
            supervisor.watch(process.name, process.pid, process.log)
    for node in nodes:
        if isinstance(node, LabNode):
            node.on_shell = watch
        if not isinstance(node, LabNode) or node.has_shell:
            watch(node)


def _folder(name: str) -> Path:
    folder = FOLDER / name
    folder.mkdir()
    return folder
