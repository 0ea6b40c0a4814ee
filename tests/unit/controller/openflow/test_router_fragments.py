"""Packets in fragments, through a NAT in a switch: in any order, in both directions, or not at all."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet import IPerror as Quoted
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.nat.model import Protocol
from controller.openflow.rules import Table
from tests.support.flowtable import with_checksums
from tests.support.network import EXTERNAL, Arrival, Host, Network, echo, tcp, udp
from tests.support.packets import in_fragments, put_together

SERVER, ADDRESS = "198.51.100.1:7", "198.51.100.1"
GATEWAY = "10.0.255.254"
DATA = random.Random(1).randbytes(2000)
SIZE = 800
ORDERS = list(itertools.permutations(range(3)))


@pytest.fixture
def network() -> Network:
    """Alice and bob, server and mirror, and a pool of 64 ports."""
    return Network(ports=64)


def fragmentable(frame: Layer, identification: int = 1, size: int = SIZE) -> list[Layer]:
    """Return the fragments of a packet that may have some."""
    frame[IP].flags, frame[IP].id = 0, identification
    return in_fragments(frame, size)


def send(network: Network, host: str, fragments: Sequence[Layer]) -> list[Arrival]:
    """Let a host send fragments, and return all packets that arrive because of them."""
    return [arrival for each in fragments for arrival in network.send(host, each) if IP in arrival.packet]


def arrived(arrivals: list[Arrival], host: str, ttl: int = 63) -> Layer:
    """Return the packet that came to a host, and nowhere else, in fragments that are as they should be."""
    assert {arrival.host for arrival in arrivals} == {host}
    packets = [arrival.packet for arrival in arrivals]
    assert all(bytes(with_checksums(each, [IP])) == bytes(each) for each in packets)
    assert [each[IP].frag for each in packets] == sorted(each[IP].frag for each in packets)
    assert all(each[IP].len <= SIZE + 20 and each[IP].ttl == ttl for each in packets)
    whole = put_together(packets)
    assert bytes(with_checksums(whole)) == bytes(whole)
    return whole


def mapped(network: Network, host: Host, port: int = 40000) -> int:
    """Let a host send a datagram, and return the external port with which it arrives."""
    (arrival,) = network.send(host.name, udp(network, host, port, SERVER))
    external: int = arrival.packet[UDP].sport
    return external


# Both directions


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_datagram_leaves_in_whatever_order_its_fragments_come(network: Network, order: tuple[int, ...]) -> None:
    """RFC 4787 REQ-14: translated, first one first, and with right checksums."""
    fragments = fragmentable(udp(network, network.alice, 40000, SERVER, DATA))

    arrivals = send(network, "alice", [fragments[place] for place in order])

    whole = arrived(arrivals, "server")
    mapping = network.mapping(Protocol.UDP, network.alice, 40000)
    assert mapping is not None
    assert (whole[IP].src, whole[UDP].sport) == (EXTERNAL, mapping.external.port)
    assert (whole[IP].dst, whole[UDP].dport, bytes(whole[Raw])) == (ADDRESS, 7, DATA)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_datagram_comes_in_whatever_order_its_fragments_come(network: Network, order: tuple[int, ...]) -> None:
    """RFC 4787 REQ-14, toward an inside host."""
    port = mapped(network, network.alice)
    fragments = fragmentable(udp(network, network.server, 7, f"{EXTERNAL}:{port}", DATA))

    whole = arrived(send(network, "server", [fragments[place] for place in order]), "alice")

    assert (whole[IP].src, whole[UDP].sport, whole[IP].dst, whole[UDP].dport) == (ADDRESS, 7, "10.0.0.1", 40000)
    assert bytes(whole[Raw]) == DATA


def test_a_datagram_without_a_checksum_has_none_afterwards(network: Network) -> None:
    """RFC 768."""
    frame = udp(network, network.alice, 40000, SERVER, DATA)
    frame[UDP].chksum = 0

    assert arrived(send(network, "alice", fragmentable(frame)), "server")[UDP].chksum == 0


def test_tcp_opens_and_carries_data_in_fragments(network: Network) -> None:
    """The NAT follows the connection as any other: it closes when both sides have."""
    fragments = fragmentable(tcp(network, network.alice, 40000, SERVER, "S", DATA))
    whole = arrived(send(network, "alice", fragments), "server")
    external = f"{EXTERNAL}:{whole[TCP].sport}"

    for name, make in (
        ("server", lambda flags: tcp(network, network.server, 7, external, flags, DATA)),
        ("alice", lambda flags: tcp(network, network.alice, 40000, SERVER, flags, DATA)),
    ):
        for flags in ("SA", "A", "FA") if name == "server" else ("A", "FA"):
            other = "alice" if name == "server" else "server"
            assert bytes(arrived(send(network, name, fragmentable(make(flags))), other)[Raw]) == DATA
    network.tick(240)
    assert len(network.router.nat) == 0


def test_a_long_ping_passes_and_is_answered(network: Network) -> None:
    """RFC 5508 REQ-1, with more than a link has room for."""
    question = echo(network, network.alice, ADDRESS, 5) / Raw(DATA)
    asked = arrived(send(network, "alice", fragmentable(question)), "server")
    answer = echo(network, network.server, EXTERNAL, asked[ICMP].id, reply=True) / Raw(DATA)

    answered = arrived(send(network, "server", fragmentable(answer)), "alice")

    assert (asked[IP].src, answered[IP].dst, answered[ICMP].id) == (EXTERNAL, "10.0.0.1", 5)
    assert bytes(answered[Raw]).endswith(DATA)


def test_a_long_ping_to_the_gateway_itself_is_answered(network: Network) -> None:
    """RFC 1122 section 3.3.2: each host can put fragments together, and a NAT is one."""
    arrivals = send(network, "alice", fragmentable(echo(network, network.alice, GATEWAY, 5) / Raw(DATA)))

    whole = arrived(arrivals, "alice", ttl=64)
    assert (whole[IP].src, whole[ICMP].type, whole[ICMP].id) == (GATEWAY, 0, 5)
    assert bytes(whole[Raw]).endswith(DATA)


def test_an_error_in_fragments_is_translated(network: Network) -> None:
    """A router may send a long one on a link with little room."""
    port = mapped(network, network.alice)
    sent = IP(src=EXTERNAL, dst=ADDRESS, flags="DF") / UDP(sport=port, dport=7) / Raw(bytes(400))
    header = Ether(dst=network.mac, src=network.server.mac) / IP(src="198.51.100.2", dst=EXTERNAL)

    arrivals = send(network, "server", fragmentable(header / ICMP(type=3, code=3) / sent, size=96))

    whole = arrived(arrivals, "alice")
    assert (whole[IP].dst, whole[Quoted].src, whole[ICMP].code) == ("10.0.0.1", "10.0.0.1", 3)


# Identification


def test_two_hosts_with_one_identification_stay_apart(network: Network) -> None:
    """RFC 7857 section 10: outside, both packets come from one address, and their fragments must not be mixed."""
    ours = [
        fragmentable(udp(network, host, 40000, SERVER, data), identification=77)
        for host, data in ((network.alice, DATA), (network.bob, DATA[::-1]))
    ]
    senders = [each for pair in zip(*ours, strict=True) for each in zip(("alice", "bob"), pair, strict=True)]

    arrivals = [arrival for name, each in senders for arrival in send(network, name, [each])]

    by_identification: dict[int, list[Layer]] = {}
    for arrival in arrivals:
        by_identification.setdefault(arrival.packet[IP].id, []).append(arrival.packet)
    assert [bytes(put_together(each)[Raw]) for each in by_identification.values()] == [DATA, DATA[::-1]]


def test_no_two_packets_toward_a_host_have_one_identification(network: Network) -> None:
    """RFC 6864 section 4.3."""
    seen = [
        send(network, "alice", fragmentable(udp(network, network.alice, 40000, SERVER, DATA), 1))[0].packet[IP].id
        for _ in range(50)
    ]

    assert len(set(seen)) == 50


def test_fragments_that_must_not_be_made_smaller_say_so_afterwards(network: Network) -> None:
    """A host that probes with fragments learns the truth."""
    fragments = fragmentable(udp(network, network.alice, 40000, SERVER, DATA))
    for each in fragments:
        each[IP].flags.DF = True

    arrivals = send(network, "alice", [with_checksums(each, [IP]) for each in fragments])

    assert [str(arrival.packet[IP].flags) for arrival in arrivals] == ["MF+DF", "MF+DF", "DF"]


# What does not pass


def test_nothing_leaves_before_all_is_there(network: Network) -> None:
    """Also of a flow whose rules are in the switch, and of a host that has a mapping of its port 0."""
    mapped(network, network.alice)
    mapped(network, network.alice, port=0)
    fragments = fragmentable(udp(network, network.alice, 40000, SERVER, DATA))

    assert send(network, "alice", fragments[:2]) == []
    assert send(network, "alice", fragmentable(udp(network, network.alice, 40000, SERVER, DATA), 2)[1:]) == []
    assert network.router.reassembly.waiting == 4


@settings(max_examples=25)
@given(
    coming=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 4), st.booleans(), st.sampled_from("ab")), max_size=20
    )
)
def test_no_fragment_leaks(coming: list[tuple[int, int, bool, str]]) -> None:
    """Any of a few packets' fragments, in any order, some with other bytes: what leaves has an external source."""
    network = Network(ports=2, fragments_limit=5)
    hosts = {"a": network.alice, "b": network.bob}

    for identification, place, is_other, who in coming:
        data = DATA[::-1] if is_other else DATA
        frame = udp(network, hosts[who], 40000 + identification, SERVER, data)
        fragments = fragmentable(frame, identification, size=408)
        for arrival in send(network, hosts[who].name, [fragments[place]]):
            assert arrival.host == "server"
            assert arrival.packet[IP].src == EXTERNAL
        assert network.router.reassembly.waiting <= 5


