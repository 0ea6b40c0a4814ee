"""What the gateway says of its own: Time Exceeded, Destination Unreachable, and answers to pings."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.tokens import TokenBucket
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Host, Network, echo, ip, tcp, udp
from tests.support.packets import in_fragments
from topologies.multi_address import MultiAddress

SERVER = "198.51.100.1:7"
TRACES = {
    "UDP": UDP(sport=40000, dport=33434),
    "TCP": TCP(sport=40000, dport=80, flags="S"),
    "ICMP": ICMP(id=9),
    "FIN": TCP(sport=40000, dport=80, flags="FA"),
}
"""What traceroute sends, by its kinds, and the end of a connection."""


def assert_error(arrival: Arrival, host: Host, sent: Layer, source: str, kind: tuple[int, int]) -> None:
    """Assert that an arrival is an ICMP error, sound, from `source` to a host, about the packet that it sent."""
    header = arrival.packet[IP]
    assert (arrival.host, header.src, header.dst) == (host.name, source, sent[IP].src)
    assert (header[ICMP].type, header[ICMP].code) == kind
    assert bytes(with_checksums(arrival.packet)) == bytes(arrival.packet)
    assert bytes(header[ICMP])[8:] == bytes(sent[IP])[:548]


@pytest.mark.parametrize("ttl", [0, 1])
@pytest.mark.parametrize("kind", TRACES)
def test_traceroute_from_inside_shows_the_gateway(kind: str, ttl: int) -> None:
    """RFC 1812 section 5.3.1: an error from its inside address, about the packet as it was; no port is taken."""
    network = Network(ports=8)
    sent = Ether(
        bytes(ip(network, network.alice, "198.51.100.1", ttl=ttl, tos=0xB8) / TRACES[kind] / Raw(bytes(20)))
    )

    (arrival,) = network.send("alice", sent)

    assert_error(arrival, network.alice, sent, "10.0.255.254", (11, 0))
    assert arrival.packet[IP].tos == 0xB8
    assert len(network.router.nat) == 0
    assert network.router.drops.expired == 1
    assert network.router.errors.sent == 1


@pytest.mark.parametrize("kind", TRACES)
def test_traceroute_from_outside_shows_the_gateway(kind: str) -> None:
    """It does at an external endpoint with a mapping and at one without: nothing is translated."""
    network = Network(ports=8)
    (out,) = network.send("alice", tcp(network, network.alice, 5, SERVER))
    for port in (out.packet[TCP].sport, 80):
        transport = TRACES[kind].copy()
        if kind != "ICMP":
            transport.dport = port
        sent = Ether(bytes(ip(network, network.server, EXTERNAL, ttl=1) / transport))

        (arrival,) = network.send("server", sent)

        assert_error(arrival, network.server, sent, "198.51.100.254", (11, 0))


@pytest.mark.parametrize("name", ["alice", "server"])
def test_of_fragments_at_the_end_of_their_way_only_the_first_is_answered(name: str) -> None:
    """RFC 1812 section 4.3.2.7. None of them waits for the others."""
    network = Network(ports=8)
    host, to = network.hosts[name], EXTERNAL if name == "server" else "198.51.100.1"
    sent = in_fragments(ip(network, host, to, ttl=1, flags=0) / UDP(sport=5, dport=7) / Raw(bytes(64)), 40)

    (arrival,) = [arrival for each in sent for arrival in network.send(name, each)]

    gateway = "198.51.100.254" if name == "server" else "10.0.255.254"
    assert_error(arrival, host, sent[0], gateway, (11, 0))
    assert (network.router.drops.expired, network.router.reassembly.waiting) == (2, 0)


def test_a_segment_that_is_not_forwarded_ends_no_connection() -> None:
    """A FIN or RST at the end of its way never reaches the peer, so that the connection goes on."""
    network = Network(ports=8, tcp_rst_timeout=1)
    network.send("alice", tcp(network, network.alice, 5, SERVER))
    for flags in ("FA", "R"):
        network.send(
            "alice", ip(network, network.alice, "198.51.100.1", ttl=1) / TCP(sport=5, dport=7, flags=flags)
        )

    for _ in range(8):
        network.tick(1.0)
    assert len(network.router.nat) == 1


def test_what_is_for_the_gateway_itself_needs_no_ttl() -> None:
    """It is not forwarded: a ping with a TTL of 1 is answered (RFC 1812 section 5.3.1)."""
    network = Network()
    ping = echo(network, network.alice, "10.0.255.254", 7)
    ping[IP].ttl = 1

    (arrival,) = network.send("alice", ping)

    assert (arrival.packet[ICMP].type, arrival.packet[IP].ttl) == (0, 64)


@pytest.mark.parametrize("kind", TRACES)
def test_no_route_is_told_from_a_full_nat(kind: str) -> None:
    """RFC 1812 section 4.3.3.1: network unreachable, where the topology has no default route; no port is taken."""
    network = Network(ports=8)
    sent = Ether(bytes(ip(network, network.alice, "8.8.8.8") / TRACES[kind]))

    (arrival,) = network.send("alice", sent)

    assert_error(arrival, network.alice, sent, "10.0.255.254", (3, 0))
    assert len(network.router.nat) == 0
    assert network.router.drops.unrouted == 1


def test_with_a_default_route_every_destination_has_a_route() -> None:
    """The provider's router knows more."""
    network = Network(topology=MultiAddress, external_addresses=["192.0.2.1"])

    (arrival,) = network.send("alice", udp(network, network.alice, 5, "8.8.8.8:7"))

    assert (arrival.host, arrival.packet[IP].dst) == ("router", "8.8.8.8")


