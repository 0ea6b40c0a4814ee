"""Packets that were sent, matched with those that arrived: each fault counts as what it is, and as no other."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from testbed.evidence.matching import Matched, apart, match, unsent
from testbed.evidence.packets import Packet, packet

ALICE, SERVER = 0, 1
INSIDE, OUTSIDE = {"src": "10.0.0.1", "dst": "198.51.100.1"}, {"src": "192.0.2.1", "dst": "198.51.100.1"}


def datagram(number: int, *, at: float, host: int = ALICE, data: bytes | None = None, **fields: Any) -> Packet:
    """Return a datagram by its number, as alice sends it or as the server gets it."""
    ip = (INSIDE if host == ALICE else OUTSIDE) | {"ttl": 64 - host, "flags": "DF"} | fields
    load = b"datagram %d" % number if data is None else data
    return packet(bytes(Ether() / IP(**ip) / UDP(sport=1000, dport=7) / Raw(load)), at=at, host=host)


def segment(*, at: float, host: int = ALICE, **fields: Any) -> Packet:
    """Return a SYN with options, as alice sends it or as the server gets it."""
    ip = (INSIDE if host == ALICE else OUTSIDE) | {"ttl": 64 - host}
    ip |= {"dst": fields.pop("dst", ip["dst"])}
    tcp = {"sport": 1000, "dport": 7, "seq": 5, "flags": "S", "options": [("MSS", 1460)]} | fields
    return packet(bytes(Ether() / IP(**ip) / TCP(**tcp)), at=at, host=host)


def matched(sent: list[Packet], arrived: list[Packet]) -> Matched:
    """Match with one NAT on the way."""
    return match(sent, arrived, lambda one, other: 1)


SENT = [datagram(number, at=float(number)) for number in range(4)]


def came(number: int, at: float | None = None, **fields: Any) -> Packet:
    """Return a datagram as it arrives, by default half a second after it was sent."""
    return datagram(number, at=number + 0.5 if at is None else at, host=SERVER, **fields)


def faults(found: Matched) -> dict[str, Any]:
    """Return what is not as it should be."""
    figures = {name: getattr(found, name) for name in ("lost", "doubled", "reordered", "damaged")}
    return {name: count for name, count in figures.items() if count} | dict(found.rewritten)


ALL = [came(number) for number in range(4)]


@pytest.mark.parametrize(
    ("arrived", "expected"),
    [
        (ALL, {}),
        (ALL[:3], {"lost": 1}),
        ([*ALL, came(2, 9.0)], {"doubled": 1}),
        ([*ALL, came(2, 9.0), came(2, 9.1)], {"doubled": 2}),
        ([ALL[0], ALL[2], came(1, 2.7), ALL[3]], {"reordered": 1}),
        ([*ALL[:3], came(3, data=b"damaged")], {"damaged": 1}),
        ([*ALL[:3], came(3, 3.5, ttl=64)], {"TTL": 1}),
        ([*ALL[:3], came(3, tos=8)], {"TOS": 1}),
        ([*ALL[:3], came(3, flags="")], {"fragmentation bits": 1}),
        ([*ALL, came(7)], {"damaged": 1}),
        ([], {"lost": 4}),
    ],
    ids=["all", "lost", "doubled", "tripled", "reordered", "damaged", "TTL", "TOS", "DF", "invented", "none"],
)
def test_each_fault_is_counted_as_what_it_is(arrived: list[Packet], expected: dict[str, int]) -> None:
    """A packet that is damaged is neither lost nor new, and one that came late is not lost."""
    assert faults(matched(SENT, arrived)) == expected


def test_a_wrong_checksum_is_damage() -> None:
    """The packet is known by its content, which is whole."""
    wrong = dataclasses.replace(came(3), intact=False)

    assert faults(matched(SENT, [*ALL[:3], wrong])) == {"damaged": 1}


def test_a_copy_at_another_host_is_no_double() -> None:
    """Who gets what is a question of its own."""
    elsewhere = dataclasses.replace(came(3), host=2)

    assert faults(matched(SENT, [*ALL, elsewhere])) == {}


def test_what_was_sent_twice_may_arrive_twice() -> None:
    """As a kernel's SYN that had no answer; and one of the two may be refused."""
    sent = [segment(at=0.0), segment(at=1.0, options=[("MSS", 1460), ("WScale", 7)])]

    assert (
        faults(matched(sent, [segment(at=0.1, host=SERVER), dataclasses.replace(sent[1], host=SERVER, ttl=63)]))
        == {}
    )
    (wait,) = matched(sent, [dataclasses.replace(sent[1], at=1.25, host=SERVER, ttl=63)]).waits
    assert wait == 0.25


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"options": [("NOP", None)] * 4}, "TCP options"),
        ({"window": 1}, "TCP window"),
        ({"flags": "SE"}, "TCP flags"),
        ({"ack": 1}, "TCP acknowledgement"),
        ({"urgptr": 1}, "TCP urgent pointer"),
    ],
    ids=["options", "window", "flags", "acknowledgement", "urgent"],
)
def test_a_field_of_a_syn_that_was_rewritten_is_named(changed: dict[str, Any], name: str) -> None:
    """It is known by its sequence number, whatever else has changed."""
    assert faults(matched([segment(at=0.0)], [segment(at=0.1, host=SERVER, **changed)])) == {name: 1}