def test_what_comes_from_nobody_or_is_for_nobody_takes_no_room(network: Network) -> None:
    """A source that is not inside, and a destination that is not ours: rules drop them."""
    network.packet_ins.clear()
    spoofed = udp(network, network.alice, 40000, SERVER, DATA)
    spoofed[IP].src = "198.51.100.2"
    stray = udp(network, network.server, 7, "10.0.0.1:40000", DATA)

    assert send(network, "alice", fragmentable(spoofed)) == send(network, "server", fragmentable(stray)) == []
    assert network.router.reassembly.waiting == 0
    assert network.packet_ins == []


def test_a_datagram_that_belongs_to_no_mapping_is_dropped_and_counted_once(network: Network) -> None:
    """As one that is whole."""
    send(network, "server", fragmentable(udp(network, network.server, 7, f"{EXTERNAL}:1024", DATA)))

    assert network.router.nat.counters[Protocol.UDP].dropped_unmapped_packets == 1


def test_a_datagram_that_the_filter_keeps_out_is_dropped() -> None:
    """RFC 4787 REQ-8, by the port of the first fragment."""
    network = Network(ports=8, filtering_type="edf")
    port = mapped(network, network.alice)
    stranger = fragmentable(udp(network, network.server, 8, f"{EXTERNAL}:{port}", DATA))

    assert send(network, "server", stranger) == []
    assert network.router.nat.counters[Protocol.UDP].dropped_filtered_packets == 1


