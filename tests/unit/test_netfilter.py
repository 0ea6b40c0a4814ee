"""The gateway netfilter without a kernel: its rules, what it refuses, and how it reads conntrack."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError, Settings
from controller.settings.keys import Keys
from controller.wiring import Interface, Side
from testbed.experiment.promise import Promise
from topologies.gateways.base import GatewayPlan
from topologies.gateways.netfilter import conntrack, facts
from topologies.gateways.netfilter.gateway import NetfilterGateway, NetfilterOptions, links, rules
from topologies.gateways.tracking import HARMLESS

NOBODY_ELSE = """\
# Source NAT as a Linux router does it; made from the settings by topologies/gateways/netfilter/gateway.py.
table ip lastport {
    counter dropped_unmapped_packets_tcp { }
    counter dropped_unmapped_packets_udp { }
    counter dropped_unmapped_packets_icmp { }
    counter dropped_port_limit_packets_tcp { }
    counter dropped_port_limit_packets_udp { }
    counter dropped_port_limit_packets_icmp { }
    counter dropped_state_limit_packets_tcp { }
    counter dropped_state_limit_packets_udp { }
    counter dropped_state_limit_packets_icmp { }
    counter dropped_rate_packets_tcp { }
    counter dropped_rate_packets_udp { }
    counter dropped_rate_packets_icmp { }

    chain arriving {
        # After the reverse translation: what is still for an external address belongs to no connection.
        type filter hook prerouting priority filter; policy accept;
        ip daddr 192.0.2.1 meta l4proto { tcp, udp, icmp } counter name meta l4proto map { \
tcp : "dropped_unmapped_packets_tcp", udp : "dropped_unmapped_packets_udp", \
icmp : "dropped_unmapped_packets_icmp" } drop
        ip daddr 192.0.2.1 drop
    }

    chain own {
        type filter hook input priority filter; policy drop;
        meta l4proto icmp accept
    }

    chain passing {
        type filter hook forward priority filter; policy drop;
        # Such as TCP that does not begin with a SYN: the NAT would not translate it.
        ct state invalid counter name meta l4proto map { \
tcp : "dropped_unmapped_packets_tcp", udp : "dropped_unmapped_packets_udp", \
icmp : "dropped_unmapped_packets_icmp" } drop
        ct status confirmed accept
        iifname "br0" oifname != "br0" meta l4proto { tcp, udp, icmp } jump beginning
    }

    chain beginning {
        accept
    }

    chain leaving {
        type nat hook postrouting priority srcnat; policy accept;
        iifname "br0" meta l4proto { tcp, udp, icmp } snat to 192.0.2.1:1024-1087
    }
}
"""


def settings(**changes: Any) -> Settings:
    """Return Linux's defaults, changed."""
    return Settings(**{**facts.DEFAULTS, "ports": 64, **changes})


def line(words: str, *, fully_random: bool = False, **changes: Any) -> str:
    """Return the one line of the rules that has these words, up to what becomes of the packet."""
    text = rules(settings(**changes), fully_random=fully_random)
    (found,) = [each.strip() for each in text.splitlines() if words in each]
    return found.partition(" counter name ")[0]


def refusal(*, fully_random: bool = False, **changes: Any) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        NetfilterGateway.check(settings(**changes), NetfilterOptions(fully_random=fully_random))
    return str(refused.value)


def test_the_rules_of_a_small_nat() -> None:
    """All of them, by default: one address, 64 ports, no limit."""
    assert rules(settings(), fully_random=False) == NOBODY_ELSE