@pytest.mark.parametrize("kind", ["UDP", "TCP", "ICMP"])
def test_a_client_learns_that_nobody_is_there(kind: str) -> None:
    """RFC 1812 section 4.3.3.1: host unreachable, about its own packet, though the NAT has translated that."""
    network = Network(ports=8)
    sent = Ether(bytes(ip(network, network.alice, "198.51.100.77") / TRACES[kind] / Raw(bytes(20))))
    assert [a for a in network.send("alice", sent) if a.host == "alice"] == []

    told = [a for second in range(4) for a in network.tick(1.0) if a.host == "alice"]

    (arrival,) = told
    assert_error(arrival, network.alice, sent, "10.0.255.254", (3, 1))
    assert network.router.neighbours.dropped == 1


def test_a_client_learns_that_an_inside_host_is_not_there() -> None:
    """It does at once where no port has such a host, about its own packet, which nothing has translated."""
    network = Network()
    sent = Ether(bytes(udp(network, network.alice, 5, "10.0.0.77:7")))

    network.send("alice", sent)
    (arrival,) = network.tick(0.05)

    assert_error(arrival, network.alice, sent, "10.0.255.254", (3, 1))


def test_an_outside_host_learns_that_an_inside_host_is_gone() -> None:
    """The error comes from the external address, and is about the packet that was sent to it (RFC 5508 REQ-5)."""
    network = Network(ports=8)
    (out,) = network.send("alice", udp(network, network.alice, 5, SERVER))
    network.silent = {"alice"}
    for _ in range(64):
        network.tick(1.0)
    sent = Ether(bytes(udp(network, network.server, 7, f"{EXTERNAL}:{out.packet[UDP].sport}")))
    network.send("server", sent)

    told = [a for second in range(4) for a in network.tick(1.0) if a.host == "server"]

    (arrival,) = told
    assert_error(arrival, network.server, sent, EXTERNAL, (3, 1))


def test_own_errors_are_limited_and_leave_refusals_their_own_limit() -> None:
    """RFC 1812 section 4.3.2.8: nobody can silence the NAT's refusals by packets that lead nowhere."""
    network = Network(ports=1, on_exhaustion="icmp", icmp_rate=2)
    network.send("bob", udp(network, network.bob, 5, SERVER))
    nowhere = udp(network, network.alice, 5, "8.8.8.8:7")
    last = ip(network, network.alice, "198.51.100.1", ttl=1) / UDP(sport=5, dport=7)

    assert sum(len(network.send("alice", frame)) for frame in [nowhere, last] * 5) == 2
    assert len(network.send("alice", udp(network, network.alice, 5, SERVER))) == 1
    network.tick(0.5)
    assert sum(len(network.send("alice", frame)) for frame in [nowhere, last] * 5) == 1


@pytest.mark.parametrize(
    "silent",
    [
        IP(src="10.0.0.1", dst="8.8.8.8") / ICMP(type=3, code=3) / IP(src="8.8.8.8", dst="10.0.0.1") / UDP(),
        IP(src="10.0.0.1", dst="198.51.100.1", ttl=1, frag=2, proto=17) / Raw(bytes(16)),
        IP(src="10.0.0.1", dst="224.0.0.1", ttl=1) / UDP(),
        IP(src="10.0.0.1", dst="198.51.100.255", ttl=1) / UDP(),
        IP(src="0.0.0.0", dst="198.51.100.1", ttl=1) / UDP(),
        IP(src="10.0.255.255", dst="198.51.100.1", ttl=1) / UDP(),
        IP(src="10.0.0.1", dst="198.51.100.1", ttl=1, chksum=1) / UDP(),
    ],
    ids=["about an error", "later fragment", "multicast", "broadcast", "no source", "broadcast source", "damaged"],
)
def test_errors_that_may_not_be_sent_are_not(silent: Layer) -> None:
    """RFC 1812 section 4.3.2.7, RFC 5508 REQ-10."""
    network = Network(ports=8)

    assert network.send("alice", Ether(dst=network.mac, src=network.alice.mac) / silent) == []
    assert network.tick(1.0) == []


