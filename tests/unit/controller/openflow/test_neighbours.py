"""The gateway's ARP (RFC 826): whom it answers, whom it asks, and what waits meanwhile."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from controller.openflow.frames import Arp
from controller.openflow.neighbours import Neighbours
from tests.support.network import BROADCAST, Arrival, Host, Network, tcp, udp, who_has
from tests.support.recorder import Recorder


def requests(arrivals: list[Arrival]) -> list[tuple[str, str, str, str]]:
    """Return host, destination MAC, asking and asked address of each ARP request that came to a host."""
    return [
        (a.host, a.packet.dst, a.packet[ARP].psrc, a.packet[ARP].pdst)
        for a in arrivals
        if ARP in a.packet and a.packet[ARP].op == 1
    ]


@pytest.mark.parametrize("name", ["alice", "bob", "server", "mirror"])
def test_the_gateway_answers_for_its_own_address(name: str) -> None:
    """It answers on both sides, to the asker alone."""
    network = Network(acquainted=False)
    host = network.hosts[name]

    (answer,) = network.send(name, who_has(host, host.gateway))

    assert answer.host == name
    expected = Ether(dst=host.mac, src=network.mac) / ARP(
        op=2, hwsrc=network.mac, psrc=host.gateway, hwdst=host.mac, pdst=host.address
    )
    assert bytes(answer.packet) == bytes(expected)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("alice", "10.0.0.77"),
        ("alice", "198.51.100.254"),
        ("alice", "192.0.2.1"),
        ("server", "198.51.100.77"),
        ("server", "203.0.113.254"),
        ("server", "10.0.255.254"),
        ("server", "192.0.2.1"),
        ("server", "10.0.0.1"),
    ],
)
def test_the_gateway_answers_for_nobody_else(name: str, address: str) -> None:
    """It does not answer for strangers or for its addresses on other links; an external address is on no link."""
    network = Network()

    arrivals = network.send(name, who_has(network.hosts[name], address))

    assert [a for a in arrivals if a.packet[ARP].op == 2] == []


@pytest.mark.parametrize("name", ["alice", "server"])
def test_the_gateway_answers_no_answer(name: str) -> None:
    """Two that answer one another's replies would never end."""
    network = Network()
    host = network.hosts[name]
    reply = who_has(host, host.gateway)
    reply[ARP].op = 2

    assert network.send(name, reply) == []


def test_inside_hosts_find_one_another_as_in_any_lan() -> None:
    """An ARP request for a neighbour reaches the other inside hosts and nobody outside; the neighbour answers."""
    network = Network(clients=3)

    arrivals = network.send("alice", who_has(network.alice, network.bob.address))

    assert [(a.host, a.packet[ARP].op) for a in arrivals] == [("bob", 1), ("carol", 1), ("alice", 2)]
    assert arrivals[-1].packet[ARP].hwsrc == network.bob.mac


@pytest.mark.parametrize("destination", [BROADCAST, "02:00:0a:00:00:01"], ids=["broadcast", "to alice's MAC"])
def test_no_arp_crosses_from_outside_to_inside(destination: str) -> None:
    """The two sides are different links."""
    network = Network()
    request = who_has(network.server, "10.0.0.1")
    request.dst = destination

    assert network.send("server", request) == []


def test_an_outside_host_cannot_pass_for_an_inside_one() -> None:
    """What a host says of itself is believed only of the network on its own link."""
    network = Network()
    (syn,) = network.send("alice", tcp(network, network.alice, 40000, "198.51.100.1:7"))
    liar = Host("server", 3, network.server.side, ("10.0.0.1",), "198.51.100.254", network.server.mac)

    network.send("server", who_has(liar, "198.51.100.254"))
    answer = tcp(network, network.server, 7, f"192.0.2.1:{syn.packet.sport}", "SA")

    assert [a.host for a in network.send("server", answer)] == ["alice"]


def test_a_frame_waits_until_its_next_hop_is_known() -> None:
    """The gateway asks, from its own address on that link; then the frame goes out, translated."""
    network = Network(acquainted=False)

    arrivals = network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))

    assert requests(arrivals) == [("server", BROADCAST, "198.51.100.254", "198.51.100.1")]
    assert [(a.host, a.packet[IP].src) for a in arrivals if IP in a.packet] == [("server", "192.0.2.1")]


def test_frames_to_a_known_next_hop_wait_for_nothing() -> None:
    """A known next hop is a rule: it is not asked for again, and the controller does not see the frames."""
    network = Network(acquainted=False)
    network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))
    seen = len(network.packet_ins)

    arrivals = network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))

    assert [(a.host, UDP in a.packet) for a in arrivals] == [("server", True)]
    assert len(network.packet_ins) == seen


def test_frames_wait_in_order_and_the_gateway_asks_at_most_every_half_second() -> None:
    """A silent host is not flooded with questions."""
    network = Network(acquainted=False)
    network.silent = {"server"}
    asked = []
    for number, seconds in enumerate((0.0, 0.25, 0.25, 0.25)):
        network.tick(seconds)
        frame = udp(network, network.alice, 40000, "198.51.100.1:7", bytes([number]))
        asked.append(len(requests(network.send("alice", frame))))
    assert asked == [1, 0, 1, 0]

    arrivals = network.send("server", who_has(network.server, "198.51.100.254"))

    assert [bytes(a.packet[UDP].payload) for a in arrivals if UDP in a.packet] == [b"\0", b"\1", b"\2", b"\3"]


def test_frames_to_a_host_that_never_answers_are_given_up() -> None:
    """After three seconds frames are dropped; a host that appears later gets none of them."""
    network = Network(acquainted=False)
    network.silent = {"server"}
    network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))

    network.tick(3.0)
    arrivals = network.send("server", who_has(network.server, "198.51.100.254"))

    assert [a for a in arrivals if UDP in a.packet] == []


def test_no_more_than_1024_frames_wait_for_one_host() -> None:
    """The oldest frames are dropped, so that memory is bounded."""
    network = Network()
    recorder = Recorder()
    neighbours = Neighbours(network.configuration, recorder)
    server = int.from_bytes(bytes([198, 51, 100, 1]), "big")
    for number in range(1030):
        neighbours.resolve(number.to_bytes(2, "big"), server, 0.0)
    asked = recorder.asked.copy()
    recorder.asked.clear()

    neighbours.arp(Arp(2, bytes.fromhex("0200c6336401"), server, bytes(6), 0), network.configuration.interfaces[2])

    released = [arguments[0] for what, *arguments in recorder.asked if what == "forward"]
    assert [what for what, *_ in asked] == ["send"]
    assert released == [number.to_bytes(2, "big") for number in range(6, 1030)]
