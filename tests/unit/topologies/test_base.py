"""A topology of one's own: one small class, and a sentence for whatever it lacks. No root is needed."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mininet.util import buildTopo

from controller.settings import ConfigurationError
from controller.wiring import Side
from testbed.registry import ours
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from topologies.base import Topology
from topologies.gateways.openflow.gateway import OpenFlowGateway
from topologies.gateways.ovs_ct.gateway import OvsCtGateway

CLIENT = ("alice", "10.7.0.1/16", "10.7.255.254")
SERVER = ("shop", "198.51.100.7/24", "198.51.100.254")


class Rooms(Topology):
    """A network as a student may write it."""

    def build(self, clients: int) -> None:
        """Place the clients on one LAN, and one server."""
        self.gateway()
        for number in range(1, clients + 1):
            self.client(f"room{number}", f"10.7.0.{number}/16", gateway="10.7.255.254")
        self.server("shop", "198.51.100.7/24", gateway="198.51.100.254")


def built(*steps: Callable[[Any], None]) -> Topology:
    """Return a topology whose `build` takes these steps, one after the other."""

    class Mine(Topology):
        """Some network."""

        def build(self, clients: int) -> None:
            """Take the steps."""
            for step in steps:
                step(self)

    return Mine()


def refusal(*steps: Callable[[Any], None]) -> str:
    """Return what the author of such a topology is told."""
    with pytest.raises(ConfigurationError) as refused:
        built(*steps)
    return str(refused.value)


def a_gateway(mine: Any) -> None:
    """Place a gateway."""
    mine.gateway()


def a_client(mine: Any) -> None:
    """Place a client."""
    mine.client(*CLIENT)


def a_server(mine: Any) -> None:
    """Place a server."""
    mine.server(*SERVER)


def test_one_small_class_is_a_network() -> None:
    """Addresses are strings, and all else follows: roles, links, the gateway's ports."""
    rooms = Rooms(clients=2)

    assert rooms.clients == ["room1", "room2"]
    assert rooms.servers == ["shop"]
    assert rooms.addresses["room2"] == [ipaddress.IPv4Address("10.7.0.2")]
    assert rooms.behind == {"room1": "gateway", "room2": "gateway"}
    assert [(i.port, i.side, str(i.address)) for i in rooms.wiring["gateway"]] == [
        (1, Side.INSIDE, "10.7.255.254/16"),
        (2, Side.INSIDE, "10.7.255.254/16"),
        (3, Side.OUTSIDE, "198.51.100.254/24"),
    ]


def test_addresses_may_be_objects_and_a_server_may_have_several() -> None:
    """As ipaddress has them, so that they can be computed."""
    mine = built(
        a_gateway,
        lambda mine: mine.client(
            "alice", ipaddress.IPv4Interface("10.7.0.1/16"), ipaddress.IPv4Address("10.7.255.254")
        ),
        lambda mine: mine.server("shop", ["198.51.100.7/24", "198.51.100.8/24"], "198.51.100.254"),
    )

    assert [str(address) for address in mine.addresses["shop"]] == ["198.51.100.7", "198.51.100.8"]


@pytest.mark.parametrize("external", ["192.0.2.9", ["192.0.2.9"], ipaddress.IPv4Address("192.0.2.9")], ids=repr)
def test_a_gateway_s_own_external_address_may_stand_alone(external: Any) -> None:
    """One or a list."""
    mine = built(lambda mine: mine.gateway(external=external), a_client, a_server)

    assert mine.external == {"gateway": [ipaddress.IPv4Address("192.0.2.9")]}


@pytest.mark.parametrize(("asked_for", "clients"), [("rooms", 8), ("rooms,3", 3), ("rooms,clients=3", 3)], ids=str)
def test_mininet_s_own_command_may_give_the_number_of_clients(asked_for: str, clients: int) -> None:
    """`mn --topo NAME`, with a number or without: then there are eight."""
    assert len(buildTopo({"rooms": Rooms}, asked_for).clients) == clients


@pytest.mark.parametrize(
    ("name", "clients"),
    [("home", 8), ("two-homes", 8), ("carrier", 8), ("campus", 200), ("multi-address", 8), ("edge", 8)],
)
def test_each_of_ours_has_its_number_of_clients(name: str, clients: int) -> None:
    """If Mininet's own command gives none."""
    assert len(ours("topology")[name]().clients) == clients