# Pings and other packets to the gateway itself


@pytest.mark.parametrize("name", ["alice", "server"])
@pytest.mark.parametrize("address", ["10.0.255.254", "198.51.100.254", "203.0.113.254"])
def test_the_gateway_answers_pings_at_any_of_its_addresses(name: str, address: str) -> None:
    """RFC 1812 section 4.3.3.6. Its inside address is not to be seen outside, though."""
    network = Network()
    host = network.hosts[name]

    answers = network.send(name, echo(network, host, address, 7))

    if name == "server" and address == "10.0.255.254":
        assert answers == []
    else:
        (answer,) = answers
        assert (answer.host, answer.packet[IP].src, answer.packet[ICMP].type) == (name, address, 0)


def test_a_ping_from_beyond_the_link_is_answered() -> None:
    """The router of the default route has brought it, and takes the answer."""
    network = Network(topology=MultiAddress, external_addresses=["192.0.2.1"])
    ping = echo(network, network.hosts["router"], "192.0.2.253", 7)
    ping[IP].src = "8.8.8.8"

    (answer,) = network.send("router", ping)

    assert (answer.packet[IP].src, answer.packet[IP].dst) == ("192.0.2.253", "8.8.8.8")


@pytest.mark.parametrize("ttl", [64, 1])
def test_the_gateway_answers_at_its_own_address_also_where_that_is_the_nats(ttl: int) -> None:
    """A home has one address. A query from outside is never translated, and so it is the gateway's to answer."""
    network = Network(topology=MultiAddress, external_addresses=["192.0.2.253"])
    ping = echo(network, network.hosts["router"], "192.0.2.253", 7)
    ping[IP].ttl = ttl

    (answer,) = network.send("router", ping)

    assert (answer.packet[ICMP].type, answer.packet[ICMP].id, answer.packet[IP].src) == (0, 7, "192.0.2.253")


def test_the_gateway_serves_nobody_and_says_so() -> None:
    """RFC 1122 section 3.2.2.1, RFC 9293 section 3.10.7.1: port, protocol unreachable, and a reset."""
    network = Network()
    to_it = ("10.0.255.254:80", "10.0.255.254")

    (port,) = network.send("alice", udp(network, network.alice, 5, to_it[0]))
    (protocol,) = network.send("alice", ip(network, network.alice, to_it[1], proto=47) / Raw(bytes(20)))
    (reset,) = network.send("alice", tcp(network, network.alice, 5, to_it[0]))

    assert [(a.packet[ICMP].type, a.packet[ICMP].code) for a in (port, protocol)] == [(3, 3), (3, 2)]
    assert reset.packet[TCP].flags == "RA"
    assert network.send("alice", tcp(network, network.alice, 5, to_it[0], "R")) == []


def test_a_flood_from_outside_silences_no_error_to_the_inside() -> None:
    """Each port of the gateway has its own limit: path MTU discovery goes on (RFC 4787 REQ-13)."""
    network = Network(icmp_rate=2, outside_mtu=1200)
    last = ip(network, network.server, EXTERNAL, ttl=1) / UDP(sport=5, dport=7)
    assert sum(len(network.send("server", last)) for _ in range(20)) == 2

    for name in ("alice", "bob"):
        sent = udp(network, network.hosts[name], 5, SERVER, bytes(1300))
        (arrival,) = network.send(name, sent)
        assert (arrival.packet[ICMP].type, arrival.packet[ICMP].code) == (3, 4)


def test_one_hosts_refusals_take_none_from_another() -> None:
    """A host that asks for ports in a full pool silences no refusal of the others."""
    network = Network(clients=3, ports=1, on_exhaustion="icmp", icmp_rate=2)
    network.router.errors._of_refusals.default_factory = lambda: TokenBucket(2, 2, 0.0)
    network.send("carol", udp(network, network.carol, 5, SERVER))
    refused = [
        sum(len(network.send(name, udp(network, network.hosts[name], 5, SERVER))) for _ in range(5))
        for name in ("alice", "bob")
    ]

    assert refused == [2, 2]
