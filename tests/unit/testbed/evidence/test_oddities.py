"""Packets that only a NAT can have made: the filter, as the kernel itself carries it out, and what it counts."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, GRE, Ether
from scapy.packet import Raw

from testbed.evidence.oddities import FRAGMENTED, PROTOCOLS, QUOTED, kind_of, odd
from tests.support.filtering import passed

INSIDE = [IPv4Network("10.0.0.0/16"), IPv4Network("10.64.0.0/30")]
EXEMPT = [IPv4Network("203.0.113.0/24")]
OF_ALICE = IP(src="10.0.0.1", dst="198.51.100.1") / TCP()
TRANSLATED = IP(src="198.51.100.1", dst="192.0.2.1") / TCP()


@pytest.mark.parametrize(
    ("packet", "kind"),
    [
        (IP() / TCP(), None),
        (IP() / UDP() / Raw(bytes(1400)), None),
        (IP() / ICMP(), None),
        (ARP(), None),
        (IPv6(), None),
        (IP(flags="MF") / UDP(), FRAGMENTED),
        (IP(frag=2, proto=6) / Raw(bytes(16)), FRAGMENTED),
        (IP(flags="DF") / TCP(), None),
        (IP() / GRE() / OF_ALICE, PROTOCOLS),
        (IP() / IP() / TCP(), PROTOCOLS),
        (IP(dst="224.0.0.22", proto=2), None),
        (IP(dst="224.0.1.1", proto=2), PROTOCOLS),
        (IP(dst="224.0.0.22") / GRE(), PROTOCOLS),
        (IP() / ICMP(type=3, code=3) / OF_ALICE, QUOTED),
        (IP(options=[b"\x01"] * 4) / ICMP(type=3, code=3) / OF_ALICE, QUOTED),
        (IP() / ICMP(type=11) / IP(src="198.51.100.1", dst="10.64.0.3") / UDP(), QUOTED),
        (IP() / ICMP(type=3, code=3) / TRANSLATED, None),
        (IP() / ICMP(type=3, code=3), None),
        (IP() / ICMP(type=0) / OF_ALICE, None),
        (IP(dst="203.0.113.7") / ICMP(type=3, code=3) / OF_ALICE, None),
    ],
    ids=[
        "TCP", "UDP", "ping", "ARP", "IPv6", "first fragment", "last fragment", "must not be fragmented", "GRE",
        "IP in IP", "IGMP on the link", "IGMP elsewhere", "GRE to a group", "inside source quoted",
        "quoted behind options", "inside target quoted", "translated quote", "no quote", "in a ping's answer",
        "to an untranslated destination",
    ],
)  # fmt: skip
def test_what_no_host_sends_passes_the_filter_and_has_a_kind(packet: Any, kind: str | None) -> None:
    """All come as if they arrived at a server."""
    frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)

    found = passed(odd(INSIDE, EXEMPT, mtu=1500), [frame])
    assert [kind_of(each, leaves=False) for each in found] == ([kind] if kind else [])


def test_errors_inside_may_quote_inside_addresses() -> None:
    """A client's filter has no networks to look for."""
    frame = bytes(Ether(src="02:00:00:00:00:01") / IP() / ICMP(type=3, code=3) / OF_ALICE)

    assert not passed(odd((), (), mtu=1500), [frame])


def test_there_may_be_hundreds_of_inside_networks() -> None:
    """Tests of the kernel's filters reach 255 instructions."""
    inside = [IPv4Network((10 << 24 | number << 9, 24)) for number in range(400)]
    ether = Ether(src="02:00:00:00:00:01")
    last, beside = (bytes(ether / IP() / ICMP(type=3) / IP(src=each)) for each in ("10.3.30.1", "10.3.31.1"))

    assert passed(odd(inside, EXEMPT, mtu=1500), [last, beside]) == [last]