def test_what_waits_for_too_long_is_dropped(network: Network) -> None:
    """The setting `fragment_min_timeout`, times `time_scale`."""
    network = Network(ports=8, fragment_min_timeout=4, time_scale=0.5)
    fragments = fragmentable(udp(network, network.alice, 40000, SERVER, DATA))

    send(network, "alice", fragments[:2])
    network.tick(1.9)
    assert network.router.reassembly.waiting == 2
    network.tick(0.1)
    assert (network.router.reassembly.waiting, network.router.reassembly.dropped) == (0, 2)
    assert send(network, "alice", fragments[2:]) == []


# When something runs short


def test_the_sender_of_a_refused_datagram_gets_its_first_fragment_back() -> None:
    """RFC 5508 REQ-8; RFC 1812 section 4.3.2.7: an error is about the first fragment."""
    network = Network(ports=1, on_exhaustion="icmp")
    mapped(network, network.bob)
    fragments = fragmentable(udp(network, network.alice, 40000, SERVER, DATA))

    (error,) = send(network, "alice", fragments[::-1])

    assert (error.host, error.packet[ICMP].type, error.packet[ICMP].code) == ("alice", 3, 13)
    assert bytes(error.packet[IP])[28:] == bytes(fragments[0][IP])[:548]


def test_a_tcp_segment_in_fragments_is_reset() -> None:
    """The reset acknowledges all of its data."""
    network = Network(ports=1, on_exhaustion="reset")
    network.send("bob", tcp(network, network.bob, 40000, SERVER))

    (reset,) = send(network, "alice", fragmentable(tcp(network, network.alice, 40000, SERVER, "S", DATA)))

    assert str(reset.packet[TCP].flags) == "RA"
    assert reset.packet[TCP].ack == len(DATA) + 1


def test_a_datagram_in_fragments_is_held_and_goes_on() -> None:
    """As a whole one does: when a port comes back."""
    network = Network(ports=1, on_exhaustion="hold", hold_timeout=5, udp_timeout=1, hold_down_timeout=0)
    mapped(network, network.bob)

    assert send(network, "alice", fragmentable(udp(network, network.alice, 40000, SERVER, DATA))) == []
    arrivals = [arrival for _ in range(30) for arrival in network.tick(0.1)]

    assert bytes(arrived(arrivals, "server")[Raw]) == DATA


def test_a_datagram_whose_rules_the_switch_refuses_goes_nowhere() -> None:
    """As a whole one: it is refused, its mapping is undone, and nothing of it has left."""
    network = Network(ports=8, on_exhaustion="icmp")
    network.refuses = lambda rule: rule.table is Table.OUTBOUND
    fragments = fragmentable(udp(network, network.alice, 40000, SERVER, DATA))

    (error,) = send(network, "alice", fragments)

    assert (error.host, error.packet[ICMP].type) == ("alice", 3)
    assert len(network.router.nat) == 0


def test_the_limit_is_counted_and_is_an_event() -> None:
    """RFC 8158: maximum fragments pending reassembly."""
    network = Network(ports=8, fragments_limit=3)

    for number in range(5):
        send(network, "alice", fragmentable(udp(network, network.alice, 40000, SERVER, DATA), number)[:1])

    reassembly = network.router.reassembly
    assert (reassembly.waiting, reassembly.dropped, reassembly.times_full) == (3, 2, 1)
