"""ICMP errors about translated packets, on frames: they reach whom they are for, and change nothing (RFC 5508)."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Host, Network, echo, tcp, udp

SERVER, MIRROR = "198.51.100.1:7", "203.0.113.1:7"
ROUTER = "203.0.113.77"
"""Somewhere on the way, with an address that no host here has ever sent to."""
INSIDE_ROUTER = "10.0.0.77"

MAKE = {"TCP": tcp, "UDP": udp}
KINDS = ["TCP", "UDP", "ICMP"]
PAIRS = [("eim", "eif"), ("adm", "edf"), ("edm", "eif"), ("edm", "edf")]


def sent(network: Network, kind: str, host: Host, port: int = 40000, to: str = SERVER) -> tuple[Layer, Layer]:
    """Let a host send, and return the packet as it wrote it, and as it arrived."""
    if kind == "ICMP":
        frame = echo(network, host, to.split(":")[0], port)
    else:
        frame = MAKE[kind](network, host, port, to, data=b"odd")
    (arrival,) = network.send(host.name, frame)
    return Ether(bytes(frame))[IP], arrival.packet[IP]


def answered(network: Network, kind: str, seen: Layer) -> tuple[Layer, Layer]:
    """Let the server answer, and return the answer as it wrote it, and as it arrived."""
    if kind == "ICMP":
        frame = echo(network, network.server, EXTERNAL, seen[ICMP].id, reply=True)
    else:
        frame = MAKE[kind](network, network.server, 7, f"{EXTERNAL}:{seen.payload.sport}", data=b"odd")
        if kind == "TCP":
            frame[TCP].flags = "SA"
    (arrival,) = network.send("server", frame)
    return Ether(bytes(frame))[IP], arrival.packet[IP]


def error(
    network: Network, host: Host, source: str, about: Layer, *, code: int = 1, embedded_bytes: int = 576
) -> list[Arrival]:
    """Let an ICMP error about a packet come from where a host is, and return what arrives."""
    header = IP(src=source, dst=about.src) / ICMP(type=3, code=code)
    frame = Ether(dst=network.mac, src=host.mac) / header / Raw(bytes(about)[:embedded_bytes])
    return [arrival for arrival in network.send(host.name, frame) if IP in arrival.packet]


def embedded(arrival: Arrival) -> Layer:
    """Return the packet in an error, whose own checksum is right."""
    packet = arrival.packet
    assert bytes(with_checksums(packet, (IP, ICMP))) == bytes(packet)
    return IP(bytes(packet[ICMP].payload))


def same_but_for_its_way(packet: Layer, original: Layer) -> bool:
    """Whether it is the packet that was written, one hop further."""
    expected = original.copy()
    expected.ttl -= 1
    del expected.chksum
    return bytes(packet) == bytes(expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("mapping", "filtering"), PAIRS)
def test_an_error_from_a_router_outside_reaches_the_sender_about_its_own_packet(
    kind: str, mapping: str, filtering: str
) -> None:
    """RFC 5508 REQ-4: whatever the filtering, since it is about a session that there is."""
    network = Network(ports=8, mapping_type=mapping, filtering_type=filtering)
    original, seen = sent(network, kind, network.alice)

    (arrival,) = error(network, network.mirror, ROUTER, seen, code=4)

    header = arrival.packet[IP]
    assert (arrival.host, header.src, header.dst, header.ttl) == ("alice", ROUTER, "10.0.0.1", 63)
    assert (header[ICMP].type, header[ICMP].code) == (3, 4)
    assert same_but_for_its_way(embedded(arrival), original)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("mapping", "filtering"), PAIRS)
def test_an_error_from_a_router_inside_leaves_as_if_from_the_external_address(
    kind: str, mapping: str, filtering: str
) -> None:
    """RFC 5508 REQ-5: the server knows its own packet again, and learns no inside address."""
    network = Network(ports=8, mapping_type=mapping, filtering_type=filtering, source_validation=False)
    _, seen = sent(network, kind, network.alice)
    original, received = answered(network, kind, seen)

    (arrival,) = error(network, network.bob, INSIDE_ROUTER, received)

    header = arrival.packet[IP]
    assert (arrival.host, header.src, header.dst) == ("server", EXTERNAL, "198.51.100.1")
    assert same_but_for_its_way(embedded(arrival), original)
    assert b"\x0a\x00" not in bytes(header)[12:20] + bytes(header[ICMP].payload)[12:20]


@pytest.mark.parametrize("kind", KINDS)
def test_a_neighbour_tells_nothing_in_another_s_name(kind: str) -> None:
    """With source validation an error from inside is of the host that got the packet, or of a router before it."""
    network = Network(ports=8)
    _, seen = sent(network, kind, network.alice)
    _, received = answered(network, kind, seen)

    assert error(network, network.bob, network.bob.address, received) == []
    (arrival,) = error(network, network.alice, network.alice.address, received)
    assert arrival.host == "server"


def test_a_router_behind_a_port_tells_of_its_own_hosts() -> None:
    """Networks that are routed by way of a host may have routers in between."""
    network = Network(ports=8, addresses_per_client=4)
    frame = udp(network, network.alice, 5, SERVER)
    frame[IP].src = "10.64.0.1"
    (arrival,) = network.send("alice", frame)
    answer = udp(network, network.server, 7, f"{EXTERNAL}:{arrival.packet[UDP].sport}")
    (received,) = network.send("server", answer)

    (told,) = error(network, network.alice, "10.64.0.2", received.packet[IP])
    assert (told.host, told.packet[IP].src) == ("server", EXTERNAL)


def test_a_neighbour_gives_up_for_nobody_else() -> None:
    """What a held packet waits for is its sender's to give up."""
    network = Network(ports=1, hold_down_timeout=0, on_exhaustion="hold", hold_timeout=50, udp_timeout=1)
    network.send("alice", udp(network, network.alice, 5, SERVER))
    assert network.send("bob", udp(network, network.bob, 5, SERVER)) == []
    answer = IP(src="198.51.100.1", dst=network.bob.address) / UDP(sport=7, dport=5) / Raw(b"x")

    error(network, network.alice, network.alice.address, answer)

    arrivals = [each for _ in range(12) for each in network.tick(0.5) if UDP in each.packet]
    assert [each.host for each in arrivals] == ["server"]


