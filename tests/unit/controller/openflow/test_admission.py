"""What may enter: packets that no host can have sent, or could ever get, cost nothing and go nowhere."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol
from controller.openflow.rules import Stopped
from tests.support.network import EXTERNAL, Host, Network, echo, ip, tcp, udp, who_has
from topologies.campus import Campus
from topologies.carrier import Carrier
from topologies.multi_address import MultiAddress

NOT_A_SOURCE = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]
NOT_A_DESTINATION = [*NOT_A_SOURCE, "239.1.1.1"]
ENDS_OF_LINKS = ["10.0.0.0", "10.0.255.255", "198.51.100.0", "198.51.100.255", "203.0.113.255"]


def dropped(network: Network, why: Stopped) -> int:
    """Return how many packets the rules have dropped for a reason."""
    network.router.sum_up()
    return network.router.drops.by_rules(why)


def frames(network: Network, host: Host, **fields: object) -> list[Layer]:
    """Return a datagram, a SYN, a FIN and a ping with such addresses."""
    transports = (UDP(sport=9, dport=7), TCP(sport=9, dport=7), TCP(sport=9, dport=7, flags="FA"), ICMP(id=9))
    return [ip(network, host, "198.51.100.1", **fields) / each / Raw(bytes(20)) for each in transports]


def assert_nobody_noticed(network: Network, host: Host, sent: list[Layer]) -> None:
    """Assert that none of these frames goes anywhere, or costs anything."""
    before, packet_ins = len(network.router.nat), len(network.packet_ins)
    for frame in sent:
        assert network.send(host.name, frame) == []
    assert len(network.router.nat) == before
    assert len(network.packet_ins) == packet_ins, "the controller need not see them"
    assert network.router.nat.limits.subscribers.keys() == ({0x0A000001} if before else set())


# From inside: destinations


@pytest.mark.parametrize("topology", [None, MultiAddress], ids=["home", "behind a router"])
@pytest.mark.parametrize("destination", NOT_A_DESTINATION)
def test_what_no_host_could_get_takes_no_port(destination: str, topology: type[MultiAddress] | None) -> None:
    """RFC 1812 section 5.3.7: with a route or without, the switch drops and counts it."""
    network = Network(ports=8, **({"topology": topology} if topology else {}))

    assert_nobody_noticed(network, network.alice, frames(network, network.alice, dst=destination))
    assert dropped(network, Stopped.MARTIAN) == 4


@pytest.mark.parametrize("destination", ENDS_OF_LINKS)
def test_the_broadcast_of_a_link_takes_no_port(destination: str) -> None:
    """RFC 2644: no directed broadcast is forwarded."""
    network = Network(ports=8)

    assert_nobody_noticed(network, network.alice, frames(network, network.alice, dst=destination))
    assert dropped(network, Stopped.MARTIAN) == 4


def test_multicast_from_one_host_leaves_the_ports_to_the_other() -> None:
    """The issue's own probe: 64 datagrams to 239.1.1.1 with 64 ports."""
    network = Network(ports=64)
    for port in range(64):
        network.send("alice", udp(network, network.alice, 1 + port, "239.1.1.1:5000"))

    (arrival,) = network.send("bob", udp(network, network.bob, 1, "198.51.100.1:7"))
    assert arrival.host == "server"


@pytest.mark.parametrize("make", [udp, tcp])
def test_an_inside_destination_is_reached_untranslated_also_by_the_gateway(make: type[udp]) -> None:
    """RFC 3022 section 2: alice sends to bob by the gateway's MAC address; a router forwards it as it is."""
    network = Network(ports=8)

    (arrival,) = network.send("alice", make(network, network.alice, 5, "10.0.0.2:7"))

    header = arrival.packet[IP]
    assert (arrival.host, header.src, header.dst, header.ttl) == ("bob", "10.0.0.1", "10.0.0.2", 63)
    assert (arrival.packet.src, arrival.packet.dst) == (network.mac, network.bob.mac)
    assert len(network.router.nat) == 0


