"""Putting fragments together: in any order, within bounds, and never two packets into one."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet as Layer
from scapy.packet import Raw

from controller.openflow.reassembly import Reassembly, Whole
from tests.support.packets import ETHERNET, OPTIONS, in_fragments, read

TIMEOUT = 15.0
DATA = random.Random(1).randbytes(1000)


def datagram(identification: int = 1, data: bytes = DATA, **fields: object) -> Layer:
    """Return a datagram of 1,008 bytes after its header."""
    header = IP(src="10.0.0.1", dst="198.51.100.1", id=identification, **fields)
    return Ether(bytes(ETHERNET / header / UDP(sport=5, dport=7) / Raw(data)))


def piece(start: int, data: bytes, *, more: bool = True, **fields: object) -> Layer:
    """Return one fragment of a datagram, with what Scapy would not make."""
    header = IP(src="10.0.0.1", dst="198.51.100.1", proto=17, id=1, flags=int(more), frag=start // 8, **fields)
    return ETHERNET / header / Raw(data)


class Bench:
    """A reassembly, with the time."""

    def __init__(self, limit: int = 1000) -> None:
        self.reassembly = Reassembly(limit, TIMEOUT)
        self.now = 0.0

    def add(self, *fragments: Layer | bytes, in_port: int = 1) -> list[Whole]:
        """Let fragments come, and return the packets that they completed."""
        taken = [self.reassembly.add(in_port, read(bytes(each)), self.now) for each in fragments]
        return [whole for whole in taken if whole is not None]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.reassembly.tick(self.now)

    @property
    def counts(self) -> tuple[int, int, int]:
        """What waits, what was dropped, and how often the limit was reached."""
        return self.reassembly.waiting, self.reassembly.dropped, self.reassembly.times_full


@given(
    size=st.integers(40, 600),
    seed=st.integers(0, 1000),
    doubled=st.integers(0, 5),
    options=st.sampled_from([[], OPTIONS]),
)
def test_fragments_make_a_packet_in_any_order(size: int, seed: int, doubled: int, options: list[object]) -> None:
    """Some of them come twice (RFC 4787 REQ-14)."""
    bench, chance = Bench(), random.Random(seed)
    sent = datagram(options=options)
    fragments = in_fragments(sent, size)
    coming = fragments + chance.choices(fragments, k=doubled)
    chance.shuffle(coming)
    last = max(coming.index(each) for each in fragments)

    (whole,) = bench.add(*coming[: last + 1])

    assert whole.ip.frame == bytes(sent)
    assert whole.first.frame == bytes(fragments[0])
    assert whole.most == max(each[IP].len for each in fragments)
    assert bench.counts == (0, 0, 0)


def test_fragments_of_several_packets_are_told_apart() -> None:
    """By source, destination, protocol, identification and port: each packet gets its own."""
    bench = Bench()
    packets = [
        datagram(1),
        datagram(2, DATA[::-1]),
        Ether(bytes(ETHERNET / IP(src="10.0.0.2", dst="198.51.100.1", id=1) / UDP() / DATA)),
        Ether(bytes(ETHERNET / IP(src="10.0.0.1", dst="198.51.100.2", id=1) / UDP() / DATA)),
        Ether(bytes(ETHERNET / IP(src="10.0.0.1", dst="198.51.100.1", id=1) / TCP() / DATA)),
    ]
    rows = zip(*(in_fragments(each, 512) for each in packets), strict=True)

    wholes = bench.add(*itertools.chain(*rows))

    assert [whole.ip.frame for whole in wholes] == [bytes(each) for each in packets]


def test_what_comes_by_another_port_is_of_another_packet() -> None:
    """A neighbour on the LAN cannot complete, or spoil, what a host has begun."""
    bench = Bench()
    first, second = in_fragments(datagram(), 512)

    assert bench.add(first, in_port=1) == bench.add(second, in_port=2) == []


OVERLAPS = {
    "other bytes": (piece(0, DATA[:16]), piece(0, DATA[16:32])),
    "longer": (piece(0, DATA[:16]), piece(0, DATA[:24])),
    "shorter": (piece(0, DATA[:24]), piece(0, DATA[:16])),
    "across": (piece(0, DATA[:24]), piece(16, DATA[16:40])),
    "across, backward": (piece(16, DATA[16:40]), piece(0, DATA[:24])),
    "within": (piece(0, DATA[:64]), piece(16, DATA[16:24])),
    "around": (piece(16, DATA[16:24]), piece(0, DATA[:64])),
    "another end": (piece(16, DATA[:8], more=False), piece(24, DATA[:8], more=False)),
    "beyond the end": (piece(16, DATA[:8], more=False), piece(24, DATA[:8])),
    "an end before others": (piece(24, DATA[:8]), piece(16, DATA[:8], more=False)),
}


@pytest.mark.parametrize("pair", OVERLAPS.values(), ids=OVERLAPS)
def test_a_packet_whose_fragments_contradict_each_other_is_dropped(pair: tuple[Layer, Layer]) -> None:
    """Also all that comes of it later (RFC 1858, RFC 3128, RFC 5722); the next packet is not concerned."""
    bench = Bench()
    rest = [piece(0, DATA[:16]), piece(16, DATA[16:24], more=False)]

    assert bench.add(*pair, *rest) == []
    assert bench.counts == (1, 4, 0)
    bench.wait(TIMEOUT)
    assert bench.counts == (0, 4, 0)
    assert len(bench.add(*rest)) == 1


UNSOUND = {
    "no data": piece(0, b""),
    "no multiple of 8": piece(0, DATA[:20]),
    "tiny, of TCP": ETHERNET / IP(src="10.0.0.1", proto=6, flags=1) / Raw(DATA[:16]),
    "within TCP's header": ETHERNET / IP(src="10.0.0.1", proto=6, flags=1, frag=1) / Raw(DATA[:16]),
}


@pytest.mark.parametrize("fragment", UNSOUND.values(), ids=UNSOUND)
def test_a_fragment_that_makes_no_sense_is_dropped(fragment: Layer | bytes) -> None:
    """RFC 1858 section 3 has the tiny ones."""
    bench = Bench()

    assert bench.add(fragment) == []
    assert bench.counts == (0, 1, 0)


@pytest.mark.parametrize(("options", "start"), [([], 65_512), (OPTIONS, 65_504)], ids=["header", "with options"])
def test_no_packet_is_larger_than_a_packet_can_be(options: list[object], start: int) -> None:
    """65,535 bytes with its header: what a ping of death would exceed."""
    bench = Bench()
    size = 65_535 - 20 - len(options) + 1 - start

    fits = piece(start, bytes(size - 1), more=False)
    exceeds = piece(start, bytes(size), more=False)

    first = piece(0, bytes(start), options=options)
    assert len(bench.add(first, fits)) == 1
    assert bench.add(first, exceeds) == []
    assert bench.add(exceeds, first) == []


def test_what_waits_for_too_long_is_dropped() -> None:
    """The rest of a packet that comes after it begins a new one, which waits in vain."""
    bench = Bench()
    first, second = in_fragments(datagram(), 512)
    bench.add(first)

    bench.wait(TIMEOUT - 0.001)
    assert bench.counts == (1, 0, 0)
    bench.wait(0.001)
    assert bench.counts == (0, 1, 0)
    assert bench.add(second) == []
    assert bench.counts == (1, 1, 0)


def test_the_packet_that_has_waited_longest_makes_room() -> None:
    """RFC 4787 REQ-14a: fragments that follow each other pass, however many others never come whole."""
    bench = Bench(limit=8)

    for number in range(200):
        bench.add(in_fragments(datagram(number), 512)[0])
    assert bench.counts == (8, 192, 1)
    assert len(bench.add(*in_fragments(datagram(300), 512))) == 1


def test_a_limit_is_announced_again_when_half_of_it_was_free() -> None:
    """One flood is one event."""
    bench = Bench(limit=8)

    for number in range(20):
        bench.add(in_fragments(datagram(number), 512)[0])
    bench.wait(TIMEOUT)
    bench.add(in_fragments(datagram(30), 512)[0])
    assert bench.reassembly.times_full == 1
    for number in range(40, 60):
        bench.add(in_fragments(datagram(number), 512)[0])
    assert bench.reassembly.times_full == 2


def test_with_a_limit_of_none_no_fragment_passes() -> None:
    """RFC 8512 fragment-behavior drop-all."""
    bench = Bench(limit=0)

    assert bench.add(*in_fragments(datagram(), 512)) == []
    assert bench.counts == (0, 2, 1)


@pytest.mark.parametrize(("marks", "expected"), [((1, 3), 3), ((2, 3), 3), ((1, 1), 1), ((0, 3), None)], ids=str)
def test_a_mark_of_congestion_is_not_lost(marks: tuple[int, int], expected: int | None) -> None:
    """RFC 3168 section 5.3: a packet has it if one of its fragments has it, and all could have."""
    bench = Bench()
    fragments = [piece(0, DATA[:16], tos=marks[0]), piece(16, DATA[:8], more=False, tos=marks[1])]

    wholes = bench.add(*fragments)

    assert [Ether(whole.ip.frame)[IP].tos for whole in wholes] == ([] if expected is None else [expected])
    assert bench.counts == (0, 0 if wholes else 2, 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(1, 3), st.booleans(), st.booleans()),
        max_size=40,
    ),
    st.integers(0, 6),
)
def test_nothing_but_what_was_sent_comes_out_and_what_waits_is_bounded(
    coming: list[tuple[int, int, int, bool, bool]], limit: int
) -> None:
    """Of any fragments with one of two contents, what comes out was sent at its place, and is complete."""
    bench = Bench(limit)
    contents = (bytes(range(80)), bytes(range(80, 160)))

    for identification, start, length, more, is_other in coming:
        data = contents[is_other][8 * start : 8 * (start + length)]
        fragment = piece(8 * start, data, more=more)
        fragment[IP].id = identification
        for whole in bench.add(fragment):
            places = zip(whole.ip.frame[34:], *contents, strict=False)
            assert all(byte in might_be for byte, *might_be in places)
            assert len(whole.ip.frame) == 14 + Ether(whole.ip.frame)[IP].len
        assert bench.reassembly.waiting <= limit
    bench.wait(TIMEOUT)
    assert bench.reassembly.waiting == 0
