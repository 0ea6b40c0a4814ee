"""A NAT in a switch: what leaves, what comes back, and what the controller sees of it."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol
from controller.openflow.rules import Table
from tests.support.core import connections
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Host, Network, echo, ip, tcp, udp

SERVER, MIRROR = "198.51.100.1:7", "203.0.113.1:7"
POOL = range(1024, 1024 + 64)


@pytest.fixture
def network() -> Network:
    """Alice and bob, server and mirror, and a pool of 64 ports."""
    return Network(ports=64)


def connect(network: Network, host: Host, port: int, to: str = SERVER) -> int:
    """Let a host send a SYN, and return the external port with which it arrives."""
    (arrival,) = network.send(host.name, tcp(network, host, port, to))
    external: int = arrival.packet[TCP].sport
    return external


def endpoints(arrival: Arrival) -> tuple[str, str, int, str, int]:
    """Return to which host a packet came, and its source and destination."""
    header = arrival.packet[IP]
    return arrival.host, header.src, header.payload.sport, header.dst, header.payload.dport


# Outbound


@pytest.mark.parametrize("make", [tcp, udp])
def test_an_outbound_packet_leaves_translated(network: Network, make: type[tcp]) -> None:
    """It has an endpoint of the pool, a lower TTL, the MAC addresses of the next link and right checksums."""
    (arrival,) = network.send("alice", make(network, network.alice, 40000, SERVER, data=b"odd"))

    packet = arrival.packet
    assert arrival.host == "server"
    assert (packet.src, packet.dst) == (network.mac, network.server.mac)
    assert (packet[IP].src, packet[IP].dst, packet[IP].ttl) == (EXTERNAL, "198.51.100.1", 63)
    assert packet[IP].payload.sport in POOL
    assert packet[IP].payload.dport == 7
    assert bytes(packet[Raw]) == b"odd"
    assert bytes(with_checksums(packet)) == bytes(packet)


def test_the_first_packet_leaves_exactly_once(network: Network) -> None:
    """It takes one packet-in, and the copy that comes back into the switch is the only one that goes on."""
    arrivals = network.send("alice", tcp(network, network.alice, 40000, SERVER))

    assert [a.host for a in arrivals] == ["server"]
    assert [p.table for p in network.packet_ins if p.table is not Table.CLASSIFY] == [Table.OUTBOUND]


def test_established_traffic_never_meets_the_controller(network: Network) -> None:
    """The rules of the mapping translate it, in both directions."""
    external = connect(network, network.alice, 40000)
    seen = len(network.packet_ins)

    back = network.send("server", tcp(network, network.server, 7, f"{EXTERNAL}:{external}", "SA"))
    onward = network.send("alice", tcp(network, network.alice, 40000, SERVER, "PA", b"data"))

    assert [a.host for a in back + onward] == ["alice", "server"]
    assert len(network.packet_ins) == seen


def test_a_second_connection_of_an_endpoint_keeps_its_mapping(network: Network) -> None:
    """RFC 4787 REQ-1, on the wire: the same external port toward another server."""
    assert connect(network, network.alice, 40000, MIRROR) == connect(network, network.alice, 40000, SERVER)


def test_equal_ports_of_two_hosts_leave_with_two_ports(network: Network) -> None:
    """RFC 4787 REQ-3: never one external endpoint for both."""
    assert connect(network, network.alice, 40000) != connect(network, network.bob, 40000)


# Inbound


@pytest.mark.parametrize("make", [tcp, udp])
def test_the_reply_comes_back_to_the_right_host(network: Network, make: type[tcp]) -> None:
    """It goes to the host and port that asked, and comes from the server's own address."""
    ports = {}
    for host in (network.alice, network.bob):
        (out,) = network.send(host.name, make(network, host, 40000, SERVER))
        ports[host.name] = out.packet[IP].payload.sport

    for host in (network.bob, network.alice):
        (arrival,) = network.send("server", make(network, network.server, 7, f"{EXTERNAL}:{ports[host.name]}"))
        assert endpoints(arrival) == (host.name, "198.51.100.1", 7, host.address, 40000)
        assert (arrival.packet.src, arrival.packet.dst) == (network.mac, host.mac)
        assert arrival.packet[IP].ttl == 63
        assert bytes(with_checksums(arrival.packet)) == bytes(arrival.packet)


