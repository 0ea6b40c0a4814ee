"""Reading and writing frames by fixed offsets: compared with Scapy, which does it by layers."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw
from scapy.utils import checksum as scapy_checksum

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags
from controller.openflow.frames import Arp, Ipv4, checksum, common
from tests.support.packets import hostile_frames

ETHERNET = Ether(src="02:00:0a:00:00:01", dst="02:00:0a:00:ff:fe")
ADDRESSED = IP(src="10.0.0.1", dst="198.51.100.1")
ALICE, SERVER = Endpoint.parse("10.0.0.1:40000"), Endpoint.parse("198.51.100.1:7")
OPTIONS = [IPOption_NOP()] * 8


def address(text: str) -> int:
    """Return an IPv4 address as a number."""
    return int(ipaddress.IPv4Address(text))


def read(frame: Layer | bytes) -> Ipv4:
    """Return the frame as the controller reads it."""
    ip = Ipv4.parse(bytes(frame))
    assert ip is not None
    return ip


# ARP


@pytest.mark.parametrize("operation", [1, 2], ids=["request", "reply"])
def test_an_arp_message_is_read_as_scapy_wrote_it(operation: int) -> None:
    """RFC 826, for IPv4 over Ethernet."""
    frame = ETHERNET / ARP(
        op=operation, hwsrc="02:00:0a:00:00:01", psrc="10.0.0.1", hwdst="02:00:0a:00:00:02", pdst="10.0.0.2"
    )

    assert Arp.parse(bytes(frame)) == Arp(
        operation, bytes.fromhex("02000a000001"), address("10.0.0.1"), bytes.fromhex("02000a000002"), 0x0A000002
    )


def test_a_request_is_written_to_all_and_a_reply_to_its_target() -> None:
    """Scapy would write the same bytes."""
    mac, other = bytes.fromhex("02000a00fffe"), bytes.fromhex("02000a000001")
    own, theirs = address("10.0.255.254"), address("10.0.0.1")

    assert Arp(1, mac, own, bytes(6), theirs).frame() == bytes(
        Ether(src="02:00:0a:00:ff:fe", dst="ff:ff:ff:ff:ff:ff")
        / ARP(op=1, hwsrc="02:00:0a:00:ff:fe", psrc="10.0.255.254", hwdst="00:00:00:00:00:00", pdst="10.0.0.1")
    )
    assert Arp(2, mac, own, other, theirs).frame() == bytes(
        Ether(src="02:00:0a:00:ff:fe", dst="02:00:0a:00:00:01")
        / ARP(op=2, hwsrc="02:00:0a:00:ff:fe", psrc="10.0.255.254", hwdst="02:00:0a:00:00:01", pdst="10.0.0.1")
    )


@given(
    operation=st.integers(0, 65535),
    macs=st.tuples(st.binary(min_size=6, max_size=6), st.binary(min_size=6, max_size=6)),
    addresses=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
def test_an_arp_message_that_is_written_is_read_again(
    operation: int, macs: tuple[bytes, bytes], addresses: tuple[int, int]
) -> None:
    """Any values of the fields come back."""
    arp = Arp(operation, macs[0], addresses[0], macs[1], addresses[1])

    assert Arp.parse(arp.frame()) == arp


@pytest.mark.parametrize(
    "frame",
    [
        bytes(ETHERNET / ADDRESSED / UDP()),
        bytes(ETHERNET / ARP())[:41],
        bytes(ETHERNET / ARP(ptype=0x86DD)),
        bytes(ETHERNET / ARP(hwtype=6)),
        b"",
    ],
    ids=["IPv4", "cut off", "for IPv6", "not Ethernet", "empty"],
)
def test_what_is_no_arp_for_ipv4_over_ethernet_is_not_read(frame: bytes) -> None:
    """Reading returns None, and raises nothing."""
    assert Arp.parse(frame) is None


# IPv4


@pytest.mark.parametrize("options", [[], OPTIONS], ids=["no options", "options"])
def test_a_tcp_segment_is_read(options: list[object]) -> None:
    """Endpoints and flags, wherever the options push them."""
    frame = (
        ETHERNET / IP(src="10.0.0.1", dst="198.51.100.1", options=options) / TCP(sport=40000, dport=7, flags="SA")
    )

    ip = read(frame)

    assert (ip.protocol, ip.payload, ip.icmp_type) == (6, 14 + 20 + len(options), None)
    assert ip.packet() == Packet(Protocol.TCP, ALICE, SERVER, TcpFlags.SYN | TcpFlags.ACK)


@pytest.mark.parametrize(
    ("sent", "read_as"),
    [
        ("S", TcpFlags.SYN),
        ("SA", TcpFlags.SYN | TcpFlags.ACK),
        ("FPA", TcpFlags.FIN | TcpFlags.ACK),
        ("RA", TcpFlags.RST | TcpFlags.ACK),
        ("PUEC", TcpFlags.NONE),
        ("SEC", TcpFlags.SYN),
    ],
)
def test_only_the_flags_that_a_nat_looks_at_are_read(sent: str, read_as: TcpFlags) -> None:
    """A SYN with ECN bits (RFC 3168) opens a connection like any other."""
    packet = read(ETHERNET / ADDRESSED / TCP(sport=40000, dport=7, flags=sent)).packet()

    assert packet == Packet(Protocol.TCP, ALICE, SERVER, read_as)


def test_a_udp_datagram_is_read() -> None:
    """A datagram may be empty."""
    assert read(ETHERNET / ADDRESSED / UDP(sport=40000, dport=7)).packet() == Packet(Protocol.UDP, ALICE, SERVER)


def test_an_echo_request_has_its_identifier_as_the_source_port() -> None:
    """RFC 5508 section 2: the query identifier takes the port's place."""
    packet = read(ETHERNET / ADDRESSED / ICMP(type=8, id=77)).packet()

    assert packet == Packet(Protocol.ICMP, Endpoint.parse("10.0.0.1:77"), Endpoint.parse("198.51.100.1:0"))


