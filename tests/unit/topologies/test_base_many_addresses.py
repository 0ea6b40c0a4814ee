"""Hosts with many addresses, each a subscriber: the plan, and what they cost a gateway. No root is needed."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import ARP

from controller.openflow.rules import Table
from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface, Route, Side, routed
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from tests.support.network import Network, udp
from topologies.base import Topology
from topologies.campus import Campus
from topologies.carrier import Carrier
from topologies.gateways.base import GatewayPlan, Options
from topologies.gateways.linux import links
from topologies.gateways.ovs_ct.gateway import OvsCtGateway, rules
from topologies.home import Home

SERVER = "198.51.100.1:7"


def routes(topology: Topology, gateway: str) -> list[tuple[int, str, str]]:
    """Return a gateway's routes to networks behind hosts: port, network, next hop."""
    return [
        (interface.port, str(route.network), str(route.next_hop))
        for interface in topology.wiring[gateway]
        for route in interface.routes
    ]


def test_each_client_has_a_network_of_its_own_behind_it() -> None:
    """It has as many addresses as the next power of two, of which the first `addresses_per_client` are used."""
    home = Home(clients=3, addresses_per_client=200)

    assert routes(home, "gateway") == [
        (1, "10.64.0.0/24", "10.0.0.1"),
        (2, "10.64.1.0/24", "10.0.0.2"),
        (3, "10.64.2.0/24", "10.0.0.3"),
    ]
    assert home.sources(1)[0] == "10.64.1.0"
    assert home.sources(1)[-1] == "10.64.1.199"
    assert len(set(home.sources(0) + home.sources(1) + home.sources(2))) == 600


def test_a_client_with_one_address_has_the_one_on_its_link() -> None:
    """Unless the user asks for more, there is no route, and nothing else changes."""
    home = Home(clients=2)

    assert home.sources(1) == ["10.0.0.2"]
    assert routes(home, "gateway") == []
    assert {str(network) for network in home.inside} == {"10.0.0.0/16"}


def test_no_server_may_see_an_address_behind_a_client() -> None:
    """The witness of leaks knows these addresses; networks that adjoin are one."""
    home = Home(clients=4, addresses_per_client=256)

    assert {str(network) for network in home.inside} == {"10.0.0.0/16", "10.64.0.0/22"}


def test_the_route_is_at_the_port_of_the_client_s_access_switch() -> None:
    """Behind a carrier, only the gateway of the client's home has the route."""
    assert routes(Campus(clients=5, addresses_per_client=2), "gateway") == [
        (1, "10.64.0.0/31", "10.0.0.1"),
        (1, "10.64.0.8/31", "10.0.0.5"),
        (2, "10.64.0.2/31", "10.0.0.2"),
        (3, "10.64.0.4/31", "10.0.0.3"),
        (4, "10.64.0.6/31", "10.0.0.4"),
    ]
    carrier = Carrier(clients=2, addresses_per_client=2)
    assert routes(carrier, "carrier") == []
    assert [hop for _, _, hop in routes(carrier, "home-b")] == ["10.2.0.2"]


def test_more_addresses_behind_clients_than_there_are_are_refused() -> None:
    """10.64.0.0/10 has four million addresses."""
    assert len(Home(clients=1024, addresses_per_client=4096).sources(1023)) == 4096
    with pytest.raises(ConfigurationError) as refused:
        Home(clients=1025, addresses_per_client=4096)

    assert "addresses_per_client=4096 is not possible with more than 1,024 clients" in str(refused.value)


def test_an_external_address_must_not_be_behind_a_client() -> None:
    """The addresses behind clients are the topology's own."""
    with pytest.raises(ConfigurationError, match=r"10\.64\.0\.0/23"):
        Home(clients=2, addresses_per_client=256).check(
            Settings.model_validate({"external_addresses": ["10.64.0.9"]})
        )


@pytest.mark.parametrize("scenario", ["fairness", "client-exhaustion", "two-nats"])
def test_a_scenario_that_needs_one_address_for_each_client_does_not_accept_more(scenario: str) -> None:
    """In fairness, for example, one host is greedy."""
    with pytest.raises(ConfigurationError, match="addresses_per_client"):
        resolve(scenario, "openflow", Choices(sets=["addresses_per_client=2"]), datapath="userspace")


def test_an_answer_finds_its_host_by_one_rule_and_without_a_question() -> None:
    """A host's own ARP request has shown where it is, so all addresses behind it are known."""
    network = Network(ports=64, addresses_per_client=16)
    alice, server = network.alice, network.server

    for subscriber in range(16):
        sent = udp(network, alice, 5000, SERVER)
        sent[IP].src = f"10.64.0.{subscriber}"
        (arrival,) = network.send("alice", sent)
        seen = arrival.packet[IP]
        assert (arrival.host, seen.src) == ("server", "192.0.2.1")
        (answer,) = network.send("server", udp(network, server, 7, f"192.0.2.1:{seen.sport}"))
        assert (answer.host, answer.packet.dst) == ("alice", alice.mac)
        assert (answer.packet[IP].dst, answer.packet[IP].dport) == (f"10.64.0.{subscriber}", 5000)
        assert ARP not in answer.packet

    assert len(list(network.router.nat.mappings())) == 16
    forwarding = [entry.rule for entry in network.table if entry.rule.table is Table.FORWARD]
    assert sum("10.64.0" in str(rule.match) and bool(rule.actions) for rule in forwarding) <= 4


def test_a_linux_router_and_open_vswitch_s_tracker_know_addresses_behind_clients_as_inside() -> None:
    """Linux has a route for each host; the tracker remembers hosts, and has only to let the network in."""
    inside = ipaddress.IPv4Interface("10.0.255.254/16")
    route = Route(network=ipaddress.IPv4Network("10.64.0.0/24"), next_hop=ipaddress.IPv4Address("10.0.0.1"))
    outside = ipaddress.IPv4Interface("198.51.100.254/24")
    plan = GatewayPlan(
        settings=Settings.model_validate(OvsCtGateway.settings),
        options=Options(),
        interfaces=[
            Interface(port=1, side=Side.INSIDE, address=inside, routes=(route,)),
            Interface(port=2, side=Side.OUTSIDE, address=outside),
        ],
        mac="02:00:0a:00:ff:fe",
        seed=1,
        folder=Path("/nowhere"),
        datapath="userspace",
    )

    assert "route add 10.64.0.0/24 via 10.0.0.1" in links(plan, {1: "inside1", 2: "outside2"}).splitlines()
    lines = rules(plan, zone=1, routes=[]).splitlines()
    assert any("nw_src=10.64.0.0/24,actions=resubmit(,1)" in line for line in lines)
    assert any(line == "table=1,priority=50,ip,nw_dst=10.64.0.0/24,actions=drop" for line in lines)
    assert [str(network) for network in routed(plan.interfaces)] == ["10.64.0.0/24"]