@pytest.mark.parametrize("make", [tcp, udp])
def test_any_outside_host_may_answer(network: Network, make: type[tcp]) -> None:
    """RFC 4787 REQ-8, RFC 5382 REQ-3: endpoint-independent filtering."""
    (out,) = network.send("alice", make(network, network.alice, 40000, SERVER))
    external = out.packet[IP].payload.sport

    (arrival,) = network.send("mirror", make(network, network.mirror, 999, f"{EXTERNAL}:{external}"))

    assert endpoints(arrival) == ("alice", "203.0.113.1", 999, "10.0.0.1", 40000)


@pytest.mark.parametrize("to", ["192.0.2.1:1024", "192.0.2.1:80", "10.0.0.1:40000", "10.0.255.254:80"])
@pytest.mark.parametrize("flags", ["S", "SA", "A", "FA", "R", "udp"])
def test_what_nobody_asked_for_is_dropped(to: str, flags: str) -> None:
    """A packet without a mapping is dropped, and so is one straight to an inside address."""
    network = Network(ports=64)
    frame = udp(network, network.server, 7, to) if flags == "udp" else tcp(network, network.server, 7, to, flags)

    assert network.send("server", frame) == []
    assert len(network.router.nat) == 0


def test_an_inside_address_is_no_way_in_even_with_a_mapping(network: Network) -> None:
    """Outside hosts reach an inside one only by its external endpoint."""
    connect(network, network.alice, 40000)

    assert network.send("server", tcp(network, network.server, 7, "10.0.0.1:40000", "A")) == []


# The ends of connections


@pytest.mark.parametrize("flags", ["F", "FA", "FPA", "R", "RA"])
@pytest.mark.parametrize("sender", ["alice", "server"])
def test_a_fin_or_rst_is_forwarded_and_copied_to_the_controller_once(
    network: Network, sender: str, flags: str
) -> None:
    """RFC 7857 section 2.2a forwards the RST; the copy is how the NAT learns that a connection ends."""
    external = connect(network, network.alice, 40000)
    seen = len(network.packet_ins)
    frame = (
        tcp(network, network.alice, 40000, SERVER, flags)
        if sender == "alice"
        else tcp(network, network.server, 7, f"{EXTERNAL}:{external}", flags)
    )

    arrivals = network.send(sender, frame)

    assert [(a.host, a.packet[TCP].flags) for a in arrivals] == [
        ("server" if sender == "alice" else "alice", flags)
    ]
    assert [p.table for p in network.packet_ins[seen:]] == [Table.CLASSIFY]


def test_after_both_fins_the_rules_go_and_the_port_comes_back() -> None:
    """RFC 5382 REQ-5, on the wire: what comes after the close timer finds nothing."""
    network = Network(ports=1, tcp_trans_close_timeout=2, hold_down_timeout=0)
    external = connect(network, network.alice, 40000)
    answer = tcp(network, network.server, 7, f"{EXTERNAL}:{external}", "SA")
    network.send("server", answer)
    network.send("alice", tcp(network, network.alice, 40000, SERVER, "FA"))
    network.send("server", tcp(network, network.server, 7, f"{EXTERNAL}:{external}", "FA"))

    network.tick(1.9)
    assert [a.host for a in network.send("server", answer)] == ["alice"]

    network.tick(0.1)
    assert network.mapping_rules() == set()
    assert network.send("server", answer) == []
    network.tick(0.5)
    assert connect(network, network.bob, 40000) == external


@pytest.mark.parametrize("sender", ["alice", "server"])
def test_a_syn_through_a_known_mapping_reaches_the_controller_once(network: Network, sender: str) -> None:
    """The controller sees each connection open, whichever side opens it; the receiver gets one SYN."""
    external = connect(network, network.alice, 40000)
    seen = len(network.packet_ins)
    frame = (
        tcp(network, network.alice, 40000, MIRROR)
        if sender == "alice"
        else tcp(network, network.server, 9, f"{EXTERNAL}:{external}")
    )

    arrivals = network.send(sender, frame)

    assert [a.host for a in arrivals] == ["mirror" if sender == "alice" else "alice"]
    assert len(network.packet_ins) == seen + 1
    mapping = network.mapping(Protocol.TCP, network.alice, 40000)
    assert mapping is not None
    assert len(connections(mapping)) == 2
    assert network.router.packet_ins_known_mappings == 0


