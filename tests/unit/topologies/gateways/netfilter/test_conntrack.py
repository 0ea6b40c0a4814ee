"""Reading what conntrack and nft print: connections, statistics and counters."""

from __future__ import annotations

import pytest

from topologies.gateways.netfilter import conntrack

LISTING = """\
tcp      6 6 ESTABLISHED src=10.0.0.1 dst=198.51.100.1 sport=40000 dport=7 src=198.51.100.1 dst=192.0.2.1 \
sport=7 dport=1030 [ASSURED] mark=0 use=1
tcp      6 0 TIME_WAIT src=10.0.0.2 dst=203.0.113.1 sport=40000 dport=7 src=203.0.113.1 dst=192.0.2.1 \
sport=7 dport=1030 [ASSURED] mark=0 use=1
udp      17 8 src=10.0.0.1 dst=198.51.100.1 sport=50000 dport=7 [UNREPLIED] src=198.51.100.1 dst=192.0.2.2 \
sport=7 dport=1031 mark=0 use=1
icmp     1 29 src=10.0.0.1 dst=198.51.100.1 type=8 code=0 id=2966 src=198.51.100.1 dst=192.0.2.1 \
type=0 code=0 id=1032 mark=0 use=1
"""


@pytest.mark.parametrize(
    ("protocol", "endpoints"),
    [
        ("tcp", {("192.0.2.1", "1030")}),
        ("udp", {("192.0.2.2", "1031")}),
        ("icmp", {("192.0.2.1", "1032")}),
    ],
)
def test_a_port_that_two_connections_share_is_one_port(protocol: str, endpoints: set[tuple[str, str]]) -> None:
    """External endpoints are read from the answers' side of `conntrack -L`, answered or not."""
    assert conntrack.external_endpoints(LISTING, protocol) == endpoints


def test_statistics_are_summed_over_the_processors() -> None:
    """`conntrack -S` has a line for each processor."""
    listing = (
        "cpu=0   \tfound=5 invalid=0 insert=0 insert_failed=3 drop=3 early_drop=0\n"
        "cpu=1   \tfound=2 invalid=1 insert=0 insert_failed=4 drop=5 early_drop=0\n"
    )

    assert conntrack.statistics(listing) == {
        "found": 7,
        "invalid": 1,
        "insert": 0,
        "insert_failed": 7,
        "drop": 8,
        "early_drop": 0,
    }


def test_counters_are_read_by_their_names() -> None:
    """Nft's JSON has more than counters."""
    listing = (
        '{"nftables": [{"metainfo": {"version": "1.0.6"}},'
        ' {"counter": {"family": "ip", "name": "dropped_rate_packets_tcp", "packets": 8, "bytes": 480}}]}'
    )

    assert conntrack.named_counters(listing) == {"dropped_rate_packets_tcp": 8}


def test_the_kernel_s_sums_are_over_all_processors_and_in_hexadecimal() -> None:
    """But for the number of entries, which each line has whole."""
    text = (
        "entries  clashres found insert_failed drop early_drop\n"
        "0000010a  00000000 00000001 0000000f 00000000 00000001\n"
        "0000010a  00000000 00000002 00000001 00000000 00000000\n"
    )

    sums = conntrack.in_short(text)

    assert (sums["entries"], sums["insert_failed"], sums["early_drop"]) == (266, 16, 1)
