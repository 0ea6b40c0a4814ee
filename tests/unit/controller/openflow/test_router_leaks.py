"""Nothing leaves untranslated, and nothing comes in that no mapping asks for: whatever anybody sends."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Dot1Q, Ether

from controller.nat.model import Protocol, Side
from controller.openflow.router import Router
from controller.openflow.rules import Table
from tests.support.any_frames import frames
from tests.support.network import BROADCAST, EXTERNAL, INSIDE, Arrival, Network, echo, tcp, udp
from tests.support.recorder import Recorder
from topologies.gateways.bridge import OUTSIDE_VLAN

POOL = range(1024, 1024 + 8)
OWN_OUTSIDE = {"198.51.100.254", "203.0.113.254"}


def network_in_use() -> Network:
    """Return a network in which there are mappings of every protocol."""
    network = Network(ports=len(POOL))
    network.send("alice", tcp(network, network.alice, 40000, "198.51.100.1:7"))
    network.send("bob", tcp(network, network.bob, 7, "198.51.100.1:7"))
    network.send("bob", udp(network, network.bob, 1024, "198.51.100.1:7"))
    network.send("alice", echo(network, network.alice, "203.0.113.1", 7))
    return network


TEMPLATE = network_in_use()


def assert_it_may_be_outside(arrival: Arrival) -> None:
    """A frame outside is the gateway's own, or comes from the pool."""
    packet = arrival.packet
    if ARP in packet:
        assert packet[ARP].psrc in OWN_OUTSIDE
        return
    assert Dot1Q not in packet
    assert IP in packet
    if packet[IP].src in OWN_OUTSIDE:
        assert packet[ICMP].type == 0
        return
    assert packet[IP].src == EXTERNAL
    if ICMP in packet:
        assert packet[ICMP].id in POOL
    else:
        assert packet[IP].payload.sport in POOL


def assert_it_may_be_inside(network: Network, arrival: Arrival) -> None:
    """A frame from outside that came in belongs to a mapping of that host."""
    header, host = arrival.packet[IP], network.hosts[arrival.host]
    assert header.dst == host.address
    protocol = Protocol(header.proto)
    port = header.payload.id if protocol is Protocol.ICMP else header.payload.dport
    assert network.mapping(protocol, host, port) is not None


@settings(max_examples=20)
@given(sent=st.lists(frames(TEMPLATE, ["alice", "bob"]), min_size=3, max_size=10))
def test_nothing_leaves_with_an_inside_source(sent: list[tuple[int, bytes]]) -> None:
    """RFC 6888 REQ-11A, with fragments, other protocols, spoofed sources, tagged frames and cut-off ones."""
    network = network_in_use()
    for port, frame in sent:
        for arrival in network.feed(port, frame):
            if network.hosts[arrival.host].side is Side.OUTSIDE:
                assert_it_may_be_outside(arrival)


@settings(max_examples=20)
@given(sent=st.lists(frames(TEMPLATE, ["server", "mirror"]), min_size=3, max_size=10))
def test_nothing_comes_in_without_a_mapping(sent: list[tuple[int, bytes]]) -> None:
    """A packet from outside reaches an inside host only by a mapping's external endpoint."""
    network = network_in_use()
    for port, frame in sent:
        for arrival in network.feed(port, frame):
            if network.hosts[arrival.host].side is Side.INSIDE:
                assert_it_may_be_inside(network, arrival)
            else:
                assert_it_may_be_outside(arrival)


@settings(max_examples=20)
@given(sent=st.lists(frames(TEMPLATE, ["server", "mirror"]), min_size=3, max_size=10))
def test_outside_hosts_take_no_ports(sent: list[tuple[int, bytes]]) -> None:
    """Only inside hosts make mappings."""
    network = Network(ports=4)
    for port, frame in sent:
        network.feed(port, frame)

    assert len(network.router.nat) == 0
    assert network.mapping_rules() == set()


@settings(max_examples=300)
@given(
    table=st.sampled_from(Table),
    port=st.integers(0, 9),
    frame=st.one_of(
        st.binary(max_size=80),
        st.binary(max_size=80).map(lambda data: bytes(12) + b"\x08\x00" + data),
        st.binary(max_size=80).map(lambda data: bytes(12) + b"\x08\x06\x00\x01\x08\x00\x06\x04" + data),
        st.binary(max_size=60).map(lambda data: bytes(12) + b"\x08\x00\x45" + data),
    ),
)
def test_no_frame_makes_the_router_raise_an_exception(table: Table, port: int, frame: bytes) -> None:
    """The switch may send up any frame from any port: the router answers it or does not."""
    router = Router(TEMPLATE.configuration, Recorder())

    router.packet_in(table, port, frame, 0.0)
    router.tick(1000.0)


# The ways out that a host may try


def test_a_spoofed_ping_to_the_gateway_sends_nothing_across() -> None:
    """The gateway's answer goes where the question came from, not to another side by a source that lies."""
    network = Network()
    inside = Ether(dst=network.mac, src=network.alice.mac) / IP(src="198.51.100.1", dst="10.0.255.254") / ICMP()
    outside = Ether(dst=network.mac, src=network.server.mac) / IP(src="10.0.0.1", dst="198.51.100.254") / ICMP()

    assert [a.host for a in network.send("alice", inside) if a.host in ("server", "mirror")] == []
    assert [a.host for a in network.send("server", outside) if a.host in ("alice", "bob")] == []


def test_a_tag_opens_no_way_out() -> None:
    """A frame that carries the VLAN of the outside ports is not switched to them."""
    network = Network()
    frame = Ether(dst=BROADCAST, src=network.alice.mac) / Dot1Q(vlan=OUTSIDE_VLAN) / IP(src="10.0.0.1") / UDP()

    assert [a.host for a in network.send("alice", frame) if a.host in ("server", "mirror")] == []


def test_the_inside_network_is_the_one_that_leaks_are_judged_by() -> None:
    """The constant of these tests is the topology's."""
    inside = {i.address.network for i in TEMPLATE.configuration.interfaces if i.side is Side.INSIDE}

    assert inside == {INSIDE}
