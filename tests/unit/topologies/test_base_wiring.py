"""Every topology: its roles, its wiring, and Mininet's own command for it. No root is needed."""

from __future__ import annotations

import importlib

import pytest

from controller.nat.model import Side
from controller.settings import ConfigurationError, Settings
from testbed.registry import ours
from topologies.base import Topology
from topologies.carrier import Carrier
from topologies.network.nodes import LabLink
from topologies.two_homes import TwoHomes

TOPOLOGIES = ours("topology")


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_topology_has_its_roles(name: str) -> None:
    """Scenarios see clients, servers and gateways, and nothing else."""
    topology = TOPOLOGIES[name](clients=2)

    assert len(topology.clients) == 2
    assert topology.servers
    assert set(topology.behind) == set(topology.clients)
    assert set(topology.behind.values()) <= set(topology.wiring)
    for ports in topology.wiring.values():
        assert [interface.port for interface in ports] == list(range(1, len(ports) + 1))
        assert {interface.side for interface in ports} == set(Side)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_each_link_ends_at_the_port_that_the_wiring_names(name: str) -> None:
    """Each gateway has the ports of its wiring; interfaces of all gateways have different names."""
    topology = TOPOLOGIES[name]()
    ports: dict[str, set[int]] = {gateway: set() for gateway in topology.wiring}
    interfaces = []
    for _, _, info in topology.links(withInfo=True):
        for end in ("1", "2"):
            if info[f"node{end}"] in ports:
                ports[info[f"node{end}"]].add(info[f"port{end}"])
                interfaces.append(info[f"intfName{end}"])

    assert ports == {name: {i.port for i in wiring} for name, wiring in topology.wiring.items()}
    assert len(set(interfaces)) == len(interfaces)
    assert max(map(len, interfaces)) <= 15


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_mininet_s_own_command_finds_each_topology(name: str) -> None:
    """`mn --custom topologies/NAME.py --topo NAME`; the gateways have default settings there."""
    module = importlib.import_module(f"topologies.{name.replace('-', '_')}")
    topology = module.topos[name]()

    assert type(topology) is TOPOLOGIES[name]
    assert module.LINKS["default"] is LabLink
    for gateway in topology.wiring:
        plain = topology.nodeInfo(gateway)["cls"]
        assert plain.settings.external_addresses == topology.external.get(
            gateway, Settings.model_validate(topology.settings).external_addresses
        )


@pytest.mark.parametrize("topology", [Carrier, TwoHomes])
def test_each_home_has_a_client(topology: type[Topology]) -> None:
    """Fewer clients than homes are refused with the reason."""
    with pytest.raises(ConfigurationError, match="clients=1 is not possible"):
        topology(clients=1)
