"""The topology home: who is in it, with which addresses, and how the gateway is wired. No root is needed."""

from __future__ import annotations

import pytest

from controller.nat.model import Side
from controller.settings import ConfigurationError, Settings
from testbed.registry import ours
from topologies.home import Home, topos


def test_the_clients_have_names_and_addresses() -> None:
    """Eight clients have names; further ones have numbers."""
    home = Home(clients=10)

    assert {name: str(home.addresses[name][0]) for name in home.clients} == {
        "alice": "10.0.0.1",
        "bob": "10.0.0.2",
        "carol": "10.0.0.3",
        "dave": "10.0.0.4",
        "erin": "10.0.0.5",
        "frank": "10.0.0.6",
        "grace": "10.0.0.7",
        "heidi": "10.0.0.8",
        "client9": "10.0.0.9",
        "client10": "10.0.0.10",
    }


def test_eight_clients_are_the_default() -> None:
    """The drawing shows them."""
    assert Home().clients == ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"]


def test_the_servers_have_two_addresses_each() -> None:
    """They are in two networks of the documentation blocks (RFC 5737)."""
    home = Home(clients=1)

    assert home.servers == ["server", "mirror"]
    assert [str(address) for address in home.addresses["server"]] == ["198.51.100.1", "198.51.100.2"]
    assert [str(address) for address in home.addresses["mirror"]] == ["203.0.113.1", "203.0.113.2"]


def test_the_wiring_lists_the_gateways_ports_in_their_order() -> None:
    """Ports count from 1, inside first; all inside ports share one address."""
    assert [(i.port, i.side, str(i.address)) for i in Home(clients=3).wiring["gateway"]] == [
        (1, Side.INSIDE, "10.0.255.254/16"),
        (2, Side.INSIDE, "10.0.255.254/16"),
        (3, Side.INSIDE, "10.0.255.254/16"),
        (4, Side.OUTSIDE, "198.51.100.254/24"),
        (5, Side.OUTSIDE, "203.0.113.254/24"),
    ]


def test_each_link_ends_at_the_port_that_the_wiring_names() -> None:
    """Mininet connects what the wiring of the controller names."""
    home = Home(clients=2)
    ports = {
        (info["node1"] if info["node2"] == "gateway" else info["node2"]): info["port2"]
        for _, _, info in home.links(withInfo=True)
    }

    assert ports == {"alice": 1, "bob": 2, "server": 3, "mirror": 4}
    assert home.switches() == ["gateway"]


def test_the_gateway_has_one_mac_address_that_no_host_has() -> None:
    """Each MAC address contains the IPv4 address of its owner."""
    home = Home(clients=2)

    assert home.gateway_mac("gateway") == "02:00:0a:00:ff:fe"
    assert {info["addr1"] for _, _, info in home.links(withInfo=True)} == {
        "02:00:0a:00:00:01",
        "02:00:0a:00:00:02",
        "02:00:c6:33:64:01",
        "02:00:cb:00:71:01",
    }


@pytest.mark.parametrize("clients", [0, -1, 65_534, 70_000])
def test_a_number_of_clients_without_addresses_is_refused(clients: int) -> None:
    """The refusal has the parameter, its value, and what is possible."""
    with pytest.raises(ConfigurationError) as refused:
        Home(clients=clients)

    assert f"clients={clients}" in str(refused.value)
    assert "1 to 65,533 clients" in str(refused.value)


@pytest.mark.parametrize("address", ["10.0.0.9", "10.0.255.254", "198.51.100.77", "203.0.113.1"])
def test_an_external_address_must_not_be_one_of_the_topologys(address: str) -> None:
    """Packets to such an address would not reach the gateway, or the host that has it."""
    with pytest.raises(ConfigurationError) as refused:
        Home(clients=1).check(Settings.model_validate({"external_addresses": ["192.0.2.1", address]}))

    assert address in str(refused.value)
    assert "choose others, such as 192.0.2.1 and up" in str(refused.value)


def test_the_default_settings_fit_every_topology() -> None:
    """A user who changes nothing meets no error."""
    for topology in ours("topology").values():
        topology(clients=2).check(Settings.model_validate(topology.settings))


def test_mininet_s_own_command_finds_the_topology() -> None:
    """`mn --custom topologies/home.py --topo home`."""
    assert topos == {"home": Home}