def test_a_syn_that_nobody_sent_is_not_counted() -> None:
    """It has a count of its own."""
    assert faults(matched(SENT, [*ALL, segment(at=9.0, host=SERVER)])) == {}


@pytest.mark.parametrize(
    ("arrived", "expected"),
    [
        ({}, 0),
        ({"sport": 2000}, 0),
        ({"seq": 6}, 1),
        ({"dst": "203.0.113.1"}, 1),
        ({"host": ALICE, "seq": 6}, 0),
        ({"seq": 6, "flags": "A"}, 0),
    ],
    ids=["its own", "translated", "another number", "to another server", "at a client", "no SYN"],
)
def test_a_syn_at_a_server_that_nobody_sent_to_it_is_counted(arrived: dict[str, Any], expected: int) -> None:
    """A NAT changes a SYN's source, and never its number or its target."""
    assert unsent([segment(at=0.0)], [segment(**{"at": 0.1, "host": SERVER} | arrived)], [SERVER]) == expected


@pytest.mark.parametrize(
    ("flags", "numbers", "expected"),
    [
        ("DF", [7, 7, 7, 7], {}),
        ("", [4, 5, 6, 7], {}),
        ("", [7, 7, 6, 5], {"identification": 1}),
        ("", [7, 7, 7, 7], {"identification": 3}),
    ],
    ids=["atomic", "other numbers", "one again", "one for all"],
)
def test_identifications_may_change_but_stay_distinct(
    flags: str, numbers: list[int], expected: dict[str, int]
) -> None:
    """RFC 6864 section 4: that of an atomic datagram means nothing; others are distinct."""
    sent = [datagram(number, at=float(number), id=100 + number, flags=flags) for number in range(4)]
    arrived = [came(number, id=numbers[number], flags=flags) for number in range(4)]

    found = matched(sent, arrived)
    assert faults(found) == expected
    assert found.renumbered == 4


def test_data_that_came_at_last_but_not_each_time_were_lost_again() -> None:
    """What never came was lost as well, but a NAT may refuse that. Datagrams have nobody who sends them again."""
    hello = [segment(at=at, flags="PA", seq=9) for at in (1.0, 1.2, 1.6)]
    refused = [segment(at=at, flags="PA", seq=50) for at in (1.0, 1.2)]
    came_at_last = segment(at=1.7, host=SERVER, flags="PA", seq=9)

    found = matched([*hello, *refused], [came_at_last])
    assert (found.again, found.segments) == (2, 1)
    assert matched([SENT[0], SENT[0]], [ALL[0]]).again == 0


ONE, OTHER = b"one", b"other"


@pytest.mark.parametrize(
    ("passings", "expected"),
    [
        ([(0, 5, ONE), (1, 6, ONE), (2, 7, ONE)], []),
        ([(0, 5, ONE), (1, 2, ONE), (2, 7, ONE)], [5]),
        ([(0, 5, ONE), (1, 2, OTHER), (2, 7, ONE)], []),
        ([(0, 5, ONE), (5, 9, ONE), (9, 10, ONE)], [5, 4, 1]),
        ([(0, 9, ONE), (1, 8, ONE), (2, 3, ONE)], [9, 7]),
    ],
    ids=["in a queue", "passed", "of another NAT", "alone", "two passed by one"],
)
def test_what_waits_apart_is_explained_by_no_queue(
    passings: list[tuple[float, float, bytes]], expected: list[float]
) -> None:
    """It was passed by what came later, or nothing else was under way."""
    assert apart(passings) == expected


def test_syns_and_their_answers_are_timed_apart() -> None:
    """A NAT may delay those of one way only."""
    syn, answer = segment(at=1.0), segment(at=2.0, seq=7, flags="SA")
    found = matched(
        [syn, answer], [segment(at=1.5, host=SERVER), segment(at=2.25, host=SERVER, seq=7, flags="SA")]
    )

    assert (found.openings, found.acceptances) == ([0.5], [0.25])


def test_delays_are_counted_from_a_limit_on() -> None:
    """By the kernel's times at both ends."""
    found = matched(SENT, [came(0, 0.05), came(1, 1.1), came(2, 2.5)])

    assert found.delayed(0.0999) == 2


@pytest.mark.parametrize("layer", [UDP(), TCP(), ICMP(), ICMP(type=0)], ids=["udp", "tcp", "echo", "reply"])
@pytest.mark.parametrize("data", [b"", b"odd", b"even"])
@pytest.mark.parametrize("padding", [b"", bytes(18)], ids=["bare", "padded"])
def test_a_packet_with_a_flipped_bit_is_not_intact(layer: Any, data: bytes, padding: bytes) -> None:
    """What Ethernet adds at the end is not the packet's."""
    frame = bytes(Ether() / IP(**INSIDE) / layer / Raw(data))

    assert packet(frame + padding, at=0.0, host=0).intact
    for at in range(14, len(frame)):
        flipped = bytearray(frame + padding)
        flipped[at] ^= 0x10
        if at not in (14, 16, 17):  # the lengths: then it is another packet altogether
            assert not packet(bytes(flipped), at=0.0, host=0).intact or at == 23


def test_a_packet_that_ends_in_its_headers_is_not_intact() -> None:
    """A NAT may cut off what it likes."""
    frame = bytes(Ether() / IP(**INSIDE) / TCP() / Raw(b"data"))

    assert not packet(frame[:40], at=0.0, host=0).intact
    assert not packet(frame[:-1], at=0.0, host=0).intact
