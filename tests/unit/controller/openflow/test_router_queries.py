"""ICMP queries of every kind, and packets of protocols that are not translated, on frames."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol
from controller.openflow.telemetry import gauges
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Host, Network, ip

QUERIES = {"echo": (8, 0), "timestamp": (13, 14), "address mask": (17, 18)}
"""Types of query and reply (RFC 792, RFC 950)."""
TIMES = bytes(12)

each_query = pytest.mark.parametrize(("query", "reply"), QUERIES.values(), ids=list(QUERIES))


def message(network: Network, sender: Host, to: str, kind: int, identifier: int) -> Layer:
    """Return an ICMP message with an identifier, as raw bytes: Scapy knows types of its own."""
    body = bytes([kind, 0, 0, 0]) + identifier.to_bytes(2, "big") + b"\0\1" + TIMES
    packet = ip(network, sender, to) / Raw(body)
    packet[IP].proto = 1
    return with_checksums(Ether(bytes(packet)), (ICMP,))


def identifier(packet: Layer) -> int:
    """Return the identifier of an ICMP message."""
    return int.from_bytes(bytes(packet[IP].payload)[4:6], "big")


@each_query
def test_a_query_goes_out_by_an_identifier_of_the_pool_and_its_reply_comes_back(query: int, reply: int) -> None:
    """RFC 5508 REQ-1: two hosts with the same identifier stay apart, by checksums that are right."""
    network = Network(ports=4)
    seen = {}
    for host in (network.alice, network.bob):
        (arrival,) = network.send(host.name, message(network, host, network.server.address, query, 7))
        assert arrival.host == "server"
        assert arrival.packet[IP].src == EXTERNAL
        assert bytes(with_checksums(arrival.packet, (IP, ICMP))) == bytes(arrival.packet)
        seen[host.name] = identifier(arrival.packet)
    assert len(set(seen.values())) == 2

    for name, number in seen.items():
        (answer,) = network.send("server", message(network, network.server, EXTERNAL, reply, number))
        assert answer.host == name
        assert identifier(answer.packet) == 7
        assert bytes(answer.packet[IP].payload)[0] == reply
        assert bytes(with_checksums(answer.packet, (IP, ICMP))) == bytes(answer.packet)


@each_query
def test_queries_from_outside_and_replies_from_inside_are_dropped(query: int, reply: int) -> None:
    """RFC 5508 REQ-1 is about queries of the inside; what the outside asks is for the NAT's own address."""
    network = Network()
    network.send("alice", message(network, network.alice, network.server.address, query, 7))

    assert network.send("server", message(network, network.server, EXTERNAL, query, 1024)) == []
    assert network.send("alice", message(network, network.alice, network.server.address, reply, 7)) == []
    assert network.router.nat.pool.usage(Protocol.ICMP).allocated == 1


@each_query
def test_an_error_about_a_query_reaches_who_asked(query: int, reply: int) -> None:
    """RFC 5508 REQ-4: the embedded query has its own identifier again."""
    network = Network()
    asked = message(network, network.alice, network.server.address, query, 7)
    (arrival,) = network.send("alice", asked)
    header = IP(src="203.0.113.77", dst=EXTERNAL) / ICMP(type=3, code=1)
    error = Ether(dst=network.mac, src=network.mirror.mac) / header / Raw(bytes(arrival.packet[IP]))

    (passed,) = network.send("mirror", error)

    embedded = IP(bytes(passed.packet[ICMP].payload))
    assert (embedded.src, bytes(embedded.payload)) == (network.alice.address, bytes(asked[IP].payload))


@pytest.mark.parametrize(
    "number", [2, 33, 47, 50, 51, 132, 136], ids=["IGMP", "DCCP", "GRE", "ESP", "AH", "SCTP", "UDP-Lite"]
)
def test_other_protocols_are_dropped_and_counted_and_take_no_port(number: int) -> None:
    """RFC 6888 REQ-1 allows it: they are not translated, and must not leave untranslated."""
    network = Network()
    out = ip(network, network.alice, network.server.address) / Raw(bytes(20))
    back = ip(network, network.server, EXTERNAL) / Raw(bytes(20))
    out[IP].proto = back[IP].proto = number

    assert network.send("alice", out) == []
    assert network.send("server", back) == []
    network.router.sum_up()
    assert gauges(network.router)["dropped_protocol_packets"] == 2
    assert len(network.router.nat) == 0


@pytest.mark.parametrize("kind", [15, 16, 40, 42], ids=["information", "its reply", "photuris", "extended echo"])
def test_other_icmp_is_dropped(kind: int) -> None:
    """RFC 5508 REQ-11 allows it, and REQ-10C asks for it of information requests."""
    network = Network()

    assert network.send("alice", message(network, network.alice, network.server.address, kind, 7)) == []
    assert len(network.router.nat) == 0
    assert gauges(network.router)["dropped_protocol_packets"] == 0


def test_what_is_translated_is_not_counted_as_another_protocol() -> None:
    """TCP and UDP, also without a mapping."""
    network = Network()
    for transport in (TCP(dport=1024, flags="A"), UDP(dport=1024)):
        network.send("server", ip(network, network.server, EXTERNAL) / transport)

    assert gauges(network.router)["dropped_protocol_packets"] == 0
