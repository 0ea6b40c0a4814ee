"""Sending a packet on in fragments: another implementation puts them together again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP, IPOption_Router_Alert, IPOption_RR
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from controller.openflow.fragmenting import Identifications, fragments
from tests.support.flowtable import with_checksums
from tests.support.packets import ETHERNET, put_together, read

COPIED = IPOption_Router_Alert()


@given(data=st.integers(1, 5000), most=st.integers(68, 1500), flags=st.sampled_from([0, "DF"]))
def test_fragments_fit_and_make_the_packet_again(data: int, most: int, flags: object) -> None:
    """In their order, each with a right header, and none larger than it may be (RFC 791 section 3.2)."""
    sent = (
        ETHERNET
        / IP(id=7, flags=flags, ttl=9, tos=4)
        / UDP(sport=5, dport=7)
        / random.Random(data).randbytes(data)
    )

    made = [Ether(frame) for frame in fragments(read(sent), most, 1234)]

    assert all(each[IP].len <= most and each[IP].id == 1234 for each in made)
    assert [each[IP].frag for each in made] == sorted(each[IP].frag for each in made)
    assert all(bytes(with_checksums(each, [IP])) == bytes(each) for each in made)
    assert {bool(each[IP].flags.DF) for each in made} == {flags == "DF"}
    for each in made:
        each[IP].flags.DF = False  # Scapy takes no fragment that has it
    whole = put_together(made) if len(made) > 1 else made[0]
    whole[IP].id, whole[IP].flags = 7, flags
    assert bytes(with_checksums(whole, [IP])) == bytes(Ether(bytes(sent)))


def test_options_stay_with_the_first_fragment_unless_they_are_to_be_copied() -> None:
    """RFC 791 section 3.1: the copied flag of each option."""
    route = IPOption_RR(routers=["192.0.2.9"])
    sent = ETHERNET / IP(options=[route, COPIED]) / UDP() / Raw(bytes(2000))

    first, *later = [Ether(frame) for frame in fragments(read(sent), 600, 1)]

    assert bytes(first[IP].options[0]) == bytes(route)
    assert {bytes(each[IP])[20 : each[IP].ihl * 4] for each in later} == {bytes(COPIED)}


def test_padding_is_no_part_of_a_packet() -> None:
    """A short frame is filled up to what Ethernet wants."""
    sent = bytes(ETHERNET / IP() / UDP() / Raw(bytes(100))) + b"padding"

    *_, last = fragments(read(sent), 100, 1)

    assert last.endswith(bytes(8))


def test_an_identification_comes_again_only_after_all_others() -> None:
    """RFC 6864 section 4.3, for one source, destination and protocol."""
    identifications = Identifications(random.Random(1))

    taken = [identifications.next(1, 2, 17) for _ in range(65_536)]

    assert len(set(taken)) == 65_536


@pytest.mark.parametrize("seed", [1, 2])
def test_identifications_do_not_begin_at_the_same_number_everywhere(seed: int) -> None:
    """RFC 7739: nobody can foresee another destination's from their own."""
    identifications = Identifications(random.Random(seed))

    assert len({identifications.next(1, host, 17) for host in range(100)}) > 90