@pytest.mark.parametrize(
    ("changes", "snat"),
    [
        ({"ports": 1}, "192.0.2.1:1024"),
        ({"ports": 64512}, "192.0.2.1:1024-65535"),
        ({"external_addresses": 3}, "192.0.2.1-192.0.2.3:1024-1087"),
        ({"port_allocation_type": "linux-like"}, "192.0.2.1:1024-1087"),
        ({"port_allocation_type": "random"}, "192.0.2.1:1024-1087 random"),
        ({"port_allocation_type": "random", "fully_random": True}, "192.0.2.1:1024-1087 fully-random"),
        ({"address_allocation_type": "paired"}, "192.0.2.1:1024-1087 persistent"),
        (
            {"port_allocation_type": "random", "address_allocation_type": "paired"},
            "192.0.2.1:1024-1087 random,persistent",
        ),
    ],
    ids=str,
)
def test_how_ports_and_addresses_are_given(changes: dict[str, Any], snat: str) -> None:
    """By the words of nft's snat."""
    assert line("snat", **changes).endswith(f" snat to {snat}")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"port_quota": 5}, "add @port_quota { ip saddr ct count over 5 }"),
        ({"port_quota_tcp": 6}, "meta l4proto tcp add @port_quota_tcp { ip saddr ct count over 6 }"),
        ({"port_quota_udp": 7}, "meta l4proto udp add @port_quota_udp { ip saddr ct count over 7 }"),
        ({"port_quota_icmp": 8}, "meta l4proto icmp add @port_quota_icmp { ip saddr ct count over 8 }"),
        ({"limit_sessions": 9}, "ct count over 9"),
        (
            {"new_mapping_rate_per_subscriber": 10},
            "add @rates { ip saddr limit rate over 10/second burst 10 packets }",
        ),
        (
            {"new_mapping_rate_per_subscriber": 0.5},
            "add @rates { ip saddr limit rate over 30/minute burst 1 packets }",
        ),
    ],
    ids=str,
)
def test_each_limit_is_a_rule(changes: dict[str, Any], rule: str) -> None:
    """It counts the connections of a source, or of all."""
    assert line(" over ", **changes) == rule


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hold_down_timeout": 5}, "setting hold_down_timeout=5"),
        ({"on_exhaustion": "icmp"}, "take on_exhaustion=drop"),
        ({"on_exhaustion": "hold"}, "holds nothing"),
        ({"refresh_inbound": False}, "by packets of both directions"),
        ({"port_allocation_type": "sequential"}, "take port_allocation_type=preserving or random or linux-like"),
        ({"address_allocation_type": "roundrobin"}, "take address_allocation_type=arbitrary or paired"),
        ({"limit_port_mappings": 5}, "take limit_port_mappings=null"),
        ({"limit_subscribers": 5}, "take limit_subscribers=null"),
        ({"flow_limit": 5}, "here is none"),
        ({"port_overlapping": "off"}, "take port_overlapping=endpoint"),
        ({"port_overlapping": "off", "mapping_type": "eim"}, "take mapping_type=edm"),
        ({"port_overlapping": "off", "filtering_type": "eif"}, "take filtering_type=edf"),
        ({"external_addresses": ["192.0.2.1", "192.0.2.3"]}, "take consecutive ones"),
        ({"udp_timeout": 3_000_000}, "take udp_timeout=2000000 or less"),
        ({"udp_timeout": 3_000, "time_scale": 1000}, "take udp_timeout=2000 or less"),
        ({"new_mapping_rate_per_subscriber": 0.3}, None),
        ({"new_mapping_rate_per_subscriber": 1 / 7}, "take new_mapping_rate_per_subscriber=1"),
        ({"fully_random": True}, "take port_allocation_type=random, or fully_random=false"),
    ],
    ids=str,
)
def test_what_linux_cannot_do_is_refused(changes: dict[str, Any], words: str | None) -> None:
    """With a sentence that says what to take instead; 0.3 in a second are 18 in a minute."""
    if words is None:
        NetfilterGateway.check(settings(**changes), NetfilterOptions())
    else:
        assert words in refusal(**changes)


def test_every_setting_was_thought_of() -> None:
    """Each is followed, harmless, or followed in part; and none is two of them."""
    in_part = [restriction.key for restriction in facts.RESTRICTIONS]
    thought_of = [*facts.FOLLOWED, *HARMLESS, *in_part]

    assert sorted(thought_of) == sorted(Keys.model_fields)


def test_its_defaults_are_what_it_can_do() -> None:
    """Nobody who chooses this gateway has to set anything."""
    NetfilterGateway.check(Settings(**NetfilterGateway.settings), NetfilterOptions())


