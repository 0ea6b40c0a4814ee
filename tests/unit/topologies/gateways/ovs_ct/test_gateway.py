"""The gateway ovs-ct without a switch: its rules, what it refuses, and what it reads. No root is needed."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError, Settings
from controller.settings.values import seconds
from controller.wiring import Interface, Side
from topologies.gateways.base import GatewayError, GatewayPlan
from topologies.gateways.ovs_ct import facts
from topologies.gateways.ovs_ct.gateway import OvsCtGateway, OvsCtOptions, Route, endpoints, rules, tracked

ROUTE = Route(ipaddress.IPv4Network("198.51.100.0/24"), 2, "02:00:c6:33:64:01")


class NewerSettings(Settings):
    """Settings of a later release."""

    novel_timeout: float = seconds(3, "time for a novelty", source="none")


def settings(**values: Any) -> Settings:
    """Return settings with the gateway's own defaults."""
    return Settings.model_validate({**OvsCtGateway.settings, **values})


def rendered(*, guard: bool = True, outside: str = "198.51.100.254/24", **values: Any) -> list[str]:
    """Return the rules for a client at port 1 and a server at port 2."""
    wiring = [
        Interface(port=1, side=Side.INSIDE, address=ipaddress.IPv4Interface("10.0.255.254/16")),
        Interface(port=2, side=Side.OUTSIDE, address=ipaddress.IPv4Interface(outside)),
    ]
    plan = GatewayPlan(
        settings=settings(**values),
        options=OvsCtOptions(guard=guard),
        interfaces=wiring,
        mac="02:00:0a:00:ff:fe",
        seed=1,
        folder=Path("/nonexistent"),
        datapath="userspace",
    )
    lines = rules(plan, zone=7, routes=[ROUTE]).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def matching(lines: list[str], *words: str) -> list[str]:
    """Return the rules that have all these words."""
    return [line for line in lines if all(word in line for word in words)]


def test_a_connection_gets_an_external_address_and_remembers_its_host() -> None:
    """It begins with a SYN, and is tracked in the gateway's own zone."""
    assert matching(rendered(ports=64), "table=1,", "tcp_flags") == [
        "table=1,priority=40,tcp,tcp_flags=+syn-ack,actions=ct(commit,zone=7,nat(src=192.0.2.1:1024-1087),table=2,"
        "exec(move:NXM_OF_IN_PORT[]->NXM_NX_CT_MARK[0..15],move:NXM_OF_ETH_SRC[]->NXM_NX_CT_LABEL[0..47]))"
    ]


def test_only_what_was_translated_leaves() -> None:
    """The guard: the external address passes, and of the rest each kind is dropped where it can be counted."""
    assert matching(rendered(), "table=2,priority") == [
        "table=2,priority=50,ct_state=+inv+trk,ip,actions=drop",
        "table=2,priority=40,ct_state=+new+trk,tcp,tcp_flags=-syn,actions=drop",
        "table=2,priority=30,ip,nw_src=192.0.2.1,actions=resubmit(,4)",
        "cookie=1,table=2,priority=20,tcp,tcp_flags=+syn-ack,actions=drop",
        "cookie=2,table=2,priority=20,udp,actions=drop",
        "cookie=3,table=2,priority=20,icmp,actions=drop",
    ]


def test_without_the_guard_everything_leaves() -> None:
    """A packet that was not translated leaves, too: this is the leak that is to be shown."""
    assert "table=2,priority=30,ip,actions=resubmit(,4)" in rendered(guard=False)
    assert matching(rendered(guard=False), "cookie=") == []


def test_the_answers_go_to_the_host_that_asked() -> None:
    """Its port and MAC address are the connection's, not a rule's."""
    assert matching(rendered(), "table=3", "+est") == [
        "table=3,priority=40,ct_state=+est+rpl-inv+trk,ip,nw_dst=10.0.0.0/16,actions=dec_ttl,"
        "set_field:02:00:0a:00:ff:fe->eth_src,move:NXM_NX_CT_LABEL[0..47]->NXM_OF_ETH_DST[],"
        "output:NXM_NX_CT_MARK[0..15]"
    ]


def test_a_route_leads_to_its_neighbour() -> None:
    """The TTL goes down by one on the way."""
    assert matching(rendered(), "table=4") == [
        "table=4,priority=34,ip,nw_dst=198.51.100.0/24,actions=dec_ttl,"
        "set_field:02:00:0a:00:ff:fe->eth_src,set_field:02:00:c6:33:64:01->eth_dst,output:2"
    ]


@pytest.mark.parametrize(("outside", "asked"), [("198.51.100.254/24", 1), ("192.0.2.254/24", 3)])
def test_external_addresses_are_answered_for_on_their_own_network(outside: str, asked: int) -> None:
    """They are answered for by ARP, besides the port's own address; on other networks no host asks."""
    lines = rendered(outside=outside, external_addresses=2)

    assert len(matching(lines, "in_port=2,arp,arp_op=1")) == asked


def test_inside_hosts_are_paired_with_the_external_addresses() -> None:
    """The last octet of an inside address decides, so that any list of addresses will do."""
    lines = matching(rendered(external_addresses=["192.0.2.9", "192.0.2.77"]), "table=1", ",udp,")

    assert len(lines) == 256
    assert "udp,nw_src=0.0.0.1/0.0.0.255" in lines[1]
    assert "nat(src=192.0.2.77:" in lines[1]
    assert "nat(src=192.0.2.9:" in lines[2]


