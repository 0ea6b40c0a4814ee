"""Every topology: its roles and its wiring; and with several gateways, who is where. No root is needed."""

from __future__ import annotations

import importlib

import pytest

from controller.nat.model import Side
from controller.settings import ConfigurationError, Settings
from testbed.registry import ours
from topologies.base import LabTopology
from topologies.campus import Campus
from topologies.carrier import Carrier
from topologies.multi_address import MultiAddress
from topologies.network.nodes import LabLink
from topologies.two_homes import TwoHomes


def wired(topology: LabTopology, gateway: str) -> list[tuple[int, Side, str, str | None]]:
    """Return a gateway's ports: number, side, own address, next hop."""
    return [
        (i.port, i.side, str(i.address), str(i.next_hop) if i.next_hop else None) for i in topology.wiring[gateway]
    ]


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
    """Mininet connects what each gateway is told; the machine has all gateways, so interfaces differ."""
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


def test_the_carrier_is_under_test_and_each_home_has_one_address_in_its_network() -> None:
    """100.64.0.0/16 is of the address space that RFC 6598 has for it."""
    carrier = Carrier(clients=4)

    assert list(carrier.wiring) == ["carrier", "home-a", "home-b"]
    assert wired(carrier, "carrier") == [
        (1, Side.INSIDE, "100.64.255.254/16", None),
        (2, Side.INSIDE, "100.64.255.254/16", None),
        (3, Side.OUTSIDE, "198.51.100.254/24", None),
        (4, Side.OUTSIDE, "203.0.113.254/24", None),
    ]
    assert wired(carrier, "home-b") == [
        (1, Side.OUTSIDE, "100.64.0.2/16", "100.64.255.254"),
        (2, Side.INSIDE, "10.2.255.254/16", None),
        (3, Side.INSIDE, "10.2.255.254/16", None),
    ]
    assert {name: [str(a) for a in own] for name, own in carrier.external.items()} == {
        "home-a": ["100.64.0.1"],
        "home-b": ["100.64.0.2"],
    }
    assert carrier.behind == {"alice": "home-a", "bob": "home-b", "carol": "home-a", "dave": "home-b"}
    assert {str(network) for network in carrier.inside} == {"10.1.0.0/16", "10.2.0.0/16", "100.64.0.0/16"}


def test_two_homes_meet_at_a_plain_router() -> None:
    """It is the next hop of both, and its interfaces have the addresses that they name."""
    homes = TwoHomes(clients=2)

    assert wired(homes, "gateway-a") == [
        (1, Side.OUTSIDE, "192.0.2.253/24", "192.0.2.254"),
        (2, Side.INSIDE, "10.1.255.254/16", None),
    ]
    assert wired(homes, "gateway-b")[0] == (1, Side.OUTSIDE, "203.0.113.253/24", "203.0.113.254")
    assert homes.nodeInfo("internet")["interfaces"] == {
        "eth0": "192.0.2.254/24",
        "eth1": "203.0.113.254/24",
        "eth2": "198.51.100.254/24",
    }


@pytest.mark.parametrize(("clients", "switches"), [(8, 4), (192, 4), (193, 5)])
def test_a_campus_has_an_access_switch_for_48_clients(clients: int, switches: int) -> None:
    """And four at least; the gateway has one inside port for each."""
    campus = Campus(clients=clients)

    assert [i.side for i in campus.wiring["gateway"]] == [Side.INSIDE] * switches + [Side.OUTSIDE] * 2
    assert len(campus.clients) == clients
    assert set(campus.behind.values()) == {"gateway"}


@pytest.mark.parametrize("address", ["192.0.2.254", "192.0.2.0", "192.0.2.255", "198.51.100.1", "10.0.0.1"])
def test_external_addresses_on_a_link_must_be_free_there(address: str) -> None:
    """Else the next hop would not find the gateway by them."""
    with pytest.raises(ConfigurationError) as refused:
        MultiAddress(clients=1).check(Settings.model_validate({"external_addresses": [address]}))

    assert f"{address} is" in str(refused.value)
    assert "choose others, such as 192.0.2.1 and up" in str(refused.value)


@pytest.mark.parametrize("topology", [Carrier, TwoHomes])
def test_each_home_has_a_client(topology: type[LabTopology]) -> None:
    """Fewer are refused with the reason."""
    with pytest.raises(ConfigurationError, match="clients=1 is not possible"):
        topology(clients=1)
