"""SYNs that come from outside unasked, and two hosts that open a connection to each other at once, on frames."""

from __future__ import annotations

import ipaddress

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether

from controller.nat.model import Endpoint, Protocol
from controller.nat.unsolicited import MOST
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Network, tcp, udp

SERVER, MIRROR = "198.51.100.1:7", "203.0.113.1:7"


def external(network: Network, port: int = 40000) -> str:
    """Return alice's external endpoint for a port."""
    mapping = network.mapping(Protocol.TCP, network.alice, port)
    assert mapping is not None
    return str(mapping.external)


def wait(network: Network, seconds: float) -> list[Arrival]:
    """Let time pass in steps, and return the packets that arrive anywhere meanwhile."""
    arrivals = [arrival for _ in range(round(seconds / 0.5)) for arrival in network.tick(0.5)]
    return [arrival for arrival in arrivals if IP in arrival.packet]


@pytest.mark.parametrize("filtering", ["eif", "edf"])
def test_an_unsolicited_syn_is_answered_after_six_seconds(filtering: str) -> None:
    """RFC 5382 REQ-4: not earlier, then once, by port unreachable with the SYN in it."""
    network = Network(filtering_type=filtering)
    syn = tcp(network, network.server, 7, f"{EXTERNAL}:1024")

    assert network.send("server", syn) == []
    assert wait(network, 5.5) == []
    (answer,) = wait(network, 0.5)
    assert wait(network, 60.0) == []

    packet = answer.packet
    assert answer.host == "server"
    assert (packet[IP].src, packet[IP].dst) == (EXTERNAL, network.server.address)
    assert (packet[ICMP].type, packet[ICMP].code) == (3, 3)
    assert bytes(with_checksums(packet, (IP, ICMP))) == bytes(packet)
    assert bytes(IP(bytes(packet[ICMP].payload))) == bytes(Ether(bytes(syn))[IP])
    assert network.router.nat.counters[Protocol.TCP].icmp_sent == 1


def test_a_filtered_syn_is_answered_as_well() -> None:
    """RFC 5382 REQ-4: a mapping is there, and does not let the sender in."""
    network = Network(filtering_type="edf")
    network.send("alice", tcp(network, network.alice, 40000, SERVER))
    network.send("mirror", tcp(network, network.mirror, 7, external(network)))

    (answer,) = wait(network, 6.0)

    assert answer.host == "mirror"
    assert answer.packet[ICMP].code == 3


def test_a_syn_that_is_sent_again_starts_no_time_of_its_own() -> None:
    """Linux sends it after 1 and 3 s again; one answer is due, 6 s after the first."""
    network = Network()
    syn = tcp(network, network.server, 7, f"{EXTERNAL}:1024")
    for seconds in (0.0, 1.0, 2.0):
        assert wait(network, seconds) == []
        network.send("server", syn)

    assert len(wait(network, 3.0)) == 1
    assert wait(network, 20.0) == []


@pytest.mark.parametrize("flags", ["A", "SA", "R", "F"])
def test_no_other_segment_is_answered(flags: str) -> None:
    """RFC 5382 REQ-4 is about SYNs alone."""
    network = Network()
    network.send("server", tcp(network, network.server, 7, f"{EXTERNAL}:1024", flags))

    assert wait(network, 10.0) == []


def test_a_damaged_syn_is_not_answered() -> None:
    """Its sender may be another host than it seems (RFC 1812 section 5.2.2)."""
    network = Network()
    syn = tcp(network, network.server, 7, f"{EXTERNAL}:1024")
    syn[IP].chksum = 1
    network.send("server", syn)

    assert wait(network, 10.0) == []


def test_a_policy_may_forbid_the_answer() -> None:
    """RFC 5382 REQ-4A: `tcp_in_syn_timeout` null."""
    network = Network(tcp_in_syn_timeout=None)
    network.send("server", tcp(network, network.server, 7, f"{EXTERNAL}:1024"))

    assert wait(network, 30.0) == []