def test_a_packet_in_of_a_known_mapping_allocates_nothing_and_is_counted(network: Network) -> None:
    """Such a packet-in shows that a rule is missing although its mapping lives."""
    network.send("alice", udp(network, network.alice, 40000, SERVER))
    for rule in network.mapping_rules():
        network.table.remove(rule)

    network.send("alice", udp(network, network.alice, 40000, SERVER))

    assert network.router.packet_ins_known_mappings == 1
    assert network.router.nat.counters[Protocol.UDP].port_mapping_creations == 1


def test_a_packet_that_was_injected_does_not_come_back(network: Network) -> None:
    """A FIN is copied once, decided on once where its rule is missing, and then it is dropped."""
    connect(network, network.alice, 40000)
    for rule in network.mapping_rules():
        network.table.remove(rule)
    seen = len(network.packet_ins)

    assert network.send("alice", tcp(network, network.alice, 40000, SERVER, "FA")) == []

    assert [p.table for p in network.packet_ins[seen:]] == [Table.CLASSIFY, Table.OUTBOUND]


# ICMP


def test_an_echo_request_leaves_with_an_identifier_of_the_pool(network: Network) -> None:
    """RFC 5508 REQ-1: the controller translates it; odd lengths have right checksums, too."""
    (arrival,) = network.send("alice", echo(network, network.alice, "198.51.100.1", 77))

    packet = arrival.packet
    assert arrival.host == "server"
    assert (packet[IP].src, packet[IP].ttl, packet[ICMP].type, packet[ICMP].seq) == (EXTERNAL, 63, 8, 1)
    assert packet[ICMP].id in POOL
    assert bytes(packet[Raw]) == b"odd"
    assert bytes(with_checksums(packet)) == bytes(packet)


def test_the_echo_reply_comes_back_to_the_host_that_asked(network: Network) -> None:
    """RFC 5508 REQ-1a: equal identifiers of two hosts are told apart outside, and are their own again inside."""
    identifiers = {}
    for host in (network.alice, network.bob):
        (out,) = network.send(host.name, echo(network, host, "198.51.100.1", 77))
        identifiers[host.name] = out.packet[ICMP].id
    assert len(set(identifiers.values())) == 2

    for host in (network.bob, network.alice):
        reply = echo(network, network.server, EXTERNAL, identifiers[host.name], reply=True)
        (arrival,) = network.send("server", reply)
        assert (arrival.host, arrival.packet[IP].dst, arrival.packet[ICMP].id) == (host.name, host.address, 77)
        assert bytes(with_checksums(arrival.packet)) == bytes(arrival.packet)


@pytest.mark.parametrize("reply", [False, True], ids=["request", "reply"])
def test_an_echo_from_outside_that_nobody_asked_for_is_dropped(network: Network, reply: bool) -> None:
    """An external address is no host."""
    assert network.send("server", echo(network, network.server, EXTERNAL, 1024, reply=reply)) == []


def test_an_echo_reply_from_inside_opens_no_mapping(network: Network) -> None:
    """RFC 5508 REQ-1: a mapping is made for a query."""
    assert network.send("alice", echo(network, network.alice, "198.51.100.1", 77, reply=True)) == []
    assert len(network.router.nat) == 0


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("alice", "10.0.255.254"),
        ("alice", "198.51.100.254"),
        ("server", "198.51.100.254"),
        ("mirror", "203.0.113.254"),
    ],
)
def test_the_gateway_answers_a_ping_to_its_own_address(network: Network, name: str, address: str) -> None:
    """RFC 1122 section 3.2.2.6: any host does."""
    host = network.hosts[name]

    (arrival,) = network.send(name, echo(network, host, address, 77))

    packet = arrival.packet
    assert arrival.host == name
    assert (packet.src, packet.dst, packet[IP].src, packet[IP].dst) == (
        network.mac,
        host.mac,
        address,
        host.address,
    )
    assert (packet[ICMP].type, packet[ICMP].id, packet[ICMP].seq, bytes(packet[Raw])) == (0, 77, 1, b"odd")
    assert bytes(with_checksums(packet)) == bytes(packet)
    assert len(network.router.nat) == 0


# What is not translated


def test_lan_traffic_between_inside_hosts_is_switched_and_not_touched(network: Network) -> None:
    """The gateway is the LAN's switch as well; the frame arrives as it was sent, and at its host alone."""
    frame = Ether(dst=network.bob.mac, src=network.alice.mac) / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="S")

    (arrival,) = network.send("alice", frame)

    assert arrival.host == "bob"
    assert bytes(arrival.packet) == bytes(frame)
    assert len(network.router.nat) == 0