def test_each_of_conntracks_timeouts_follows_a_setting() -> None:
    """Scaled, and in whole seconds: rounded up, so that none becomes 0."""
    chosen = settings(
        udp_timeout=9,
        icmp_timeout=0.2,
        tcp_idle_timeout=20,
        tcp_trans_open_timeout=5,
        tcp_trans_close_timeout=1,
        tcp_rst_timeout=3,
        time_scale=0.5,
    )

    assert facts.conntrack_timeouts(chosen) == {
        "udp_timeout": 5,
        "udp_timeout_stream": 5,
        "icmp_timeout": 1,
        "tcp_timeout_syn_sent": 3,
        "tcp_timeout_syn_recv": 3,
        "tcp_timeout_established": 10,
        "tcp_timeout_fin_wait": 10,
        "tcp_timeout_close_wait": 10,
        "tcp_timeout_max_retrans": 10,
        "tcp_timeout_unacknowledged": 10,
        "tcp_timeout_last_ack": 1,
        "tcp_timeout_time_wait": 1,
        "tcp_timeout_close": 2,
    }


def test_a_router_has_one_inside_address_and_answers_for_the_external_ones_next_door() -> None:
    """The inside ports are one bridge; an external address on an outside network is the router's there."""
    inside = ipaddress.IPv4Interface("10.0.255.254/16")
    plan = GatewayPlan(
        settings=settings(external_addresses=["100.64.0.9", "100.64.0.10"]),
        options=NetfilterOptions(),
        interfaces=[
            Interface(port=1, side=Side.INSIDE, address=inside),
            Interface(port=2, side=Side.INSIDE, address=inside),
            Interface(
                port=3,
                side=Side.OUTSIDE,
                address=ipaddress.IPv4Interface("100.64.0.9/24"),
                next_hop=ipaddress.IPv4Address("100.64.0.1"),
            ),
        ],
        mac="02:00:0a:00:ff:fe",
        seed=1,
        folder=Path("/nowhere"),
        datapath="userspace",
    )

    assert links(plan, {1: "inside1", 2: "inside2", 3: "outside3"}).splitlines() == [
        "link add br0 address 02:00:0a:00:ff:fe type bridge",
        "link set lo up",
        "link set inside1 master br0 up",
        "link set inside2 master br0 up",
        "address add 10.0.255.254/16 dev br0",
        "link set br0 up",
        "link set outside3 address 02:00:0a:00:ff:fe up",
        "address add 100.64.0.9/24 dev outside3",
        "address add 100.64.0.10/32 dev outside3",
        "route add default via 100.64.0.1",
    ]


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
    """From the answers' side of `conntrack -L`, whether there were answers or not."""
    assert conntrack.external_endpoints(LISTING, protocol) == endpoints


def test_statistics_are_summed_over_the_processors() -> None:
    """`conntrack -S` has a line for each."""
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
    """From nft's JSON, which has more than counters."""
    listing = (
        '{"nftables": [{"metainfo": {"version": "1.0.6"}},'
        ' {"counter": {"family": "ip", "name": "dropped_rate_packets_tcp", "packets": 8, "bytes": 480}}]}'
    )

    assert conntrack.named_counters(listing) == {"dropped_rate_packets_tcp": 8}


@pytest.mark.parametrize(
    ("changes", "attempts", "established"),
    [
        ({"ports": 128}, 160, (128, 128)),
        ({"ports": 129}, 160, (116, 129)),
        ({"ports": 129}, 100, (100, 100)),
        ({"ports": 256, "port_quota": 4}, 99, (32, 32)),
        ({"ports": 64, "external_addresses": 2}, 160, (57, 128)),
    ],
    ids=str,
)
def test_what_is_expected_of_its_search_for_ports(
    changes: dict[str, Any], attempts: int, established: tuple[int, int]
) -> None:
    """All of up to 128 ports; of more nearly all; of several addresses perhaps only one's."""
    chosen = settings(**changes)
    promise = Promise.of(facts.behaviour(chosen), chosen, protocol="tcp", clients=8)

    assert promise.established(attempts) == established
