"""A gateway with a next hop: its default route, and the external addresses that it has on that link."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet import UDPerror as QuotedUDP
from scapy.layers.l2 import ARP, Ether

from tests.support.network import BROADCAST, Arrival, Host, Network, tcp, udp, who_has
from topologies.multi_address import MultiAddress

FAR, FARTHER = "198.51.100.1:7", "203.0.113.2:7"
POOL = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]


def behind_a_router(**settings: object) -> Network:
    """Return the network in which the gateway's next hop is `router`, 192.0.2.254."""
    return Network(topology=MultiAddress, **{"external_addresses": POOL, **settings})


def router_of(network: Network) -> Host:
    """Return the next hop."""
    return network.hosts["router"]


def asked(arrivals: list[Arrival]) -> list[tuple[str, str, str]]:
    """Return who was asked for which address by whom."""
    return [
        (a.host, a.packet[ARP].psrc, a.packet[ARP].pdst)
        for a in arrivals
        if ARP in a.packet and a.packet[ARP].op == 1
    ]


def test_the_gateway_asks_for_the_next_hop_and_not_for_the_destination() -> None:
    """No host on the outside link has the destination's address."""
    network = behind_a_router(acquainted=False)

    arrivals = network.send("alice", udp(network, network.alice, 40000, FAR))

    assert asked(arrivals) == [("router", "192.0.2.253", "192.0.2.254")]
    (sent,) = [a.packet for a in arrivals if UDP in a.packet]
    assert (sent.src, sent.dst, sent[IP].dst) == (network.mac, router_of(network).mac, "198.51.100.1")
    assert sent[IP].ttl == 63


def test_the_default_route_serves_every_destination_once_the_next_hop_is_known() -> None:
    """It is one rule: another destination is neither asked for nor shown to the controller by its table."""
    network = behind_a_router()

    arrivals = network.send("alice", udp(network, network.alice, 40000, FARTHER))

    assert [(a.host, a.packet[IP].dst) for a in arrivals] == [("router", "203.0.113.2")]


def test_frames_to_different_destinations_wait_for_the_same_next_hop() -> None:
    """All of them leave when the next hop answers."""
    network = behind_a_router(acquainted=False)
    network.silent = {"router"}
    for destination in (FAR, FARTHER):
        network.send("alice", udp(network, network.alice, 40000, destination))

    network.silent = set()

    arrivals = network.tick(1.0)

    assert [a.packet[IP].dst for a in arrivals if UDP in a.packet] == ["198.51.100.1", "203.0.113.2"]


def test_the_default_route_is_installed_again_when_the_switch_comes_back() -> None:
    """It is part of what the controller knows."""
    network = behind_a_router()
    network.connect()

    arrivals = network.send("alice", udp(network, network.alice, 40000, FAR))

    assert [a.host for a in arrivals] == ["router"]


@pytest.mark.parametrize("address", [*POOL, "192.0.2.253"])
def test_the_gateway_answers_for_each_of_its_addresses_on_the_link(address: str) -> None:
    """The router has packets for them, and asks."""
    network = behind_a_router()

    (answer,) = network.send("router", who_has(router_of(network), address))

    assert (answer.packet[ARP].op, answer.packet[ARP].psrc, answer.packet[ARP].hwsrc) == (2, address, network.mac)


@pytest.mark.parametrize(("name", "address"), [("router", "192.0.2.4"), ("alice", "192.0.2.1")])
def test_the_gateway_answers_for_no_other_address_and_on_no_other_link(name: str, address: str) -> None:
    """192.0.2.4 is not in the pool; and inside, the pool is on no link."""
    network = behind_a_router()

    arrivals = network.send(name, who_has(network.hosts[name], address))

    assert [a for a in arrivals if a.packet[ARP].op == 2] == []


@pytest.mark.parametrize("destination", ["224.0.0.5:7", "255.255.255.255:7", "192.0.2.2:7", "240.0.0.1:7"])
def test_what_has_no_next_hop_does_not_take_the_default_route(destination: str) -> None:
    """Multicast, broadcast and the gateway's own external addresses have no next hop."""
    network = behind_a_router()

    assert network.send("alice", udp(network, network.alice, 40000, destination)) == []


def test_a_stranger_cannot_take_an_external_address() -> None:
    """A host that claims one on the link changes no route."""
    network = behind_a_router()
    before = len(network.table)
    claim = Ether(dst=BROADCAST, src=router_of(network).mac) / ARP(
        op=1, hwsrc=router_of(network).mac, psrc="192.0.2.1", pdst="192.0.2.253"
    )

    network.send("router", claim)

    assert len(network.table) == before


def with_one_address() -> Network:
    """Return a network whose gateway has one address outside, its own and the NAT's, as homes have."""
    return behind_a_router(external_addresses=["192.0.2.253"], filtering_type="edf")


def test_the_only_address_of_a_gateway_may_be_its_external_one() -> None:
    """What comes to it is the NAT's: answers go in, and a stranger's packet goes nowhere."""
    network = with_one_address()
    (syn,) = network.send("alice", tcp(network, network.alice, 40000, FAR))
    assert (syn.packet[IP].src, syn.host) == ("192.0.2.253", "router")
    answer = tcp(network, router_of(network), 7, f"192.0.2.253:{syn.packet.sport}", "SA")
    answer[IP].src = "198.51.100.1"

    assert [a.host for a in network.send("router", answer)] == ["alice"]
    answer[IP].src = "198.51.100.9"
    assert network.send("router", answer) == []


def test_an_error_of_the_next_nat_reaches_the_client_with_its_sender() -> None:
    """A carrier's 3/13 comes through a home's NAT: type, code and the carrier's address stay (RFC 5508 REQ-4)."""
    network = with_one_address()
    (sent,) = network.send("alice", udp(network, network.alice, 40000, FAR))
    error = (
        Ether(dst=network.mac, src=router_of(network).mac)
        / IP(src="192.0.2.254", dst="192.0.2.253")
        / ICMP(type=3, code=13)
        / sent.packet[IP]
    )

    (told,) = network.send("router", error)

    assert (told.host, told.packet[IP].src, told.packet[IP].dst) == ("alice", "192.0.2.254", "10.0.0.1")
    assert (told.packet[ICMP].type, told.packet[ICMP].code) == (3, 13)
    assert told.packet[QuotedUDP].sport == 40000