def test_an_echo_reply_has_its_identifier_as_the_destination_port() -> None:
    """An echo reply so finds the mapping of its request."""
    packet = read(ETHERNET / ADDRESSED / ICMP(type=0, id=77)).packet()

    assert packet == Packet(Protocol.ICMP, Endpoint.parse("10.0.0.1:0"), Endpoint.parse("198.51.100.1:77"))


@pytest.mark.parametrize(
    "payload",
    [
        ADDRESSED / ICMP(type=3) / Raw(bytes(28)),
        ADDRESSED / ICMP(type=15),
        IP(proto=6) / Raw(bytes(12)),
        IP(proto=47) / Raw(bytes(20)),
        IP(proto=17, frag=1) / Raw(bytes(20)),
        IP(proto=17, flags="MF") / Raw(bytes(7)),
    ],
    ids=[
        "ICMP error",
        "ICMP information request",
        "half a TCP header",
        "GRE",
        "later fragment",
        "fragment without ports",
    ],
)
def test_what_is_not_translated_is_no_packet_for_the_nat(payload: Layer) -> None:
    """Reading returns None, and does not look into the padding for what is missing."""
    assert read(bytes(ETHERNET / payload) + bytes(20)).packet() is None


@pytest.mark.parametrize(
    "frame",
    [
        bytes(ETHERNET / ARP()),
        bytes(ETHERNET / IP() / UDP())[:-1],
        bytes(ETHERNET / IP())[:33],
        bytes(ETHERNET / IP(len=27) / UDP()),
        bytes(ETHERNET / IP() / UDP() / Raw(bytes(8)))[:-1],
        bytes(ETHERNET / IP(version=6) / UDP()),
        bytes(ETHERNET / IP(ihl=4) / UDP()),
        bytes(ETHERNET / IP(ihl=15, flags="MF") / UDP()),
        b"",
    ],
    ids=[
        "ARP",
        "short transport header",
        "short header",
        "padding for a transport header",
        "cut off",
        "version 6",
        "header of 16 bytes",
        "header longer than the packet",
        "empty",
    ],
)
def test_packets_without_ports_are_not_read(frame: bytes) -> None:
    """Without ports there is nothing to translate."""
    assert Ipv4.parse(frame) is None


@given(frame=hostile_frames())
def test_hostile_frames_raise_no_exception(frame: bytes) -> None:
    """Any bytes are read or not read, and no offset lies behind the end."""
    ip = Ipv4.parse(frame)

    if ip is not None:
        ip.packet()
        assert ip.start < ip.payload <= ip.end <= len(frame)


@pytest.mark.parametrize(
    "frame",
    [
        bytes(ETHERNET / IP(flags="MF") / UDP() / Raw(bytes(8))),
        bytes(ETHERNET / IP(frag=1) / Raw(bytes(16))),
    ],
    ids=["first fragment", "later fragment"],
)
def test_fragments_are_told_apart(frame: bytes) -> None:
    """A later fragment has no ports, and the first is no use without it."""
    ip = Ipv4.parse(frame)

    assert ip is not None
    assert ip.is_fragment


@pytest.mark.parametrize("flags", [0, "DF"])
def test_a_whole_packet_is_no_fragment(flags: object) -> None:
    """Do Not Fragment is set in most packets of today."""
    assert not read(ETHERNET / IP(flags=flags) / UDP()).is_fragment


# ICMP queries

payloads = st.binary(max_size=64)


@given(data=payloads)
def test_an_echo_request_is_answered_with_its_own_data(data: bytes) -> None:
    """RFC 1122 section 3.2.2.6: identifier, sequence number and data come back."""
    frame = ETHERNET / IP(src="10.0.0.1", dst="10.0.255.254", ttl=7, id=5) / ICMP(id=77, seq=3) / Raw(data)

    reply = Ether(read(frame).echo_reply())

    expected = (
        Ether(src=ETHERNET.dst, dst=ETHERNET.src)
        / IP(src="10.0.255.254", dst="10.0.0.1", ttl=65, id=5)
        / ICMP(type=0, id=77, seq=3)
        / Raw(data)
    )
    assert bytes(reply) == bytes(expected)


@given(frame=hostile_frames())
def test_both_readers_agree(frame: bytes) -> None:
    """The fast one returns a packet only for a sound frame, and the same one."""
    packet, ip = common(frame), Ipv4.parse(frame)

    if packet is not None:
        assert ip is not None
        assert ip.is_sound
        assert ip.packet() == packet
    elif ip is not None and ip.is_sound and ip.payload - ip.start == 20 and not ip.is_fragment:
        assert ip.protocol not in (6, 17)


@given(data=st.binary(max_size=64))
def test_the_checksum_is_the_sum_of_words(data: bytes) -> None:
    """RFC 1071, as Scapy computes it, also over zeros and an odd number of bytes."""
    assert checksum(data) == scapy_checksum(data).to_bytes(2, "big")
