"""The filters for frames from a wrong source and at a wrong host, as the kernel itself carries them out."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from testbed.evidence.filters import assembled, astray, foreign
from testbed.traffic.wire import ANSWER, HELLO, mark_of, nonce_of, token_of
from tests.support.filtering import passed

POOL = [IPv4Network("192.0.2.1"), IPv4Network("198.51.100.254")]
INSIDE = [IPv4Network("10.0.0.0/16")]
ALICE, BOB = "/proc/1/fd/10", "/proc/1/fd/11"
BOBS = [IPv4Network("10.0.0.2"), IPv4Network("10.64.0.0/30"), IPv4Network("10.0.255.255")]
SERVERS = [IPv4Network("198.51.100.0/24"), IPv4Network("192.0.2.7")]


def answer(netns: str = ALICE) -> bytes:
    """Return a server's answer to a client."""
    return ANSWER.pack(nonce_of(netns, 7), 0, bytes(4), 1024)


def hello(target: str) -> bytes:
    """Return a client's hello to an address."""
    return HELLO.pack(nonce_of(ALICE, 7), token_of((target, 7), 99))


@pytest.mark.parametrize(
    ("frame", "counts"),
    [
        (IP(src="192.0.2.1"), False),
        (IP(src="198.51.100.254"), False),
        (IP(src="192.0.2.2"), True),
        (IP(src="9.9.9.9"), True),
        (IP(src="10.0.0.1"), False),
        (ARP(psrc="198.51.100.254"), False),
        (ARP(psrc="192.0.2.1"), False),
        (ARP(psrc="10.0.0.1"), True),
        (ARP(psrc="9.9.9.9"), True),
        (IPv6(src="fe80::1"), True),
        (Dot1Q(vlan=4094) / IP(src="192.0.2.1"), True),
    ],
    ids=[
        "pool", "the NAT's own", "beside the pool", "anywhere", "inside, which is a leak", "ARP of the NAT",
        "ARP of the pool", "ARP of the LAN", "ARP of anybody", "IPv6", "a VLAN's tag",
    ],
)  # fmt: skip
def test_a_frame_from_a_wrong_source_counts(frame: Any, counts: bool) -> None:
    """The source of ARP is its sender's address, and what is neither IPv4 nor ARP comes from no NAT."""
    program = foreign(POOL, INSIDE, leaving=False)

    assert (
        bool(passed(program, [bytes(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / frame)])) is counts
    )


def test_what_the_host_sends_itself_is_not_what_leaves_and_the_reverse() -> None:
    """At a NAT's own interface only what it sends counts, and here all comes from elsewhere."""
    frame = bytes(Ether() / IP(src="9.9.9.9"))

    assert not passed(foreign(POOL, INSIDE, leaving=True), [frame])


def test_a_filter_may_have_hundreds_of_networks() -> None:
    """Tests reach 255 instructions, and jumps any number: ARP goes on behind all the inside networks."""
    inside = [IPv4Network((10 << 24 | number << 9, 24)) for number in range(400)]
    right = [IPv4Network(192 << 24 | number << 1) for number in range(400)]
    program = foreign(right, inside, leaving=False)
    sources = ["192.0.3.30", "192.0.3.31", "10.3.30.1", "10.3.31.1"]

    arp = [bytes(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=each)) for each in sources]
    ip = [bytes(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / IP(src=each)) for each in sources]
    assert passed(program, arp) == arp[1:]
    assert passed(program, ip) == [ip[1], ip[3]]


def test_a_label_that_is_missing_is_an_error() -> None:
    """A jump to nowhere would be a filter that the kernel refuses, or one that lies."""
    with pytest.raises(KeyError, match="nowhere"):
        assembled([(0x15, 1, "nowhere", "here"), "here", (0x06, 0)])


