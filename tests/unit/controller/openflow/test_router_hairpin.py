"""Inside hosts that reach each other by their external endpoints.

RFC 4787 REQ-9, RFC 5382 REQ-8 and RFC 5508 REQ-7.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet import IPerror as Quoted
from scapy.layers.inet import UDPerror as QuotedUdp
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol
from controller.nat.tcp import TcpState
from controller.openflow.rules import Table
from tests.support.core import connections
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Host, Network, echo, tcp, udp
from tests.support.packets import in_fragments, put_together
from topologies.multi_address import MultiAddress

SERVER, ALICE, BOB = "198.51.100.1:7", 40000, 50000
DATA = random.Random(1).randbytes(2000)
MAKERS: dict[Protocol, Callable[..., Layer]] = {Protocol.TCP: tcp, Protocol.UDP: udp}
PROTOCOLS = pytest.mark.parametrize("protocol", MAKERS, ids=lambda protocol: protocol.name)


@pytest.fixture
def network() -> Network:
    """Alice and bob, server and mirror, and a pool of 64 ports."""
    return Network(ports=64)


def opened(network: Network, protocol: Protocol, host: Host, port: int, to: str = SERVER) -> str:
    """Let a host make a mapping, and return its external endpoint."""
    network.send(host.name, MAKERS[protocol](network, host, port, to))
    return external(network, protocol, host, port)


def external(network: Network, protocol: Protocol, host: Host, port: int) -> str:
    """Return the external endpoint of a host's mapping."""
    mapping = network.mapping(protocol, host, port)
    assert mapping is not None
    return str(mapping.external)


def ends(arrival: Arrival) -> tuple[str, str, str]:
    """Return where a packet came, its source and its destination, if it is as it should be."""
    header = arrival.packet[IP]
    assert header.ttl == 63
    assert bytes(with_checksums(arrival.packet)) == bytes(arrival.packet)
    transport = header.payload
    return arrival.host, f"{header.src}:{transport.sport}", f"{header.dst}:{transport.dport}"


# To each other


@PROTOCOLS
def test_a_host_reaches_another_by_its_external_endpoint(network: Network, protocol: Protocol) -> None:
    """REQ-9A: with the external source, to which it can answer. Each of both has one port."""
    make = MAKERS[protocol]
    bob = opened(network, protocol, network.bob, BOB)

    (came,) = network.send("alice", make(network, network.alice, ALICE, bob))
    alice = external(network, protocol, network.alice, ALICE)
    answer = make(network, network.bob, BOB, alice, **({"flags": "SA"} if protocol is Protocol.TCP else {}))
    (answered,) = network.send("bob", answer)

    assert ends(came) == ("bob", alice, f"10.0.0.2:{BOB}")
    assert ends(answered) == ("alice", bob, f"10.0.0.1:{ALICE}")
    assert len(network.router.nat) == 2


@PROTOCOLS
def test_the_next_packets_pass_by_rules(network: Network, protocol: Protocol) -> None:
    """The switch does it alone, in both directions."""
    make = MAKERS[protocol]
    bob = opened(network, protocol, network.bob, BOB)
    network.send("alice", make(network, network.alice, ALICE, bob))
    alice = external(network, protocol, network.alice, ALICE)
    flags = {"flags": "A"} if protocol is Protocol.TCP else {}
    network.send("bob", make(network, network.bob, BOB, alice, **flags))
    seen = len(network.packet_ins)

    for _ in range(3):
        assert len(network.send("alice", make(network, network.alice, ALICE, bob, **flags))) == 1
        assert len(network.send("bob", make(network, network.bob, BOB, alice, **flags))) == 1

    assert len(network.packet_ins) == seen


def test_a_host_reaches_itself(network: Network) -> None:
    """A program may not know that the endpoint is its own host's."""
    alice = opened(network, Protocol.UDP, network.alice, ALICE)

    (came,) = network.send("alice", udp(network, network.alice, ALICE, alice))

    assert ends(came) == ("alice", alice, f"10.0.0.1:{ALICE}")


@pytest.mark.parametrize("topology", [None, MultiAddress])
def test_addresses_of_one_pool_reach_each_other(topology: type[MultiAddress] | None) -> None:
    """Also where they are on a link to a router: the packet does not go there."""
    network = Network(
        ports=8,
        external_addresses=2,
        address_allocation_type="roundrobin",
        **({"topology": topology} if topology else {}),
    )
    addresses = {opened(network, Protocol.UDP, network.bob, BOB + each) for each in range(4)}
    assert {each.split(":")[0] for each in addresses} == {"192.0.2.1", "192.0.2.2"}

    for bob in addresses:
        arrivals = network.send("alice", udp(network, network.alice, ALICE, bob))
        (came,) = [each for each in arrivals if IP in each.packet]
        assert ends(came)[:2] == ("bob", external(network, Protocol.UDP, network.alice, ALICE))