def test_answers_are_limited_in_number_and_rate() -> None:
    """A flood of SYNs is remembered up to a bound, and whatever the ICMP rate lets through is answered."""
    network = Network(icmp_rate=10)
    server = int(ipaddress.IPv4Address(network.server.address))
    for number in range(MOST + 5):
        network.send("server", tcp(network, network.server, 1 + number, f"{EXTERNAL}:1024"))
    remembered = network.router._unsolicited.remembered
    assert len(remembered) == MOST
    assert (Endpoint.parse(f"{EXTERNAL}:1024"), Endpoint(server, MOST + 1)) not in remembered

    assert len(wait(network, 6.0)) == 10
    assert len(remembered) == 0


@pytest.mark.parametrize(
    ("mapping", "filtering"), [("eim", "eif"), ("eim", "edf"), ("eim", "adf"), ("edm", "edf")]
)
def test_both_sides_may_open_at_once(mapping: str, filtering: str) -> None:
    """RFC 5382 REQ-2A: SYN out, SYN in, SYN/ACK both ways, then data."""
    network = Network(mapping_type=mapping, filtering_type=filtering)

    def passes(sender: str, flags: str) -> bool:
        host = network.hosts[sender]
        if sender == "alice":
            arrivals = network.send("alice", tcp(network, host, 40000, SERVER, flags))
        else:
            arrivals = network.send("server", tcp(network, host, 7, external(network), flags))
        return [(a.packet[TCP].flags, a.host) for a in arrivals] == [
            (flags, "server" if sender == "alice" else "alice")
        ]

    segments = [
        ("alice", "S"),
        ("server", "S"),
        ("alice", "SA"),
        ("server", "SA"),
        ("alice", "PA"),
        ("server", "PA"),
    ]

    assert [passes(*segment) for segment in segments] == [True] * len(segments)


def test_the_peers_syn_may_come_first() -> None:
    """RFC 5382 REQ-4: it is dropped without a word, the inside's SYN goes out, and the peer's next one passes."""
    network = Network(filtering_type="edf")
    network.send("alice", tcp(network, network.alice, 40000, SERVER))
    peers = tcp(network, network.mirror, 7, external(network))
    assert network.send("mirror", peers) == []
    assert wait(network, 3.0) == []

    (out,) = network.send("alice", tcp(network, network.alice, 40000, MIRROR))
    assert out.host == "mirror"
    (passed,) = network.send("mirror", peers)
    assert passed.host == "alice"
    assert wait(network, 30.0) == []
    assert network.router.nat.counters[Protocol.TCP].icmp_sent == 0


def test_a_syn_between_two_inside_hosts_is_answered_as_any_other() -> None:
    """By the external endpoint that it was sent to, about the segment as alice has sent it."""
    network = Network(filtering_type="edf")
    network.send("bob", tcp(network, network.bob, 50000, SERVER))
    mapping = network.mapping(Protocol.TCP, network.bob, 50000)
    assert mapping is not None
    syn = Ether(bytes(tcp(network, network.alice, 40000, str(mapping.external))))

    assert network.send("alice", syn) == []
    (answer,) = wait(network, 6.0)

    packet = answer.packet
    assert (answer.host, packet[IP].src, packet[IP].dst) == ("alice", EXTERNAL, network.alice.address)
    assert (packet[ICMP].type, packet[ICMP].code) == (3, 3)
    assert bytes(with_checksums(packet, (IP, ICMP))) == bytes(packet)
    quoted, sent = IP(bytes(packet[ICMP].payload)), syn[IP]
    assert (quoted.src, quoted.dst, quoted[TCP].sport) == (sent.src, sent.dst, 40000)


def test_a_flow_of_another_protocol_forgets_no_syn() -> None:
    """Alice's datagram to the server leaves from the endpoint that the server's SYN was sent to."""
    network = Network(filtering_type="edf", port_allocation_type="preserving")
    network.send("server", tcp(network, network.server, 7, f"{EXTERNAL}:40000"))
    network.send("alice", udp(network, network.alice, 40000, SERVER))

    (answer,) = [arrival for arrival in wait(network, 6.0) if ICMP in arrival.packet]

    assert answer.host == "server"