def test_every_gateway_is_of_the_class_that_is_asked_for() -> None:
    """With the parameters that it was prepared with; Mininet's own command has the project's own."""
    prepared = {"gateway": {"zone": 7}}
    info = Rooms(clients=1, gateway=OvsCtGateway, gateway_params=prepared).nodeInfo("gateway")

    assert (info["cls"], info["zone"]) == (OvsCtGateway, 7)
    assert Rooms(clients=1).nodeInfo("gateway")["cls"].kind is OpenFlowGateway


def test_a_topology_without_build_is_none() -> None:
    """It is abstract."""
    with pytest.raises(TypeError, match="build"):
        Topology()  # type: ignore[abstract]


def test_two_homes_may_use_the_same_inside_addresses() -> None:
    """Each NAT keeps its own to itself."""
    mine = built(
        a_gateway,
        a_client,
        a_server,
        lambda mine: mine.gateway("other", external="192.0.2.9"),
        lambda mine: mine.client("bob", *CLIENT[1:], behind="other"),
        lambda mine: mine.server("mirror", "203.0.113.7/24", "203.0.113.254", behind="other"),
    )

    assert mine.addresses["alice"] == mine.addresses["bob"]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([], "there is no gateway; add self.gateway() to build()"),
        (
            [a_gateway, a_server],
            'there is no client; add self.client("alice", "10.0.0.1/24", gateway="10.0.0.254") to build()',
        ),
        (
            [a_gateway, a_client],
            'there is no server; add self.server("server", "198.51.100.1/24", gateway="198.51.100.254") '
            "to build()",
        ),
        (
            [a_client],
            "client alice is to be connected to 'gateway', which does not exist; "
            "add self.gateway() before it in build()",
        ),
        (
            [a_gateway, lambda mine: mine.client(*CLIENT, behind="acces1")],
            "client alice is to be connected to 'acces1', which does not exist; "
            "take behind='gateway', or place 'acces1' before it in build()",
        ),
        (
            [
                a_gateway,
                lambda mine: mine.access("access1", "10.7.255.254/16"),
                lambda mine: mine.client(*CLIENT, behind="home"),
            ],
            "client alice is to be connected to 'home', which does not exist; "
            "take behind='gateway' or 'access1', or place 'home' before it in build()",
        ),
        (
            [
                a_gateway,
                lambda mine: mine.router("internet"),
                lambda mine: mine.server(*SERVER, behind="provider"),
            ],
            "server shop is to be connected to 'provider', which does not exist; "
            "take behind='gateway' or 'internet', or place 'provider' before it in build()",
        ),
        (
            [lambda mine: mine.access("access1", "10.7.255.254/16")],
            "access switch access1 is to be connected to 'gateway', which does not exist; "
            "add self.gateway() before it in build()",
        ),
        (
            [a_gateway, lambda mine: mine.access("access1", "10.7.255.254/16", gateway="nat")],
            "access switch access1 is to be connected to 'nat', which does not exist; "
            "take gateway='gateway', or place 'nat' before it in build()",
        ),
        (
            [a_gateway, lambda mine: mine.uplink("gateway", "192.0.2.253/24", "192.0.2.254", to="internet")],
            "the uplink of gateway is to be connected to 'internet', which does not exist; "
            "take to='gateway', or place 'internet' before it in build()",
        ),
        (
            [a_gateway, lambda mine: mine.client("alice", "10.7.0.300/16", "10.7.255.254")],
            "alice has the address '10.7.0.300/16', which is not an IPv4 address with the prefix length of its "
            "network; write it as in '10.0.0.1/24'",
        ),
        (
            [a_gateway, lambda mine: mine.client("alice", "10.7.0.1", "10.7.255.254")],
            "alice has the address '10.7.0.1', which is not an IPv4 address with the prefix length of its "
            "network; write it as in '10.0.0.1/24'",
        ),
        (
            [a_gateway, lambda mine: mine.client("alice", "10.7.0.1/16", "10.7.255")],
            "the gateway of alice has the address '10.7.255', which is not an IPv4 address; "
            "write it as in '10.0.0.254'",
        ),
        (
            [a_gateway, lambda mine: mine.server("shop", [], "198.51.100.254")],
            "shop has no address; give it one at least",
        ),
        (
            [lambda mine: mine.gateway(external="192.0.2")],
            "gateway has the address '192.0.2', which is not an IPv4 address; write it as in '10.0.0.254'",
        ),
        (
            [a_gateway, lambda mine: mine.client("alice", "10.7.0.1/24", "10.7.255.254")],
            "alice has the address 10.7.0.1/24, and its gateway 10.7.255.254 is not on that network, 10.7.0.0/24; "
            "give both of them addresses of one network",
        ),
        (
            [
                a_gateway,
                lambda mine: mine.server("shop", ["198.51.100.7/24", "203.0.113.7/24"], "198.51.100.254"),
            ],
            "shop has the address 203.0.113.7/24, and its gateway 198.51.100.254 is not on that network, "
            "203.0.113.0/24; give both of them addresses of one network",
        ),
        (
            [a_gateway, a_client, lambda mine: mine.client("bob", *CLIENT[1:])],
            "both alice and bob have the address 10.7.0.1; give one of them another",
        ),
        (
            [a_gateway, lambda mine: mine.client("alice", "10.7.255.254/16", "10.7.255.254")],
            "both alice and gateway have the address 10.7.255.254; give one of them another",
        ),
        (
            [a_gateway, a_client, a_server, lambda mine: mine.server("mirror", *SERVER[1:])],
            "both shop and mirror have the address 198.51.100.7; give one of them another",
        ),
        (
            [
                a_gateway,
                lambda mine: mine.access("access1", "10.7.0.1/16"),
                lambda mine: mine.client(*CLIENT, behind="access1"),
            ],
            "both gateway and alice have the address 10.7.0.1; give one of them another",
        ),
        (
            [
                a_gateway,
                lambda mine: mine.router("internet"),
                lambda mine: mine.uplink("gateway", "192.0.2.254/24", "192.0.2.254", to="internet"),
            ],
            "both gateway and internet have the address 192.0.2.254; give one of them another",
        ),
        (
            [a_gateway, a_client, lambda mine: mine.client("alice", "10.7.0.2/16", "10.7.255.254")],
            "two nodes have the name 'alice'; give one of them another",
        ),
        (
            [a_gateway, a_client, a_server, lambda mine: mine.gateway("other")],
            'other has nothing inside; add self.client("alice", "10.0.0.1/24", gateway="10.0.0.254", '
            "behind='other') to build()",
        ),
        (
            [
                a_gateway,
                a_client,
                lambda mine: mine.gateway("other"),
                lambda mine: mine.client("bob", *CLIENT[1:], behind="other"),
                lambda mine: mine.server(*SERVER, behind="other"),
            ],
            'gateway has nothing outside; add self.server("server", "198.51.100.1/24", gateway="198.51.100.254", '
            "behind='gateway') to build()",
        ),
    ],
    ids=[
        *("no gateway", "no client", "no server", "a client before its gateway"),
        *("a client behind nothing", "a client behind neither", "a server behind nothing"),
        *("a switch before its gateway", "a switch at nothing", "an uplink to nothing"),
        *("no address", "no prefix length", "no gateway's address", "no server's address", "no external address"),
        *("another network than its gateway's", "a server's second address on another network"),
        *("two clients with one address", "a client with its gateway's", "two servers with one"),
        *("a client with the address of its switch's gateway", "a router with the address of its neighbour"),
        *("two of one name", "a gateway without clients", "a gateway without a server"),
    ],
)
def test_what_a_topology_lacks_is_said_in_a_sentence(steps: list[Callable[[Any], None]], sentence: str) -> None:
    """With the class, what is wrong with it, and what to write."""
    assert refusal(*steps) == f"topology Mine: {sentence}"


ROOMS = """
from topologies.base import Topology

class Rooms(Topology):
    def build(self, clients):
        self.gateway()
        for number in range(1, {clients} + 1):
            self.client(f"room{{number}}", f"10.7.0.{{number}}/16", gateway="10.7.255.254")
        self.server("shop", "198.51.100.7/24", gateway="198.51.100.254")
"""


def test_a_topology_with_another_number_of_clients_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """Scenarios give each of `clients` something to do."""
    fitting, fixed = tmp_path / "fitting.py", tmp_path / "fixed.py"
    fitting.write_text(ROOMS.format(clients="clients"))
    fixed.write_text(ROOMS.format(clients=3))

    def resolved(path: Path, *sets: str) -> Any:
        choices = Choices(topology=str(path), sets=list(sets))
        return resolve("port-exhaustion", "openflow", choices, datapath="userspace")

    assert resolved(fitting).parameters["clients"] == 8
    assert resolved(fixed, "clients=3").parameters["clients"] == 3
    with pytest.raises(ConfigurationError) as refused:
        resolved(fixed)
    assert str(refused.value) == (
        f"topology '{fixed}' has 3 clients, and clients=8; place `clients` of them in its build(), "
        "or take --set clients=3"
    )