def test_a_setting_that_is_newer_than_the_gateway_is_refused() -> None:
    """Declaring it is enough: it is not ignored."""
    OvsCtGateway.check(NewerSettings(**OvsCtGateway.settings), OvsCtOptions())
    with pytest.raises(ConfigurationError, match=r"setting novel_timeout=5\.0 is not possible with this gateway"):
        OvsCtGateway.check(NewerSettings(**OvsCtGateway.settings, novel_timeout=5), OvsCtOptions())


def test_the_defaults_of_ovs_ct_are_possible() -> None:
    """A user who chooses this gateway has to set nothing."""
    OvsCtGateway.check(settings(), OvsCtOptions())


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("mapping_type", {"mapping_type": "eim", "port_overlapping": "off"}),
        ("on_exhaustion", {"on_exhaustion": "icmp"}),
        ("hold_down_timeout", {"hold_down_timeout": 1}),
        ("port_quota_tcp", {"port_quota_tcp": 5}),
        ("port_allocation_type", {"port_allocation_type": "preserving"}),
        ("tcp_rst_timeout", {"tcp_rst_timeout": 1, "tcp_trans_close_timeout": 2}),
        ("tcp_idle_timeout", {"tcp_idle_timeout": 7440, "time_scale": 1000}),
        ("limit_sessions", {"limit_sessions": 3_000_001}),
    ],
)
def test_what_open_vswitch_cannot_do_is_refused(key: str, values: dict[str, Any]) -> None:
    """The refusal has the setting, the reason and the way out."""
    with pytest.raises(
        ConfigurationError, match=rf"setting {key}=.* not possible with this gateway.*; take {key}="
    ):
        OvsCtGateway.check(settings(**values), OvsCtOptions())


LISTING = """\
tcp,orig=(src=10.0.0.1,dst=198.51.100.1,sport=40000,dport=7),\
reply=(src=198.51.100.1,dst=192.0.2.1,sport=7,dport=1030),zone=1,mark=1,labels=0x2,protoinfo=(state=ESTABLISHED)
tcp,orig=(src=10.0.0.1,dst=198.51.100.2,sport=40000,dport=7),\
reply=(src=198.51.100.2,dst=192.0.2.1,sport=7,dport=1030),zone=1,mark=1,labels=0x2,protoinfo=(state=ESTABLISHED)
udp,orig=(src=10.0.0.2,dst=198.51.100.1,sport=40000,dport=7),\
reply=(src=198.51.100.1,dst=192.0.2.2,sport=7,dport=1031),zone=1,mark=2,labels=0x3
icmp,orig=(src=10.0.0.2,dst=198.51.100.1,id=77,type=8,code=0),\
reply=(src=198.51.100.1,dst=192.0.2.2,id=77,type=0,code=0),zone=1,mark=2,labels=0x3
"""


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [("tcp", {("192.0.2.1", "1030")}), ("udp", {("192.0.2.2", "1031")}), ("icmp", {("192.0.2.2", "77")})],
)
def test_external_endpoints_are_read_from_the_tracker(protocol: str, expected: set[tuple[str, str]]) -> None:
    """Each endpoint counts once, whatever the number of its destinations."""
    assert endpoints(LISTING, protocol) == expected


def test_the_size_of_the_table_is_read_from_its_limit() -> None:
    """The limit and the count are those of the gateway's own zone."""
    assert tracked("default limit=0\nzone=1,limit=9,count=3\nzone=11,limit=9,count=4\n", 11) == (9, 4)
    with pytest.raises(GatewayError, match="zone 2"):
        tracked("default limit=0\nzone=1,limit=9,count=3\n", 2)


def test_the_timers_are_a_change_of_the_policy_that_the_zone_began_with() -> None:
    """From Open vSwitch 3.3 on a zone's first policy is not applied."""
    calls: list[str] = []

    def vsctl(*words: str) -> str:
        calls.append(" ".join(words))
        return "datapath\n" if "get" in words else "policy\nzone\n"

    gateway = OvsCtGateway.__new__(OvsCtGateway)
    gateway._zone, gateway.vsctl = 7, vsctl  # type: ignore[method-assign, assignment]
    timeouts = facts.conntrack_timeouts(settings())

    gateway._set_timeouts(timeouts)

    _, begun, changed = calls
    assert "create CT_Timeout_Policy timeouts:icmp_first=1 " in begun
    assert "set Datapath datapath ct_zones:7=@zone" in begun
    assert changed.split() == [
        *("set", "CT_Timeout_Policy", "policy"),
        *(f"timeouts:{name}={seconds}" for name, seconds in timeouts.items()),
    ]
    assert timeouts.keys() == facts.TIMEOUTS.keys()


def test_the_range_of_ports_may_be_anywhere() -> None:
    """There is one of them: `ct(nat)` takes no more."""
    assert (
        matching(rendered(ports="4096-4111"), "table=1,", "tcp_flags")[0].count("nat(src=192.0.2.1:4096-4111)")
        == 1
    )
    with pytest.raises(ConfigurationError, match=r"2 ranges of ports, and the action ct\(nat\) takes one"):
        OvsCtGateway.check(settings(ports=["4096-4111", "8192-8207"]), OvsCtOptions())
