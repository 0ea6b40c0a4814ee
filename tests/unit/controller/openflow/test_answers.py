"""What the gateway itself says to a sender: every byte as Scapy would have written it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw
from scapy.utils import checksum

from controller.nat.model import Endpoint
from controller.openflow.answers import reset, unreachable
from controller.openflow.frames import Ipv4
from tests.support.packets import (
    ALICE,
    ETHERNET,
    KINDS,
    OPTIONS,
    SERVER,
    UDP_PACKET,
    about,
    corrupted,
    hostile_frames,
    packet,
    read,
    text,
)

BACK = Ether(src=ETHERNET.dst, dst=ETHERNET.src)
GATEWAY = Endpoint.parse("192.0.2.254:0")

# Answering with an ICMP error


def answer(frame: Layer | bytes, code: int = 13) -> bytes | None:
    """Return what the gateway says."""
    return unreachable(read(frame), code=code, source=GATEWAY.address)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    data=st.binary(max_size=64) | st.binary(min_size=500, max_size=560),
    code=st.integers(0, 15),
    options=st.sampled_from([[], OPTIONS]),
    padding=st.binary(max_size=8),
)
def test_an_error_embeds_the_packet_up_to_576_bytes(
    kind: str, data: bytes, code: int, options: list[object], padding: bytes
) -> None:
    """RFC 1812 section 4.3.2.3, and RFC 5508 REQ-10D: with the packet's DSCP."""
    refused = packet(kind, ALICE, SERVER, data, options=options, tos=0xBB)

    told = answer(bytes(ETHERNET / refused) + padding, code)

    header = IP(src=text(GATEWAY), dst=text(ALICE), ttl=65, id=0, flags="DF", tos=0xB8, proto=1)
    embedded = bytes(refused)[:548]
    message = bytes([3, code, 0, 0, 0, 0, 0, 0]) + embedded
    message = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
    assert told == bytes(BACK / header / Raw(message))


def test_an_error_about_a_long_packet_is_576_bytes_long() -> None:
    """The total length in its header is 576, too."""
    told = answer(ETHERNET / packet("UDP", ALICE, SERVER, bytes(1400)))

    assert told is not None
    assert (len(told), Ether(told)[IP].len) == (14 + 576, 576)


def test_a_first_fragment_is_answered() -> None:
    """RFC 1812 section 4.3.2.7 forbids errors only about later fragments."""
    assert answer(ETHERNET / packet("UDP", ALICE, SERVER, bytes(16), flags="MF")) is not None


@pytest.mark.parametrize("icmp_type", [3, 4, 5, 11, 12])
@pytest.mark.parametrize("flags", [0, "MF"], ids=["whole", "first fragment"])
def test_no_error_about_an_error(icmp_type: int, flags: object) -> None:
    """RFC 1812 section 4.3.2.7: errors about errors would never end."""
    assert answer(about(UDP_PACKET, icmp_type=icmp_type, flags=flags)) is None


def test_no_error_about_a_later_fragment() -> None:
    """RFC 1812 section 4.3.2.7: an error about the first fragment is enough."""
    assert answer(ETHERNET / IP(src="10.0.0.1", dst="198.51.100.1", proto=17, frag=1) / Raw(bytes(16))) is None


NOBODY = ["0.0.0.0", "0.0.0.1", "127.0.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"]


@pytest.mark.parametrize("source", NOBODY)
def test_no_answer_to_a_source_that_is_not_one_host(source: str) -> None:
    """RFC 1812 section 4.3.2.7 and RFC 9293 MUST-63."""
    assert answer(ETHERNET / IP(src=source, dst="198.51.100.1") / UDP()) is None
    assert reset(read(ETHERNET / IP(src=source, dst="198.51.100.1") / TCP())) is None


@pytest.mark.parametrize("destination", ["224.0.0.1", "239.255.255.255", "255.255.255.255", "0.0.0.0"])
def test_no_answer_to_a_packet_for_many_hosts(destination: str) -> None:
    """RFC 1812 section 4.3.2.7 and RFC 9293 MUST-57."""
    assert answer(ETHERNET / IP(src="10.0.0.1", dst=destination) / UDP()) is None
    assert reset(read(ETHERNET / IP(src="10.0.0.1", dst=destination) / TCP())) is None


