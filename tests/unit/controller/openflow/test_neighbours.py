"""The gateway's ARP (RFC 826): whom it answers, whom it asks, and what waits meanwhile."""

from __future__ import annotations

import dataclasses

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet as Layer

from controller.nat.model import Protocol
from controller.openflow import neighbours as neighbours_module
from controller.openflow.frames import Arp
from controller.openflow.neighbours import Neighbours
from controller.openflow.rules import Stopped
from tests.support.network import BROADCAST, Arrival, Host, Network, tcp, udp, who_has
from tests.support.recorder import Recorder
from topologies.multi_address import MultiAddress

ALICE, SERVER = 0x0A000001, 0xC6336401


def requests(arrivals: list[Arrival]) -> list[tuple[str, str, str, str]]:
    """Return host, destination MAC, asking and asked address of each ARP request that came to a host."""
    return [
        (a.host, a.packet.dst, a.packet[ARP].psrc, a.packet[ARP].pdst)
        for a in arrivals
        if ARP in a.packet and a.packet[ARP].op == 1
    ]


def is_at(host: Host) -> Layer:
    """Return an ARP reply of a host to its gateway."""
    reply = who_has(host, host.gateway)
    reply[ARP].op = 2
    return reply


def reply_of(address: int) -> Arp:
    """Return the ARP reply of a host, as the controller reads it."""
    return Arp(2, bytes.fromhex("0200c6336401"), address, bytes(6), 0)


@pytest.mark.parametrize("name", ["alice", "bob", "server", "mirror"])
def test_the_gateway_answers_for_its_own_address(name: str) -> None:
    """It answers on both sides, to the asker alone, whom it then asks in its turn."""
    network = Network(acquainted=False)
    host = network.hosts[name]

    answer, question = network.send(name, who_has(host, host.gateway))

    assert answer.host == name
    assert requests([question]) == [(name, BROADCAST, host.gateway, host.address)]
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


def test_frames_wait_in_order_and_the_gateway_asks_once_a_second() -> None:
    """RFC 1122 section 2.3.2.1: a silent host is not flooded with questions, whoever has packets for it."""
    network = Network(acquainted=False)
    network.silent = {"server"}
    asked = []
    for number, seconds in enumerate((0.0, 0.5, 0.5, 0.5)):
        arrivals = network.tick(seconds)
        arrivals += network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7", bytes([number])))
        asked.append(len(requests(arrivals)))
    assert asked == [1, 0, 1, 0]

    arrivals = network.send("server", is_at(network.server))

    assert [bytes(a.packet[UDP].payload) for a in arrivals if UDP in a.packet] == [b"\0", b"\1", b"\2", b"\3"]


def test_a_host_that_never_answers_is_asked_three_times_and_given_up() -> None:
    """After three seconds the frames are dropped and counted; a host that appears later gets none of them."""
    network = Network(acquainted=False)
    network.silent = {"server"}
    network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))

    asked = [[host for host, *_ in requests(network.tick(1.0))].count("server") for _ in range(4)]
    arrivals = network.send("server", who_has(network.server, "198.51.100.254"))

    assert asked == [1, 1, 0, 0]
    assert [a for a in arrivals if UDP in a.packet] == []
    assert network.router.neighbours.dropped == 1


def test_no_more_than_1024_frames_wait_for_one_host() -> None:
    """The oldest frames are dropped, so that memory is bounded."""
    network = Network()
    recorder = Recorder()
    neighbours = Neighbours(network.configuration, recorder)
    for number in range(1030):
        neighbours.resolve(number.to_bytes(2, "big"), 1, SERVER, 0.0)
    asked = recorder.asked.copy()
    recorder.asked.clear()

    neighbours.arp(reply_of(SERVER), network.configuration.interfaces[2], 0.0)

    released = [arguments[0] for what, *arguments in recorder.asked if what == "forward"]
    assert [what for what, *_ in asked] == ["send"]
    assert released == [number.to_bytes(2, "big") for number in range(6, 1030)]
    assert neighbours.dropped == 6


def test_no_more_than_4096_frames_wait_for_all_hosts() -> None:
    """One more is dropped, whichever host it is for; room comes back when others are given up."""
    neighbours = Neighbours(Network().configuration, Recorder())
    for number in range(4100):
        neighbours.resolve(b"frame", number % 5, SERVER + number % 5, 0.0)
    assert neighbours.dropped == 4

    for now in (1.0, 2.0, 3.0):
        neighbours.tick(now)
    assert neighbours.dropped == 4100
    neighbours.resolve(b"frame", 1, SERVER, 4.0)
    assert neighbours.dropped == 4100


