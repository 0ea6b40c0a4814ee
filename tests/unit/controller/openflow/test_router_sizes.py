"""Packets that an outside link has no room for: sent on in fragments, or their sender is told of it."""

from __future__ import annotations

import random

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol, Side
from controller.nat.tcp import TcpState
from controller.openflow.pipeline import base_rules
from controller.openflow.rules import CheckLarger, Table
from tests.support.core import connections
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Network, echo, ip, tcp, udp
from tests.support.packets import about, in_fragments, packet, put_together
from topologies.carrier import Carrier

MTU = 1200
SERVER, ADDRESS, GATEWAY = "198.51.100.1:7", "198.51.100.1", "10.0.255.254"
DATA = random.Random(1).randbytes(1500)
HEADERS = {"tcp": 40, "udp": 28, "ping": 28}


@pytest.fixture
def network() -> Network:
    """Alice and bob, server and mirror, and little room on the links to these two."""
    return Network(ports=64, outside_mtu=MTU)


def of_size(network: Network, kind: str, size: int, flags: object = "DF") -> Layer:
    """Return a packet of alice's with this number of bytes."""
    data = DATA[: size - HEADERS[kind]]
    frame = {
        "tcp": lambda: tcp(network, network.alice, 40000, SERVER, "S", data),
        "udp": lambda: udp(network, network.alice, 40000, SERVER, data),
        "ping": lambda: ip(network, network.alice, ADDRESS) / ICMP(id=40000) / Raw(data),
    }[kind]()
    frame[IP].flags = flags
    return frame


def whole(arrivals: list[Arrival]) -> Layer:
    """Return the packet that came to the server in fragments, none of which is too large."""
    assert {arrival.host for arrival in arrivals} == {"server"}
    packets = [arrival.packet for arrival in arrivals]
    assert len(packets) > 1
    assert all(each[IP].len <= MTU and each[IP].ttl == 63 for each in packets)
    assert [each[IP].frag for each in packets] == sorted(each[IP].frag for each in packets)
    made = put_together(packets)
    assert bytes(with_checksums(made)) == bytes(made)
    return made


@pytest.mark.parametrize("kind", HEADERS)
def test_the_sender_of_what_must_not_be_fragmented_is_told(network: Network, kind: str) -> None:
    """About its own packet, from its own gateway, with the MTU; and nothing is taken for it."""
    sent = of_size(network, kind, MTU + 1)

    (error,) = network.send("alice", sent)

    assert (error.host, error.packet[IP].src, error.packet[IP].dst) == ("alice", GATEWAY, "10.0.0.1")
    assert (error.packet[ICMP].type, error.packet[ICMP].code, error.packet[ICMP].nexthopmtu) == (3, 4, MTU)
    assert bytes(error.packet[IP])[28:] == bytes(sent[IP])[:548]
    assert len(network.router.nat) == 0
    assert network.router.errors.sent == 1


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("flags", [0, "DF"], ids=["may be fragmented", "may not"])
def test_what_just_fits_leaves_as_it_is(network: Network, kind: str, flags: object) -> None:
    """The largest packet that the link has room for."""
    (arrival,) = network.send("alice", of_size(network, kind, MTU, flags))

    assert (arrival.host, arrival.packet[IP].len) == ("server", MTU)


@pytest.mark.parametrize("kind", HEADERS)
def test_what_may_be_fragmented_leaves_in_fragments(network: Network, kind: str) -> None:
    """RFC 4787 REQ-13A: translated, in order, and as a whole what was sent. So does the next of the same flow."""
    for _ in range(2):
        made = whole(network.send("alice", of_size(network, kind, 1500, flags=0)))

        assert made[IP].src == EXTERNAL
        assert bytes(made[Raw]) == DATA[: 1500 - HEADERS[kind]]
        assert len(network.router.nat) == 1


def test_large_fragments_become_smaller(network: Network) -> None:
    """A host fragments for its own link."""
    sent = of_size(network, "udp", 1500 + 1000, flags=0)
    sent[Raw].load = DATA * 2

    arrivals = [each for frame in in_fragments(sent, 1480) for each in network.send("alice", frame)]

    assert bytes(whole(arrivals)[Raw]) == DATA * 2


