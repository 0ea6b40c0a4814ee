"""Destinations to which packets pass untranslated (RFC 6888 REQ-6), and static mappings, on frames."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Host, Network, echo, ip, tcp, udp

NETWORK, SERVER, MIRROR = "198.51.100.0/24", "198.51.100.1:7", "203.0.113.1:7"


def untranslating(**settings: object) -> Network:
    """Return a network whose gateway lets packets to and from the server pass untranslated."""
    return Network(untranslated_destinations=NETWORK, **settings)


def passed(arrivals: list[Arrival], frame: Layer, host: Host) -> bool:
    """Whether exactly this frame arrived at a host, one hop further and with right checksums."""
    (arrival,) = arrivals
    expected = Ether(bytes(frame))[IP]
    expected.ttl -= 1
    del expected.chksum
    whole = bytes(with_checksums(arrival.packet)) == bytes(arrival.packet)
    return whole and arrival.host == host.name and bytes(arrival.packet[IP]) == bytes(expected)


@pytest.mark.parametrize("kind", ["TCP SYN", "TCP", "TCP FIN", "TCP RST", "UDP", "ping", "SCTP", "fragment"])
def test_every_packet_to_such_a_destination_passes_as_it_is_and_back(kind: str) -> None:
    """Also what the NAT would not translate. No port is taken, and the controller sees nothing of it."""
    network = untranslating()
    alice, server = network.alice, network.server
    frames = {
        "TCP SYN": lambda a, b: tcp(network, a, 7, f"{b.address}:7"),
        "TCP": lambda a, b: tcp(network, a, 7, f"{b.address}:7", "PA", b"data"),
        "TCP FIN": lambda a, b: tcp(network, a, 7, f"{b.address}:7", "FA"),
        "TCP RST": lambda a, b: tcp(network, a, 7, f"{b.address}:7", "R"),
        "UDP": lambda a, b: udp(network, a, 7, f"{b.address}:7"),
        "ping": lambda a, b: echo(network, a, b.address, 7),
        "SCTP": lambda a, b: ip(network, a, b.address, proto=132) / Raw(bytes(20)),
        "fragment": lambda a, b: ip(network, a, b.address, proto=17, flags=0, frag=8) / Raw(bytes(64)),
    }
    out, back = frames[kind](alice, server), frames[kind](server, alice)
    seen = len(network.packet_ins)

    assert passed(network.send("alice", out), out, server)
    assert passed(network.send("server", back), back, alice)
    assert len(network.packet_ins) == seen
    assert len(network.router.nat) == 0


def test_other_destinations_are_translated_as_ever() -> None:
    """The exception is by destination, and exact."""
    network = untranslating()

    (arrival,) = network.send("alice", udp(network, network.alice, 7, MIRROR))

    assert (arrival.host, arrival.packet[IP].src) == ("mirror", EXTERNAL)
    back = udp(network, network.mirror, 7, f"{network.alice.address}:7")
    assert network.send("mirror", back) == []


def test_the_nat_s_own_address_is_still_reached_from_such_a_network() -> None:
    """A mapping toward another destination, with endpoint-independent filtering."""
    network = untranslating()
    (out,) = network.send("alice", udp(network, network.alice, 7, MIRROR))

    (arrival,) = network.send("server", udp(network, network.server, 7, f"{EXTERNAL}:{out.packet[UDP].sport}"))

    assert (arrival.host, arrival.packet[IP].dst) == ("alice", network.alice.address)


@pytest.mark.parametrize("name", ["alice", "server"])
def test_a_packet_at_the_end_of_its_way_is_not_forwarded(name: str) -> None:
    """RFC 1812 section 5.3.1, in both directions: its sender is told."""
    network = untranslating()
    host, to = network.hosts[name], network.alice if name == "server" else network.server
    frame = udp(network, host, 7, f"{to.address}:7")
    frame[IP].ttl = 1

    (error,) = network.send(name, frame)

    assert (error.host, error.packet[ICMP].type, error.packet[ICMP].code) == (name, 11, 0)


def test_without_a_route_there_is_none_for_such_a_destination_either() -> None:
    """RFC 1812 section 4.3.3.1: network unreachable, as for any other destination."""
    network = Network(untranslated_destinations="8.8.8.0/24")

    (error,) = network.send("alice", udp(network, network.alice, 7, "8.8.8.8:7"))

    assert (error.host, error.packet[ICMP].type, error.packet[ICMP].code) == ("alice", 3, 0)


def test_a_spoofed_source_does_not_pass() -> None:
    """From either side, the table of admission stands in front."""
    network = untranslating()
    outbound, inbound = udp(network, network.alice, 7, SERVER), udp(network, network.server, 7, "10.0.0.1:7")
    outbound[IP].src, inbound[IP].src = "10.0.0.2", EXTERNAL

    assert network.send("alice", outbound) == network.send("server", inbound) == []


def test_a_next_hop_that_is_not_known_is_asked_for() -> None:
    """The first packet waits for ARP, untranslated."""
    network = untranslating(acquainted=False)
    frame = udp(network, network.alice, 7, SERVER)

    arrivals = [arrival for arrival in network.send("alice", frame) if IP in arrival.packet]

    assert passed(arrivals, frame, network.server)


STATIC = [f"tcp {EXTERNAL}:8080 10.0.0.1:80", f"udp {EXTERNAL}:8080 10.0.0.1:53"]


@pytest.mark.parametrize("filtering", ["eif", "adf", "edf"])
def test_an_inside_server_is_reached_by_its_static_mapping(filtering: str) -> None:
    """A connection from outside, with all its segments by the rules; and a datagram, with its answer."""
    network = Network(static_mappings=STATIC, filtering_type=filtering)
    for flags, way in (("S", "in"), ("SA", "out"), ("A", "in"), ("PA", "out"), ("FA", "in"), ("FA", "out")):
        if way == "in":
            (arrival,) = network.send("mirror", tcp(network, network.mirror, 7, f"{EXTERNAL}:8080", flags))
            assert (arrival.host, arrival.packet[TCP].dport) == ("alice", 80)
        else:
            (arrival,) = network.send("alice", tcp(network, network.alice, 80, MIRROR, flags))
            assert (arrival.host, arrival.packet[IP].src, arrival.packet[TCP].sport) == ("mirror", EXTERNAL, 8080)
    (arrival,) = network.send("server", udp(network, network.server, 7, f"{EXTERNAL}:8080"))
    assert (arrival.host, arrival.packet[UDP].dport) == ("alice", 53)
    (arrival,) = network.send("alice", udp(network, network.alice, 53, SERVER))
    assert (arrival.host, arrival.packet[UDP].sport) == ("server", 8080)

    assert network.router.packet_ins_known_mappings == 0
    assert network.router.nat.pool.usage(Protocol.TCP).allocated == 1


def test_a_static_mapping_outlives_the_switch_s_connection() -> None:
    """Rules are made anew for its sessions, and the mapping itself has none."""
    network = Network(static_mappings=STATIC)
    network.send("mirror", udp(network, network.mirror, 7, f"{EXTERNAL}:8080"))
    network.connect()

    assert network.send("mirror", udp(network, network.mirror, 7, f"{EXTERNAL}:8080"))
    assert network.send("server", udp(network, network.server, 7, f"{EXTERNAL}:8080"))


def test_an_error_about_a_session_of_a_static_mapping_passes() -> None:
    """RFC 5508 REQ-5: the inside server's host says that nobody listens."""
    network = Network(static_mappings=STATIC)
    (arrival,) = network.send("mirror", udp(network, network.mirror, 7, f"{EXTERNAL}:8080"))
    header = IP(src=network.alice.address, dst=network.mirror.address) / ICMP(type=3, code=3)
    error = Ether(dst=network.mac, src=network.alice.mac) / header / Raw(bytes(arrival.packet[IP]))

    (answer,) = network.send("alice", error)

    assert (answer.host, answer.packet[IP].src) == ("mirror", EXTERNAL)