@pytest.mark.parametrize("mac", ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"])
def test_no_answer_to_a_frame_for_many_mac_addresses(mac: str) -> None:
    """RFC 1812 section 4.3.2.7: a link-layer broadcast."""
    assert answer(Ether(src=ETHERNET.src, dst=mac) / UDP_PACKET) is None
    assert reset(read(Ether(src=ETHERNET.src, dst=mac) / packet("TCP", ALICE, SERVER))) is None


def test_no_answer_to_a_damaged_header() -> None:
    """RFC 1812 section 5.2.2: the sender of a damaged packet is unknown."""
    assert answer(corrupted(ETHERNET / UDP_PACKET, 29)) is None
    assert reset(read(corrupted(ETHERNET / packet("TCP", ALICE, SERVER), 29))) is None


# Answering with a reset


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ({"flags": "S", "seq": 5}, {"flags": "RA", "seq": 0, "ack": 6}),
        ({"flags": "SEC", "seq": 5}, {"flags": "RA", "seq": 0, "ack": 6}),
        ({"flags": "S", "seq": 0xFFFFFFFF}, {"flags": "RA", "seq": 0, "ack": 0}),
        ({"flags": "F", "seq": 5}, {"flags": "RA", "seq": 0, "ack": 6}),
        ({"flags": "", "seq": 5}, {"flags": "RA", "seq": 0, "ack": 5}),
        ({"flags": "A", "seq": 5, "ack": 9}, {"flags": "R", "seq": 9, "ack": 0}),
        ({"flags": "SA", "seq": 5, "ack": 9}, {"flags": "R", "seq": 9, "ack": 0}),
    ],
    ids=["SYN", "SYN with ECN", "last number", "FIN", "no flags", "ACK", "SYN ACK"],
)
@pytest.mark.parametrize("options", [[], [("MSS", 1460)]], ids=["no options", "options"])
def test_a_reset_is_one_that_the_sender_accepts(
    sent: dict[str, object], answered: dict[str, int], options: list[object]
) -> None:
    """RFC 9293 section 3.10.7.1, the state CLOSED: it answers to the number that the sender waits for."""
    header = IP(src="10.0.0.1", dst="198.51.100.1", options=OPTIONS if options else [])
    frame = ETHERNET / header / TCP(sport=40000, dport=7, options=options, **sent)

    expected = IP(src="198.51.100.1", dst="10.0.0.1", ttl=65, id=0, flags="DF")
    assert reset(read(frame)) == bytes(BACK / expected / TCP(sport=7, dport=40000, window=0, **answered))


@given(data=st.binary(max_size=40), padding=st.binary(max_size=8))
def test_a_reset_acknowledges_the_data_of_a_syn_too(data: bytes, padding: bytes) -> None:
    """RFC 9293 section 3.10.7.1: SEG.SEQ + SEG.LEN; padding is no data."""
    frame = bytes(ETHERNET / packet("TCP", ALICE, SERVER, data)) + padding

    told = reset(read(frame))

    assert told is not None
    assert Ether(told)[TCP].ack == 5 + 1 + len(data)


@pytest.mark.parametrize(
    "sent",
    [
        IP() / TCP(flags="R"),
        IP() / TCP(flags="RA"),
        IP() / TCP(dataofs=4),
        IP() / TCP(dataofs=6),
        IP(proto=6) / Raw(bytes(19)),
        IP(flags="MF") / TCP() / Raw(bytes(4)),
        IP(proto=6, frag=1) / Raw(bytes(24)),
        IP() / UDP() / Raw(bytes(24)),
    ],
    ids=["RST", "RST ACK", "offset 4", "offset 6", "cut off", "first fragment", "later fragment", "UDP"],
)
def test_what_a_reset_could_not_answer_gets_none(sent: Layer) -> None:
    """RFC 9293 section 3.10.7.1: a reset gets none, and neither does a segment whose number cannot be known."""
    sent.src, sent.dst = "10.0.0.1", "198.51.100.1"

    assert reset(read(ETHERNET / sent)) is None


# Whatever comes


@settings(max_examples=300)
@given(frame=hostile_frames())
def test_whatever_comes_is_answered_soundly_or_not_at_all(frame: bytes) -> None:
    """Anybody may send bytes: never an exception."""
    ip = Ipv4.parse(frame)
    for told in (unreachable(ip, code=13, source=GATEWAY.address), reset(ip)) if ip else ():
        assert told is None or (read(told).is_intact and len(told) <= 14 + 576)