@pytest.mark.parametrize("address", ["10.0.255.254", "198.51.100.254", "203.0.113.254"])
def test_what_is_for_the_gateway_itself_is_not_translated(network: Network, address: str) -> None:
    """No rule of a mapping translates it, and the gateway itself answers that no server is there."""
    network.send("alice", udp(network, network.alice, 40000, SERVER))

    (arrival,) = network.send("alice", udp(network, network.alice, 40000, f"{address}:7"))

    header = arrival.packet[IP]
    assert (arrival.host, header.src, header[ICMP].type, header[ICMP].code) == ("alice", address, 3, 3)


def gre(network: Network) -> Layer:
    """Return a packet of a protocol without ports."""
    return ip(network, network.alice, "198.51.100.1", proto=47) / Raw(bytes(8))


def spoofed(network: Network) -> Layer:
    """Return a SYN from an address that is not of the LAN."""
    return (
        Ether(dst=network.mac, src=network.alice.mac) / IP(src="198.51.100.2", dst="198.51.100.1") / TCP(flags="S")
    )


def fragment(network: Network) -> Layer:
    """Return the first fragment of a datagram."""
    return ip(network, network.alice, "198.51.100.1", flags="MF") / UDP(sport=40000, dport=7) / Raw(bytes(8))


def icmp_error(network: Network) -> Layer:
    """Return an ICMP message that is no query."""
    return ip(network, network.alice, "198.51.100.1") / ICMP(type=3, code=3) / Raw(bytes(28))


def not_a_syn(network: Network) -> Layer:
    """Return a segment of a connection that the NAT has not seen open."""
    return tcp(network, network.alice, 40000, SERVER, "A")


@pytest.mark.parametrize("make", [gre, spoofed, fragment, icmp_error, not_a_syn])
def test_what_cannot_be_translated_does_not_leave(network: Network, make: type[gre]) -> None:
    """It is dropped, and no port is taken for it."""
    assert network.send("alice", make(network)) == []
    assert len(network.router.nat) == 0


# Two mappings with one peer


def test_the_end_of_a_session_that_only_comes_in_leaves_the_peers_own_session_alone() -> None:
    """Mappings by endpoint, filters by address: a peer may come in by one mapping, and be sent to by another."""
    network = Network(ports=8, mapping_type="edm", filtering_type="adf", udp_timeout=8)
    first, second = (
        network.send("alice", udp(network, network.alice, 40000, to))[0].packet[UDP].sport
        for to in ("198.51.100.1:7", "198.51.100.1:8")
    )
    by_the_first = udp(network, network.server, 8, f"{EXTERNAL}:{first}")
    assert [a.host for a in network.send("server", by_the_first)] == ["alice"]

    for _ in range(80):
        network.tick(0.25)
        (out,) = network.send("alice", udp(network, network.alice, 40000, "198.51.100.1:8"))
        assert out.packet[UDP].sport == second

    assert network.send("server", by_the_first) == []
    assert len(network.mapping_rules()) == 2
    assert network.router.nat.counters[Protocol.UDP].port_mapping_creations == 2


# By its address


def test_more_external_addresses_are_used_by_subscriber() -> None:
    """RFC 4787 REQ-2 on the wire: alice and bob leave with different addresses, each always with its own."""
    network = Network(ports=64, external_addresses=2)
    sources = {
        host.name: {
            network.send(host.name, udp(network, host, port, SERVER))[0].packet[IP].src for port in (1, 2, 3)
        }
        for host in (network.alice, network.bob)
    }

    assert sorted(len(used) for used in sources.values()) == [1, 1]
    assert sources["alice"] | sources["bob"] == {"192.0.2.1", "192.0.2.2"}


def test_new_connections_come_in_by_every_external_address() -> None:
    """RFC 5382 REQ-3: a SYN to any of them reaches the controller."""
    network = Network(ports=64, external_addresses=2)
    for host in (network.alice, network.bob):
        (out,) = network.send(host.name, tcp(network, host, 40000, SERVER))
        header, seen = out.packet[IP], len(network.packet_ins)

        (arrival,) = network.send(
            "mirror", tcp(network, network.mirror, 9, f"{header.src}:{header.payload.sport}")
        )

        assert endpoints(arrival) == (host.name, "203.0.113.1", 9, host.address, 40000)
        assert [p.table for p in network.packet_ins[seen:]] == [Table.INBOUND]