def test_an_inside_destination_may_be_at_the_port_of_the_sender() -> None:
    """Two that share a port reach one another by the gateway: a frame may leave by the port that it came by."""
    network = Network(ports=8, addresses_per_client=4)
    frame = udp(network, network.alice, 5, "10.64.0.2:7")
    frame[IP].src = "10.64.0.1"

    (arrival,) = network.send("alice", frame)

    assert (arrival.host, arrival.packet[IP].dst, arrival.packet[IP].ttl) == ("alice", "10.64.0.2", 63)


def test_subscribers_reach_one_another_untranslated() -> None:
    """Networks that are routed behind hosts are inside as well."""
    network = Network(ports=8, addresses_per_client=4)
    frame = udp(network, network.alice, 5, "10.64.0.5:7")
    frame[IP].src = "10.64.0.1"

    (arrival,) = network.send("alice", frame)

    assert (arrival.host, arrival.packet[IP].src, arrival.packet[IP].dst) == ("bob", "10.64.0.1", "10.64.0.5")
    assert len(network.router.nat) == 0


# Sources


SPOOFED = [
    "10.0.0.2",
    "10.0.0.77",
    "10.0.255.254",
    "10.0.255.255",
    "10.0.0.0",
    "198.51.100.1",
    EXTERNAL,
    "8.8.8.8",
]


@pytest.mark.parametrize("source", [*SPOOFED, *NOT_A_SOURCE])
def test_an_inside_host_sends_from_its_own_address_only(source: str) -> None:
    """RFC 2827: also a neighbour's address is none of its own, and costs that neighbour no port."""
    network = Network(ports=8, port_quota=1)

    assert_nobody_noticed(network, network.alice, frames(network, network.alice, src=source))
    assert dropped(network, Stopped.SPOOFED) == 4


def test_a_spoofed_fin_or_reset_ends_no_connection_of_its_owner() -> None:
    """The controller does not see the copy of a segment that the owner has not sent."""
    network = Network(ports=8, tcp_rst_timeout=1)
    network.send("alice", tcp(network, network.alice, 5, "198.51.100.1:7"))
    for flags in ("FA", "R"):
        spoofed = tcp(network, network.bob, 5, "198.51.100.1:7", flags)
        spoofed[IP].src = network.alice.address
        assert network.send("bob", spoofed) == []

    for _ in range(8):
        network.tick(1.0)
    assert network.mapping(Protocol.TCP, network.alice, 5) is not None


def test_each_of_a_hosts_many_addresses_is_its_own() -> None:
    """A network that is routed by way of a host is valid at its port, and at no other."""
    network = Network(ports=8, addresses_per_client=4)
    frame = udp(network, network.alice, 5, "198.51.100.1:7")
    frame[IP].src = "10.64.0.3"

    assert [a.host for a in network.send("alice", frame)] == ["server"]
    assert network.send("bob", frame) == []
    assert dropped(network, Stopped.SPOOFED) == 1


def test_without_validation_any_host_of_the_lan_may_be_the_sender() -> None:
    """It still is a host's address: not the gateway's own, the LAN's ends, or one of another network."""
    network = Network(ports=8, source_validation=False)

    for source in ("10.0.0.2", "10.0.0.77"):
        (frame, *_) = frames(network, network.alice, src=source)
        assert [a.host for a in network.send("alice", frame)] == ["server"]
    network.router.nat.flush(0.0)
    wrong = [frames(network, network.alice, src=source)[0] for source in SPOOFED[2:]]
    assert [network.send("alice", frame) for frame in wrong] == [[]] * len(wrong)
    assert dropped(network, Stopped.SPOOFED) == len(wrong)


def test_arp_probes_pass_and_claims_on_others_do_not() -> None:
    """RFC 5227: a probe has no sender. No inside host can pass for another, or for the gateway."""
    network = Network(clients=3)
    probe = Ether(dst="ff:ff:ff:ff:ff:ff", src=network.bob.mac) / ARP(
        op=1, hwsrc=network.bob.mac, psrc="0.0.0.0", pdst="10.0.0.1"
    )
    gratuitous = [
        who_has(Host("", 2, network.bob.side, (claimed,), "", network.bob.mac), claimed)
        for claimed in (network.alice.address, network.alice.gateway)
    ]

    assert [a.host for a in network.send("bob", probe) if a.packet[ARP].op == 1] == ["alice", "carol"]
    assert [network.send("bob", claim) for claim in gratuitous] == [[], []]