@pytest.mark.parametrize(
    ("target", "counts"),
    [
        ("10.0.0.2", False),
        ("10.64.0.3", False),
        ("10.0.255.255", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("10.0.0.1", True),
        ("10.64.0.4", True),
        ("192.0.2.1", True),
    ],
)
@pytest.mark.parametrize("rest", [TCP(flags="SA"), UDP(), ICMP(type=3)], ids=["tcp", "udp", "icmp"])
def test_a_packet_for_another_address_is_astray(target: str, rest: Any, counts: bool) -> None:
    """A host's own are its addresses, the network behind it, its link's broadcasts, and groups."""
    frame = bytes(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / IP(dst=target) / rest)

    assert bool(passed(astray(BOBS, answers_to=mark_of(BOB)), [frame])) is counts


@pytest.mark.parametrize(
    ("rest", "counts"),
    [(ARP(), False), (IPv6(), True), (Raw(answer(ALICE)), True), (Dot1Q(vlan=7) / IP(dst="10.0.0.2"), True)],
    ids=["ARP", "IPv6", "anything", "a VLAN's tag"],
)
def test_what_is_neither_ipv4_nor_arp_is_astray_at_a_client(rest: Any, counts: bool) -> None:
    """At a server it comes from a wrong source, and counts once."""
    frame = bytes(Ether(src="02:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / rest)

    assert bool(passed(astray(BOBS, answers_to=mark_of(BOB)), [frame])) is counts
    assert not passed(astray(SERVERS), [frame])


OVER = {
    "udp": UDP(sport=7, dport=4000),
    "tcp": TCP(sport=7, dport=4000, flags="PA"),
    "tcp with options": TCP(sport=7, dport=4000, flags="PA", options=[("Timestamp", (1, 2)), ("NOP", None)]),
    "ping": ICMP(type=0),
}


@pytest.mark.parametrize("over", OVER.values(), ids=OVER)
@pytest.mark.parametrize(
    ("content", "counts"),
    [
        (answer(ALICE), True),
        (answer(BOB), False),
        (answer(ALICE) + b"x", False),
        (ANSWER.pack(7, 0, bytes(4), 1024), False),
        (hello("203.0.113.1"), False),
        (b"", False),
    ],
    ids=["another's", "its own", "something longer", "without a mark", "a hello", "nothing"],
)
def test_an_answer_to_another_client_is_astray(over: Any, content: bytes, counts: bool) -> None:
    """By the content alone, since addresses and ports are this client's. What is no answer does not count."""
    frame = bytes(Ether(src="02:00:00:00:00:01") / IP(src="198.51.100.1", dst="10.0.0.2") / over / Raw(content))

    assert bool(passed(astray(BOBS, answers_to=mark_of(BOB)), [frame])) is counts


@pytest.mark.parametrize(
    "over", [UDP(dport=7), TCP(dport=7, flags="PA"), ICMP(type=8)], ids=["udp", "tcp", "ping"]
)
@pytest.mark.parametrize(
    ("target", "counts"),
    [
        ("198.51.100.1", False),
        ("198.51.100.200", False),
        ("192.0.2.7", False),
        ("192.0.2.8", True),
        ("0.0.0.0", False),
        ("203.0.113.1", True),
    ],
)
def test_a_hello_to_another_server_is_astray(over: Any, target: str, counts: bool) -> None:
    """A client names the server that it means. One that names none is not judged."""
    frame = bytes(
        Ether(src="02:00:00:00:00:01") / IP(src="192.0.2.1", dst="198.51.100.1") / over / Raw(hello(target))
    )

    assert bool(passed(astray(SERVERS), [frame])) is counts


def test_the_rest_of_a_fragmented_packet_has_no_content_to_judge() -> None:
    """Its bytes may look like anything; its addresses count as ever."""

    def rest(target: str) -> bytes:
        fragment = IP(src="198.51.100.1", dst=target, proto=17, frag=185)
        return bytes(Ether(src="02:00:00:00:00:01") / fragment / UDP() / Raw(answer(ALICE)))

    program = astray(BOBS, answers_to=mark_of(BOB))
    assert passed(program, [rest("10.0.0.2"), rest("10.0.0.1")]) == [rest("10.0.0.1")]