def test_a_thousand_and_more_silent_hosts_hide_none_that_is_there() -> None:
    """With 1,024 hosts asked for at once, the oldest is given up for a newcomer, which then answers."""
    network = Network(source_validation=False)
    neighbours, lan = Neighbours(network.configuration, Recorder()), network.configuration.interfaces[0]
    first = int(lan.address.network.network_address) + 1000
    for number in range(1024):
        neighbours.resolve(b"frame", 1, first + number, 0.0)
    neighbours.resolve(b"frame", 1, ALICE, 0.5)

    neighbours.arp(reply_of(first), lan, 0.5)
    neighbours.arp(reply_of(ALICE), lan, 0.5)

    assert (neighbours.dropped, neighbours.ignored, len(neighbours)) == (1, 1, 1)


def test_a_full_table_refuses_newcomers_and_serves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is known stays known; there is room again when one of them has gone."""
    monkeypatch.setattr(neighbours_module, "MOST_NEIGHBOURS", 4)
    network = Network(clients=3, acquainted=False)
    for name in ("alice", "bob", "carol", "server", "mirror"):
        network.send(name, who_has(network.hosts[name], network.hosts[name].gateway))

    assert len(network.router.neighbours) == 4
    (arrival,) = network.send("carol", udp(network, network.carol, 1, "198.51.100.1:7"))
    assert arrival.host == "server"
    assert network.send("carol", udp(network, network.carol, 1, "203.0.113.1:7")) == []

    network.silent = {"bob"}
    for _ in range(64):
        network.tick(1.0)
    arrivals = network.send("carol", udp(network, network.carol, 1, "203.0.113.1:7"))
    assert [a.host for a in arrivals if UDP in a.packet] == ["mirror"]


# Whom the gateway believes


def test_two_thousand_forged_replies_leave_no_trace() -> None:
    """Nobody has asked: no rule is made, none is changed, and all are counted."""
    network = Network()
    rules = {entry.rule for entry in network.table}

    for number in range(2000):
        address = f"198.51.100.{number % 250 + 1}" if number % 2 else f"10.0.{number % 250}.1"
        mac = f"02:66:66:66:{number // 256:02x}:{number % 256:02x}"
        liar = dataclasses.replace(network.server, addresses=(address,), mac=mac)
        assert network.send("server", is_at(liar)) == []

    assert {entry.rule for entry in network.table} == rules
    assert len(network.router.neighbours) == 4
    assert network.router.neighbours.ignored == 2000


def test_a_reply_moves_no_neighbour_before_the_one_that_is_known_was_asked() -> None:
    """A claim on a served host's address has the served host asked: it answers, and nothing changes."""
    network = Network()
    network.tick(1.0)
    liar = dataclasses.replace(network.bob, addresses=network.server.addresses)
    thief = Host(
        "mirror", 3, network.server.side, (network.server.address,), network.server.gateway, "02:66:66:66:66:66"
    )

    arrivals = network.send("server", who_has(thief, thief.gateway))
    network.send("bob", is_at(liar))

    assert requests(arrivals) == [("server", network.server.mac, "198.51.100.254", "198.51.100.1")]
    for _ in range(5):
        network.tick(1.0)
    (arrival,) = network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))
    assert arrival.packet.dst == network.server.mac


def test_a_host_with_a_new_mac_address_is_found_once_the_old_one_is_silent() -> None:
    """Its own requests give reason to ask the old one. After three silent seconds all are asked."""
    network = Network()
    network.tick(1.0)
    old, new = network.server, dataclasses.replace(network.server, mac="02:77:77:77:77:77")
    network.replace(new)
    network.silent = {"server"}  # nobody has the old MAC address any more

    network.send("server", who_has(new, new.gateway))
    network.tick(1.0)
    network.tick(1.0)
    (arrival,) = network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))
    assert arrival.packet.dst == old.mac

    network.silent = set()
    assert requests(network.tick(1.0)) == [("server", BROADCAST, "198.51.100.254", "198.51.100.1")]
    (arrival,) = network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))
    assert arrival.packet.dst == new.mac


def test_who_is_known_is_asked_again_each_minute_and_forgotten_when_silent() -> None:
    """Its rule goes with it, and with the next packet it is asked for anew."""
    network = Network()
    assert requests(network.tick(59.0)) == []

    asked = requests(network.tick(1.0))
    assert sorted(host for host, *_ in asked) == ["alice", "bob", "mirror", "server"]
    assert {to for _, to, *_ in asked} == {host.mac for host in network.hosts.values()}
    assert len(network.router.neighbours) == 4

    network.silent = {"bob"}
    for _ in range(64):
        network.tick(1.0)
    assert len(network.router.neighbours) == 3
    assert [
        e for e in network.table if ("ipv4_dst", network.bob.address) in e.rule.match and e.rule.priority == 20
    ] == []


