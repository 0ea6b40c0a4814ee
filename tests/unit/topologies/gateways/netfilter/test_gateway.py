"""The gateway netfilter without a kernel: its rules, its links, and what it refuses."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError, Settings
from controller.settings.values import limit
from controller.wiring import Interface, Side
from topologies.gateways.base import GatewayPlan
from topologies.gateways.linux import links
from topologies.gateways.netfilter.gateway import NetfilterGateway, NetfilterOptions, rules


class NewerSettings(Settings):
    """Settings of a later release."""

    novel_limit: int | None = limit("novelties", source="none", unit="novelties")


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
    return Settings(**{**NetfilterGateway.settings, "ports": 64, **changes})


def text_of(options: dict[str, bool] | None = None, **changes: Any) -> str:
    """Return the rules."""
    return rules(settings(**changes), NetfilterOptions(**(options or {})))


def line(words: str, *, fully_random: bool = False, masquerade: bool = False, **changes: Any) -> str:
    """Return the one line of the rules that has these words, up to what becomes of the packet."""
    text = text_of({"fully_random": fully_random, "masquerade": masquerade}, **changes)
    (found,) = [each.strip() for each in text.splitlines() if words in each]
    return found.partition(" counter name ")[0]


def refusal(*, fully_random: bool = False, **changes: Any) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        NetfilterGateway.check(settings(**changes), NetfilterOptions(fully_random=fully_random))
    return str(refused.value)


def test_the_rules_of_a_small_nat() -> None:
    """By default a NAT has one address, here with 64 ports, and no limit."""
    assert text_of() == NOBODY_ELSE


@pytest.mark.parametrize(
    ("changes", "snat"),
    [
        ({"ports": 1}, "192.0.2.1:1024"),
        ({"ports": 64512}, "192.0.2.1:1024-65535"),
        ({"ports": "4928-4943"}, "192.0.2.1:4928-4943"),
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
    """The settings become the words of nft's snat."""
    assert line("snat", **changes).endswith(f" snat to {snat}")
    masqueraded = snat[snat.index(":") :]
    assert line("masquerade", masquerade=True, **changes).endswith(f" masquerade to {masqueraded}")


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
    """The refusal has a sentence that says what to take instead; 0.3 in a second are 18 in a minute."""
    if words is None:
        NetfilterGateway.check(settings(**changes), NetfilterOptions())
    else:
        assert words in refusal(**changes)


def test_a_setting_that_is_newer_than_the_gateway_is_refused() -> None:
    """Declaring it is enough: it is not ignored."""
    NetfilterGateway.check(NewerSettings(**NetfilterGateway.settings), NetfilterOptions())
    with pytest.raises(ConfigurationError) as refused:
        NetfilterGateway.check(NewerSettings(**NetfilterGateway.settings, novel_limit=5), NetfilterOptions())

    assert str(refused.value) == (
        "setting novel_limit=5 is not possible with this gateway: it does not follow it; "
        "take novel_limit=null, or another --gateway"
    )


def test_the_defaults_of_netfilter_are_possible() -> None:
    """A user who chooses this gateway has to set nothing."""
    NetfilterGateway.check(Settings(**NetfilterGateway.settings), NetfilterOptions())


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
        "link add br0 address 02:00:0a:00:ff:fe type bridge ageing_time 8640000",
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


def test_several_ranges_of_ports_are_several_rules_in_turn() -> None:
    """A rule takes one range, and the first one that matches decides."""
    text = text_of(ports=["4096-4111", "5000"], address_allocation_type="paired")

    assert (
        """
    chain range_0 {
        meta l4proto { tcp, udp, icmp } snat to 192.0.2.1:4096-4111 persistent
    }

    chain range_1 {
        meta l4proto { tcp, udp, icmp } snat to 192.0.2.1:5000 persistent
    }

    chain leaving {
        type nat hook postrouting priority srcnat; policy accept;
"""
        in text
    )
    assert 'iifname "br0" numgen inc mod 2 vmap { 0 : goto range_0, 1 : goto range_1 }' in text


def test_of_several_ranges_nothing_is_certain() -> None:
    """A new connection has the one range whose turn it is, and no other."""
    declared = NetfilterGateway.declare(settings(ports=["4096-4111", "8192-8207"]), NetfilterOptions())

    assert declared.finds_every_port_of.value == 0
    assert declared.mapping.value == "unknown"
    assert declared.keeps_source_port.value is None
    assert declared.port_order.value == "undeclared"
    assert declared.port_back.value["close"][1] > 0, "32 ports of two ranges are not searched completely"
    NetfilterGateway.check(settings(ports=["4096-4111", "8192-8207"]), NetfilterOptions())


def test_without_the_guard_what_is_invalid_passes() -> None:
    """With its inside address: this is the leak that is to be shown."""
    assert "ct state invalid counter" in text_of()
    assert "        ct state invalid accept\n" in text_of({"guard": False})


@pytest.mark.parametrize(
    ("address", "external", "is_possible"),
    [("192.0.2.1/24", 1, True), ("192.0.2.1/24", 2, False), ("198.51.100.254/24", 1, False)],
    ids=["its own", "two", "another"],
)
def test_masquerade_needs_the_external_address_on_the_interface(
    address: str, external: int, is_possible: bool
) -> None:
    """A connection gets no other; the refusal names both, and the way out."""
    wiring = [Interface(port=1, side=Side.OUTSIDE, address=ipaddress.IPv4Interface(address))]
    chosen = settings(external_addresses=external)

    NetfilterGateway.check_wiring(chosen, NetfilterOptions(), wiring)
    if is_possible:
        NetfilterGateway.check_wiring(chosen, NetfilterOptions(masquerade=True), wiring)
    else:
        with pytest.raises(ConfigurationError, match=r"setting masquerade=true .* such as edge"):
            NetfilterGateway.check_wiring(chosen, NetfilterOptions(masquerade=True), wiring)