@pytest.mark.parametrize("kind", KINDS)
def test_eight_bytes_of_the_embedded_transport_are_enough(kind: str) -> None:
    """RFC 792 asks for no more, and many routers give no more."""
    network = Network(ports=8)
    original, seen = sent(network, kind, network.alice)

    (arrival,) = error(network, network.server, ROUTER, seen, embedded_bytes=28)

    quoted = bytes(arrival.packet[ICMP].payload)
    assert arrival.host == "alice"
    assert quoted[12:24] == bytes(original)[12:24]


@pytest.mark.parametrize("overlapping", ["off", "endpoint"])
def test_each_error_finds_its_own_session(overlapping: str) -> None:
    """It does where mappings depend on the destination, and even where two of them share a port."""
    network = Network(
        ports=8 if overlapping == "off" else 1,
        mapping_type="edm",
        filtering_type="edf",
        port_overlapping=overlapping,
    )
    sessions = [
        (host, *sent(network, "UDP", host, 40000, to))
        for host, to in ((network.alice, SERVER), (network.bob, MIRROR), (network.bob, "203.0.113.1:8"))
    ]

    for host, original, seen in sessions:
        (arrival,) = error(network, network.server, ROUTER, seen)
        assert arrival.host == host.name
        assert same_but_for_its_way(embedded(arrival), original)


@pytest.mark.parametrize("filtering", ["adf", "edf"])
def test_an_error_about_no_session_goes_nowhere(filtering: str) -> None:
    """RFC 5508 REQ-4a, REQ-5a: a free port has no session, and neither has a peer that was never sent to."""
    network = Network(ports=8, filtering_type=filtering, source_validation=False)
    original, seen = sent(network, "UDP", network.alice)
    unused, stranger = seen.copy(), seen.copy()
    unused[UDP].sport = 1024 if seen[UDP].sport != 1024 else 1025
    stranger.dst = "203.0.113.1"
    inward = IP(src="203.0.113.1", dst="10.0.0.1") / UDP(sport=7, dport=40000)

    assert error(network, network.server, ROUTER, unused) == []
    assert error(network, network.server, ROUTER, stranger) == []
    assert error(network, network.bob, INSIDE_ROUTER, inward) == []
    assert error(network, network.server, ROUTER, original) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", ["outside", "inside"])
def test_errors_keep_no_session_alive(kind: str, side: str) -> None:
    """RFC 5508 section 4.2: no number of errors refreshes a session."""
    timers = {"udp_timeout": 8, "icmp_timeout": 8, "tcp_trans_open_timeout": 8, "tcp_idle_timeout": 8}
    network = Network(ports=8, **timers, tcp_rst_timeout=1, source_validation=False)
    _, seen = sent(network, kind, network.alice)
    _, received = answered(network, kind, seen)

    for _ in range(40):
        network.tick(0.5)
        if side == "outside":
            error(network, network.mirror, ROUTER, seen)
        else:
            error(network, network.bob, INSIDE_ROUTER, received)

    assert len(network.router.nat) == 0
    assert network.mapping_rules() == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [1, 3])
def test_errors_end_no_session(kind: str, code: int) -> None:
    """RFC 5382 REQ-9, RFC 4787 REQ-12: even "port unreachable" ends none."""
    network = Network(ports=8, tcp_rst_timeout=1, tcp_trans_close_timeout=1)
    _, seen = sent(network, kind, network.alice)

    error(network, network.server, "198.51.100.1", seen, code=code)
    for _ in range(20):
        network.tick(0.25)

    assert answered(network, kind, seen)[1].dst == "10.0.0.1"


def test_errors_make_no_mapping_and_are_no_sign_of_a_missing_rule() -> None:
    """Errors always pass by the controller."""
    network = Network(ports=8)
    _, seen = sent(network, "UDP", network.alice)

    error(network, network.server, ROUTER, seen)

    assert network.router.packet_ins_known_mappings == 0
    assert {p.name: network.router.nat.counters[p].port_mapping_creations for p in Protocol} == {
        "ICMP": 0,
        "TCP": 0,
        "UDP": 1,
    }