def test_a_reply_that_nobody_has_asked_for_proves_nothing() -> None:
    """It is ignored even if it is true: a host that has gone cannot be kept by another that speaks for it."""
    network = Network()
    network.tick(59.0)

    network.send("server", is_at(network.server))

    assert network.router.neighbours.ignored == 1
    assert "server" in [host for host, *_ in requests(network.tick(1.0))]


def test_the_default_route_is_forgotten_with_its_router_and_found_again() -> None:
    """The packets that it would take wait for the router again."""
    network = Network(topology=MultiAddress, external_addresses=["192.0.2.1"])
    network.silent = {"router"}
    for _ in range(64):
        network.tick(1.0)
    network.silent = set()

    arrivals = network.send("alice", udp(network, network.alice, 40000, "8.8.8.8:7"))

    assert requests(arrivals) == [("router", BROADCAST, "192.0.2.253", "192.0.2.254")]
    assert [a.packet[IP].dst for a in arrivals if UDP in a.packet] == ["8.8.8.8"]


@pytest.mark.parametrize(
    "mac", ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "the gateway's own"]
)
def test_a_mac_address_that_is_no_other_hosts_is_not_believed(mac: str) -> None:
    """Packets to such a neighbour would go to many, to nobody, or in a circle."""
    network = Network(acquainted=False)
    network.silent = {"server"}
    network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))
    liar = dataclasses.replace(network.server, mac=network.mac if mac.startswith("the") else mac)

    assert network.send("server", is_at(liar)) == []
    assert len(network.router.neighbours) == 0


def test_a_host_is_believed_at_its_own_port_only() -> None:
    """With source validation bob's port cannot take alice's address; the switch itself drops the message."""
    network = Network(acquainted=False)
    claim = who_has(dataclasses.replace(network.alice, mac=network.bob.mac), network.alice.gateway)

    assert network.send("bob", claim) == []
    network.router.sum_up()
    assert network.router.drops.by_rules(Stopped.SPOOFED) == 1


def test_a_host_at_a_shared_port_is_asked_for_there_and_nowhere_else() -> None:
    """A LAN of hundreds of ports is not asked for one host."""
    network = Network(clients=8, acquainted=False)
    network.send("server", who_has(network.server, network.server.gateway))

    network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:7"))
    external = network.mapping(Protocol.UDP, network.alice, 40000).external
    arrivals = network.send("server", udp(network, network.server, 7, str(external)))

    assert requests(arrivals) == [("alice", BROADCAST, "10.0.255.254", "10.0.0.1")]


def test_frames_of_one_port_hide_no_host_from_the_frames_of_others() -> None:
    """What alice floods may fill alice's part of the room; bob's next hop is asked for, and bob's frame waits."""
    recorder = Recorder()
    network = Network()
    neighbours = Neighbours(network.configuration, recorder)
    for number in range(5000):
        neighbours.resolve(b"alice's", 1, SERVER + number % 5, 0.0)
    recorder.asked.clear()

    neighbours.resolve(b"bob's", 2, SERVER + 9, 0.0)
    neighbours.arp(reply_of(SERVER + 9), network.configuration.interfaces[2], 0.0)

    assert [what for what, *_ in recorder.asked if what in ("send", "forward")] == ["send", "forward"]
    assert neighbours.dropped == 5000 - 1024


def test_a_host_is_asked_for_also_where_its_frame_finds_no_room() -> None:
    """Once a second, however many frames come; the frames after its answer pass."""
    recorder = Recorder()
    neighbours = Neighbours(Network().configuration, recorder)
    for _ in range(2000):
        neighbours.resolve(b"frame", 1, SERVER, 0.0)
    recorder.asked.clear()

    for _ in range(100):
        neighbours.resolve(b"frame", 1, SERVER + 1, 0.0)

    assert [what for what, *_ in recorder.asked] == ["send"]


def test_a_rival_makes_the_gateway_ask_a_known_host_once_a_second() -> None:
    """RFC 1122 section 2.3.2.1: 1,000 forged requests in one instant are no 1,000 requests to the victim."""
    network = Network()
    network.tick(5.0)
    thief = dataclasses.replace(network.server, mac="02:66:66:66:66:66")
    asked = []
    for _ in range(3):
        arrivals = [a for _ in range(100) for a in network.send("server", who_has(thief, thief.gateway))]
        arrivals += network.tick(1.0)
        asked.append([host for host, *_ in requests(arrivals)].count("server"))

    assert asked == [2, 1, 1]