def test_hosts_with_many_addresses_reach_each_other() -> None:
    """Subscribers that are not on the link (RFC 6888 REQ-1)."""
    network = Network(ports=8, addresses_per_client=4)
    frames = [udp(network, host, port, SERVER) for host, port in ((network.alice, ALICE), (network.bob, BOB))]
    for frame, source in zip(frames, ("10.64.0.1", "10.64.0.5"), strict=True):
        frame[IP].src = source
        network.send("alice" if source == "10.64.0.1" else "bob", frame)
    bob = next(str(each.external) for each in network.router.nat.mappings() if each.internal.port == BOB)
    frames[0][IP].dst, frames[0][UDP].dport = bob.split(":")[0], int(bob.split(":")[1])

    (came,) = network.send("alice", frames[0])

    assert (came.host, came.packet[IP].dst, came.packet[IP].src) == ("bob", "10.64.0.5", EXTERNAL)


# Connections


def test_a_connection_between_two_inside_hosts_opens_and_closes(network: Network) -> None:
    """It is followed in both mappings, and both ports come back."""
    bob = opened(network, Protocol.TCP, network.bob, BOB)
    network.send("alice", tcp(network, network.alice, ALICE, bob))
    alice = external(network, Protocol.TCP, network.alice, ALICE)
    for host, flags in (("bob", "SA"), ("alice", "A"), ("alice", "FA"), ("bob", "FA"), ("alice", "A")):
        sender, port, to = (network.alice, ALICE, bob) if host == "alice" else (network.bob, BOB, alice)
        assert len(network.send(host, tcp(network, sender, port, to, flags))) == 1
    network.send("server", tcp(network, network.server, 7, bob, "SA"))
    network.send("bob", tcp(network, network.bob, BOB, SERVER, "FA"))
    network.send("server", tcp(network, network.server, 7, bob, "FA"))

    network.tick(240)

    assert len(network.router.nat) == 0


@pytest.mark.parametrize("ends_by", ["FA", "RA"])
def test_each_end_of_a_connection_is_seen_twice(network: Network, ends_by: str) -> None:
    """Once as the outbound segment of one mapping, once as the inbound one of the other."""
    bob = opened(network, Protocol.TCP, network.bob, BOB)
    network.send("alice", tcp(network, network.alice, ALICE, bob))
    mappings = [network.mapping(Protocol.TCP, *each) for each in ((network.alice, ALICE), (network.bob, BOB))]
    alice = external(network, Protocol.TCP, network.alice, ALICE)
    network.send("bob", tcp(network, network.bob, BOB, alice, "SA"))

    network.send("alice", tcp(network, network.alice, ALICE, bob, ends_by))

    states = {
        connection.state
        for mapping in mappings
        if mapping is not None
        for remote, connection in connections(mapping).items()
        if str(remote) in (alice, bob)
    }
    assert len(states) == 1
    assert states.pop().name not in ("INIT", "ESTABLISHED")


# What does not pass


@PROTOCOLS
def test_an_endpoint_that_nobody_has_costs_no_port(network: Network, protocol: Protocol) -> None:
    """The packet is dropped and counted, as one from outside would be."""
    assert network.send("alice", MAKERS[protocol](network, network.alice, ALICE, f"{EXTERNAL}:1030")) == []

    assert len(network.router.nat) == 0
    assert network.router.nat.counters[protocol].dropped_unmapped_packets == 1


@pytest.mark.parametrize("overlapping", ["off", "endpoint"])
def test_an_endpoint_that_nobody_has_any_more_costs_no_port(overlapping: str) -> None:
    """Also where several hosts may have had it at once."""
    kinds = {"mapping_type": "edm", "filtering_type": "edf", "port_overlapping": overlapping}
    network = Network(ports=2, udp_timeout=1, hold_down_timeout=0, **kinds)
    bob = opened(network, Protocol.UDP, network.bob, BOB)
    for _ in range(8):
        network.tick(0.5)
    assert len(network.router.nat) == 0

    network.send("alice", udp(network, network.alice, ALICE, bob))

    assert len(network.router.nat) == 0
    assert network.router.nat.counters[Protocol.UDP].dropped_unmapped_packets == 1