def test_a_gateway_at_an_inside_port_sends_from_its_external_address() -> None:
    """The inside of a carrier's NAT is the outside of the homes' NATs, and any other address there is spoofed."""
    carrier = Carrier(clients=4)
    hosts = {interface.port: [str(each) for each in interface.hosts] for interface in carrier.wiring["carrier"]}

    assert hosts == {1: ["100.64.0.1/32"], 2: ["100.64.0.2/32"], 3: [], 4: []}
    assert [str(host) for host in carrier.wiring["home-a"][1].hosts] == ["10.1.0.1/32"]


def test_an_access_switch_has_the_hosts_that_are_plugged_into_it() -> None:
    """They share a port of the gateway."""
    (first, *_) = Campus(clients=8).wiring["gateway"]

    assert [str(each) for each in first.hosts] == ["10.0.0.1/32", "10.0.0.5/32"]


# From outside


@pytest.mark.parametrize(
    ("source", "why"),
    [
        *((source, Stopped.MARTIAN) for source in NOT_A_SOURCE),
        *((source, Stopped.MARTIAN) for source in ("198.51.100.255", "198.51.100.0", "203.0.113.255")),
        *((source, Stopped.SPOOFED) for source in ("10.0.0.1", "10.0.0.77", "10.0.255.255")),
        *((source, Stopped.SPOOFED) for source in (EXTERNAL, "198.51.100.254", "203.0.113.254")),
    ],
)
def test_an_impossible_source_is_not_let_in(source: str, why: Stopped) -> None:
    """Not even by endpoint-independent filtering, nor to the gateway itself."""
    network = Network(ports=8)
    (out,) = network.send("alice", udp(network, network.alice, 5, "198.51.100.1:7"))
    to_alice = udp(network, network.server, 7, f"{EXTERNAL}:{out.packet[UDP].sport}")
    to_gateway = echo(network, network.server, "198.51.100.254", 1)

    for frame in (to_alice, to_gateway):
        frame[IP].src = source
        assert network.send("server", frame) == []
    assert dropped(network, why) == 2


def test_a_source_that_is_routed_behind_an_inside_host_is_not_let_in() -> None:
    """Subscribers' networks are inside networks."""
    network = Network(ports=8, addresses_per_client=4)
    frame = udp(network, network.alice, 5, "198.51.100.1:7")
    frame[IP].src = "10.64.0.1"
    (out,) = network.send("alice", frame)
    answer = udp(network, network.server, 7, f"{EXTERNAL}:{out.packet[UDP].sport}")

    assert len(network.send("server", answer)) == 1
    answer[IP].src = "10.64.0.5"
    assert network.send("server", answer) == []


def test_a_frame_to_another_mac_address_is_not_routed() -> None:
    """RFC 1812 section 5.3.4: nor is a broadcast frame with a packet for one host."""
    network = Network(ports=8)
    (out,) = network.send("alice", udp(network, network.alice, 5, "198.51.100.1:7"))
    answer = udp(network, network.server, 7, f"{EXTERNAL}:{out.packet[UDP].sport}")

    for mac in ("ff:ff:ff:ff:ff:ff", "02:99:99:99:99:99"):
        answer.dst = mac
        assert network.send("server", answer) == []


def test_the_counts_of_the_rules_survive_a_lost_switch() -> None:
    """Its tables are filled anew and count from zero; the sum goes on."""
    network = Network(ports=8)
    (frame, *_) = frames(network, network.alice, src="8.8.8.8")
    network.send("alice", frame)
    assert dropped(network, Stopped.SPOOFED) == 1

    network.connect()
    network.send("alice", frame)

    assert dropped(network, Stopped.SPOOFED) == 2