def test_fragments_that_must_not_become_smaller_are_told_about(network: Network) -> None:
    """RFC 1812 section 4.3.2.7: one error, about the first of them."""
    sent = of_size(network, "udp", 1500, flags=0)
    sent[Raw].load = DATA * 2
    fragments = in_fragments(sent, 1480)
    for each in fragments:
        each[IP].flags.DF = True
    frames = [with_checksums(each, [IP]) for each in fragments]

    (error,) = [each for frame in frames for each in network.send("alice", frame)]

    assert (error.host, error.packet[ICMP].code, error.packet[ICMP].nexthopmtu) == ("alice", 4, MTU)
    assert bytes(error.packet[IP])[28:] == bytes(frames[0][IP])[:548]


def test_there_is_no_error_about_an_error(network: Network) -> None:
    """RFC 1812 section 4.3.2.7. It is dropped."""
    network.send("alice", udp(network, network.alice, 40000, SERVER))
    mapping = network.mapping(Protocol.UDP, network.alice, 40000)
    assert mapping is not None
    embedded = packet("UDP", *(mapping.flows[0].peer, mapping.internal), DATA)
    error = Ether(bytes(about(embedded, mapping.internal, mapping.flows[0].peer, flags="DF")))
    error.src, error.dst = network.alice.mac, network.mac

    assert network.send("alice", error) == []


@pytest.mark.parametrize(("flags", "goes_on"), [("DF", False), (0, True)], ids=["may not be", "may be"])
def test_the_end_of_a_connection_counts_when_it_has_passed(network: Network, flags: object, goes_on: bool) -> None:
    """A FIN with much data comes again if it was too large, in smaller segments."""
    network.send("alice", tcp(network, network.alice, 40000, SERVER))
    mapping = network.mapping(Protocol.TCP, network.alice, 40000)
    assert mapping is not None
    external = f"{EXTERNAL}:{mapping.external.port}"
    network.send("server", tcp(network, network.server, 7, external, "SA"))
    end = tcp(network, network.alice, 40000, SERVER, "FA", DATA[:1400])
    end[IP].flags = flags

    arrivals = network.send("alice", end)

    assert {arrival.host for arrival in arrivals} == ({"server"} if goes_on else {"alice"})
    (connection,) = connections(mapping).values()
    assert (connection.state is TcpState.INIT) == (not goes_on)


def test_what_is_for_the_gateway_itself_or_stays_inside_may_be_larger(
    network: Network,
) -> None:
    """The small link is not on its way."""
    ping = echo(network, network.alice, GATEWAY, 5) / Raw(DATA[:1400])
    across = udp(network, network.alice, 40000, "10.0.0.2:7", DATA[:1400])
    across.dst = network.bob.mac

    assert [arrival.host for arrival in network.send("alice", ping)] == ["alice"]
    assert [arrival.host for arrival in network.send("alice", across)] == ["bob"]


def test_a_known_flow_of_packets_that_fit_does_not_meet_the_controller(network: Network) -> None:
    """The switch itself looks at sizes."""
    network.send("alice", of_size(network, "udp", MTU))
    seen = len(network.packet_ins)

    network.send("alice", of_size(network, "udp", MTU))

    assert len(network.packet_ins) == seen


def test_without_a_small_link_the_rules_do_not_look_at_sizes() -> None:
    """The pipeline is the same as ever, and as fast."""
    rules = list(base_rules(Network().configuration))
    small = list(base_rules(Network(outside_mtu=MTU).configuration))

    assert not any(isinstance(action, CheckLarger) for rule in rules for action in rule.actions)
    assert len(small) == len(rules) + 2
    assert {rule.table for rule in {*small} - {*rules}} == {Table.CLASSIFY, Table.OUTBOUND, Table.LARGE}


def test_a_link_between_two_gateways_is_small_at_both_ends() -> None:
    """A home's outside is the carrier's inside."""
    topology = Carrier(clients=2, outside_mtu=MTU)

    assert {each.mtu for each in topology.wiring["carrier"]} == {MTU}
    assert {each.side: each.mtu for each in topology.wiring["home-a"]} == {Side.OUTSIDE: MTU, Side.INSIDE: 1500}