def test_where_ports_overlap_an_endpoint_is_found() -> None:
    """Bob has it, toward the server, and has not sent to alice. She does not get the same as well."""
    kinds = {"mapping_type": "edm", "filtering_type": "edf", "port_overlapping": "endpoint"}
    network = Network(ports=2, **kinds)
    bob = opened(network, Protocol.UDP, network.bob, BOB)

    for number in range(2):
        assert network.send("alice", udp(network, network.alice, ALICE + number, bob)) == []

    assert network.router.nat.counters[Protocol.UDP].dropped_unmapped_packets == 1
    assert network.router.nat.counters[Protocol.UDP].dropped_port_packets == 1
    assert bob != external(network, Protocol.UDP, network.alice, ALICE)


@pytest.mark.parametrize(("filtering", "passes"), [("eif", True), ("adf", False), ("edf", False)])
def test_the_filter_is_that_for_any_outside_host(filtering: str, passes: bool) -> None:
    """RFC 4787 REQ-8: bob has sent to the server only."""
    network = Network(ports=8, filtering_type=filtering)
    bob = opened(network, Protocol.UDP, network.bob, BOB)

    arrivals = network.send("alice", udp(network, network.alice, ALICE, bob))

    assert [arrival.host for arrival in arrivals] == ["bob"] * passes
    assert network.router.nat.counters[Protocol.UDP].dropped_filtered_packets == (not passes)


@pytest.mark.parametrize("filtering", ["adf", "edf"])
def test_two_hosts_that_both_send_reach_each_other(filtering: str) -> None:
    """Hole punching works behind one NAT as between two."""
    network = Network(ports=8, filtering_type=filtering)
    bob = opened(network, Protocol.UDP, network.bob, BOB)
    alice = opened(network, Protocol.UDP, network.alice, ALICE)

    network.send("alice", udp(network, network.alice, ALICE, bob))
    (came,) = network.send("bob", udp(network, network.bob, BOB, alice))
    (answered,) = network.send("alice", udp(network, network.alice, ALICE, bob))

    assert ends(came) == ("alice", bob, f"10.0.0.1:{ALICE}")
    assert ends(answered) == ("bob", alice, f"10.0.0.2:{BOB}")


@pytest.mark.parametrize("table", [Table.OUTBOUND, Table.INBOUND])
def test_a_packet_whose_rules_the_switch_refuses_goes_nowhere(table: Table) -> None:
    """Neither if it is the sender's rule, nor if it is the receiver's. It does not circle."""
    network = Network(ports=8, limit_sessions=100)
    bob = opened(network, Protocol.UDP, network.bob, BOB)
    at_bob = ("udp_dst", int(bob.split(":")[1]))
    network.refuses = lambda rule: rule.table is table and at_bob in rule.match

    assert network.send("alice", udp(network, network.alice, ALICE, bob)) == []


# Pings, errors and sizes


def test_a_ping_to_an_external_address_is_answered_by_the_gateway(network: Network) -> None:
    """An identifier names no inside host. Nothing is taken for it (RFC 5508 REQ-7 asks it of Basic NAT only)."""
    (answer,) = network.send("alice", echo(network, network.alice, EXTERNAL, 5))

    assert (answer.host, answer.packet[IP].src, answer.packet[ICMP].type) == ("alice", EXTERNAL, 0)
    assert (answer.packet[ICMP].id, len(network.router.nat)) == (5, 0)


def test_an_error_about_a_hairpinned_packet_reaches_its_sender(network: Network) -> None:
    """RFC 5508 REQ-7: from the external address of the other, about the packet as it was sent."""
    bob = opened(network, Protocol.UDP, network.bob, BOB)
    (came,) = network.send("alice", udp(network, network.alice, ALICE, bob))
    header = Ether(dst=network.mac, src=network.bob.mac) / IP(src="10.0.0.2", dst=EXTERNAL)

    (error,) = network.send("bob", header / ICMP(type=3, code=3) / came.packet[IP])

    assert (error.host, error.packet[IP].src, error.packet[IP].dst) == ("alice", EXTERNAL, "10.0.0.1")
    assert (error.packet[Quoted].src, error.packet[QuotedUdp].sport) == ("10.0.0.1", ALICE)
    assert f"{error.packet[Quoted].dst}:{error.packet[QuotedUdp].dport}" == bob
    assert bytes(with_checksums(error.packet)) == bytes(error.packet)


def test_a_packet_at_the_end_of_its_way_is_not_hairpinned(network: Network) -> None:
    """RFC 1812 section 5.3.1: its sender is told, and no port is taken."""
    bob = opened(network, Protocol.UDP, network.bob, BOB)
    sent = udp(network, network.alice, ALICE, bob)
    sent[IP].ttl = 1

    (error,) = network.send("alice", sent)

    assert (error.host, error.packet[ICMP].type, error.packet[ICMP].code) == ("alice", 11, 0)
    assert network.mapping(Protocol.UDP, network.alice, ALICE) is None


def test_the_sender_learns_that_the_other_host_is_gone(network: Network) -> None:
    """RFC 5508 REQ-7: an error of the gateway's own is about the packet as it was sent."""
    bob = opened(network, Protocol.UDP, network.bob, BOB)
    network.silent = {"bob"}
    for _ in range(64):
        network.tick(1.0)
    sent = Ether(bytes(udp(network, network.alice, ALICE, bob)))
    network.send("alice", sent)

    (error,) = [each for _ in range(4) for each in network.tick(1.0) if IP in each.packet]

    assert (error.host, error.packet[ICMP].type, error.packet[ICMP].code) == ("alice", 3, 1)
    assert bytes(error.packet[ICMP])[8:] == bytes(sent[IP])
    assert bytes(with_checksums(error.packet)) == bytes(error.packet)


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backward"])
def test_a_datagram_in_fragments_stays_inside(network: Network, order: int) -> None:
    """It is translated twice, and sent on in fragments as it came."""
    bob = opened(network, Protocol.UDP, network.bob, BOB)
    frame = udp(network, network.alice, ALICE, bob, DATA)
    frame[IP].flags = 0

    arrivals = [each for fragment in in_fragments(frame, 800)[::order] for each in network.send("alice", fragment)]

    whole = put_together([arrival.packet for arrival in arrivals])
    alice = external(network, Protocol.UDP, network.alice, ALICE)
    assert {arrival.host for arrival in arrivals} == {"bob"}
    assert {(arrival.packet[IP].ttl, arrival.packet[IP].dst) for arrival in arrivals} == {(63, "10.0.0.2")}
    assert (f"{whole[IP].src}:{whole[UDP].sport}", whole[UDP].dport, bytes(whole[Raw])) == (alice, BOB, DATA)
    assert bytes(with_checksums(whole)) == bytes(whole)


def test_a_syn_in_fragments_that_nobody_takes_is_answered() -> None:
    """RFC 5382 REQ-4: as a whole one. The error is about the SYN as its sender wrote it."""
    network = Network(ports=64, filtering_type="edf")
    bob = opened(network, Protocol.TCP, network.bob, BOB)
    syn = tcp(network, network.alice, ALICE, bob, data=DATA)
    syn[IP].flags = 0
    for fragment in in_fragments(syn, 800):
        network.send("alice", fragment)

    (answer,) = [each for _ in range(7) for each in network.tick(1.0) if ICMP in each.packet]

    quoted = answer.packet[Quoted]
    assert (answer.host, answer.packet[ICMP].type, answer.packet[ICMP].code) == ("alice", 3, 3)
    assert (quoted.src, f"{quoted.dst}:{quoted.dport}") == ("10.0.0.1", bob)


@PROTOCOLS
def test_what_stays_inside_may_be_as_large_as_the_lan_allows(protocol: Protocol) -> None:
    """The link outside has nothing to do with it, and the controller neither."""
    network = Network(ports=8, outside_mtu=1200)
    bob = opened(network, protocol, network.bob, BOB)
    flags = {"flags": "A"} if protocol is Protocol.TCP else {}
    network.send("alice", MAKERS[protocol](network, network.alice, ALICE, bob))
    seen = len(network.packet_ins)

    frame = MAKERS[protocol](network, network.alice, ALICE, bob, data=DATA[:1400], **flags)
    (came,) = network.send("alice", frame)

    assert (came.host, bytes(came.packet[Raw])) == ("bob", DATA[:1400])
    assert len(network.packet_ins) == seen


def test_the_end_of_a_connection_inside_counts_whatever_its_size() -> None:
    """It is not too large for its way."""
    network = Network(ports=8, outside_mtu=1200)
    bob = opened(network, Protocol.TCP, network.bob, BOB)
    network.send("alice", tcp(network, network.alice, ALICE, bob))
    mapping = network.mapping(Protocol.TCP, network.alice, ALICE)
    assert mapping is not None

    network.send("alice", tcp(network, network.alice, ALICE, bob, "FA", DATA[:1400]))

    (connection,) = connections(mapping).values()
    assert connection.state is not TcpState.INIT
