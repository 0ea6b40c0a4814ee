"""A Linux router without a kernel: its links, its script, what it refuses; and the smallest NAT that it can be."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface, Route, Side
from testbed.registry import load
from topologies.gateways.base import GatewayError, GatewayPlan, Options
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.linux import BRIDGE, SYSCTLS, LinuxRouter, links
from topologies.gateways.netfilter.gateway import NetfilterGateway, NetfilterOptions

EXAMPLE = Path(__file__).resolve().parents[4] / "docs" / "examples" / "one_rule_gateway.py"
OneRule: type[LinuxRouter] = load("gateway", str(EXAMPLE))
INSIDE = ipaddress.IPv4Interface("10.0.255.254/16")


class Plain(LinuxRouter):
    """A router that is no NAT."""

    @classmethod
    def rules(cls, plan: GatewayPlan) -> str:
        """Return none."""
        return "# nothing\n"

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Declare what our own NAT in Linux does."""
        return NetfilterGateway.declare(settings, NetfilterOptions())


def plan(folder: Path, *interfaces: Interface, **settings: Any) -> GatewayPlan:
    """Return what such a router is told."""
    return GatewayPlan(
        settings=Settings.model_validate({**LinuxRouter.settings, **settings}),
        options=Options(),
        interfaces=list(interfaces),
        mac="02:00:0a:00:ff:fe",
        seed=1,
        folder=folder,
        datapath="userspace",
    )


def refusal(kind: type[LinuxRouter], **settings: Any) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        kind.check(Settings.model_validate({**kind.settings, **settings}), Options())
    return str(refused.value)


def test_the_inside_ports_are_one_bridge_and_each_outside_port_has_its_address(tmp_path: Path) -> None:
    """Outside neighbours find the external addresses by ARP, and networks behind hosts have a route."""
    route = Route(network=ipaddress.IPv4Network("10.64.0.0/24"), next_hop=ipaddress.IPv4Address("10.0.0.1"))
    interfaces = [
        Interface(port=1, side=Side.INSIDE, address=INSIDE, routes=(route,)),
        Interface(
            port=2,
            side=Side.OUTSIDE,
            address=ipaddress.IPv4Interface("192.0.2.253/24"),
            next_hop=ipaddress.IPv4Address("192.0.2.254"),
        ),
    ]

    assert links(plan(tmp_path, *interfaces), {1: "inside1", 2: "outside2"}).splitlines() == [
        f"link add {BRIDGE} address 02:00:0a:00:ff:fe type bridge ageing_time 8640000",
        "link set lo up",
        f"link set inside1 master {BRIDGE} up",
        f"address add 10.0.255.254/16 dev {BRIDGE}",
        f"link set {BRIDGE} up",
        "route add 10.64.0.0/24 via 10.0.0.1",
        "link set outside2 address 02:00:0a:00:ff:fe up",
        "address add 192.0.2.253/24 dev outside2",
        "address add 192.0.2.1/32 dev outside2",
        "route add default via 192.0.2.254",
    ]


def test_the_rules_are_there_before_the_timers_and_the_links(tmp_path: Path) -> None:
    """So no packet passes untranslated; the script stops at what fails."""
    prepared = Plain.prepare(plan(tmp_path, udp_timeout=9, time_scale=0.5))
    script = (tmp_path / "start.sh").read_text().splitlines()

    assert prepared["inNamespace"] is True
    assert (tmp_path / "rules.nft").read_text() == "# nothing\n"
    assert script[:2] == ["set -e", f"nft -f {tmp_path}/rules.nft"]
    assert script[-1] == f"ip -batch {tmp_path}/links"
    timer = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout"
    assert f"[ ! -e {timer} ] || echo 5 > {timer}" in script[2:-1]
    for key, value in SYSCTLS.items():
        assert f"[ ! -e /proc/sys/{key} ] || echo {value} > /proc/sys/{key}" in script[2:-1]


@pytest.mark.parametrize(
    ("settings", "external", "ports"),
    [
        ({"ports": 64}, "192.0.2.1", "1024-1087"),
        ({"ports": 1}, "192.0.2.1", "1024"),
        ({"ports": 64_512, "external_addresses": 3}, "192.0.2.1-192.0.2.3", "1024-65535"),
        ({"ports": "4096-4111", "reserved_ports": 4096}, "192.0.2.1", "4097-4111"),
    ],
    ids=str,
)
def test_addresses_and_ports_are_ranges(settings: dict[str, Any], external: str, ports: str) -> None:
    """As nft's snat takes them."""
    chosen = Settings.model_validate(settings)

    assert (LinuxRouter.external(chosen), LinuxRouter.ports(chosen)) == (external, ports)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"external_addresses": ["192.0.2.1", "192.0.2.3"]}, "take consecutive ones"),
        ({"external_addresses": ["192.0.2.2", "192.0.2.1"]}, "take consecutive ones"),
        ({"tcp_idle_timeout": 3_000_000}, "take tcp_idle_timeout=2000000 or less"),
        ({"hold_down_timeout": 5}, "take hold_down_timeout=0"),
        ({"on_exhaustion": "icmp"}, "Linux sends no refusal"),
        ({"ports": ["4096-4111", "5000"]}, "2 ranges of ports, and its rule has one range of ports"),
    ],
    ids=str,
)
def test_what_no_rule_could_follow_is_refused(settings: dict[str, Any], words: str) -> None:
    """Whatever rules a subclass has."""
    assert words in refusal(Plain, **settings)


@pytest.mark.parametrize("missing", ["rules", "declare"])
def test_a_linux_nat_has_rules_and_facts(tmp_path: Path, missing: str) -> None:
    """A file without one of them is told what it has to have."""
    path = tmp_path / "mine.py"
    other = {"rules": "declare(cls, settings, options)", "declare": "rules(cls, plan)"}[missing]
    path.write_text(
        "from topologies.gateways.linux import LinuxRouter\n"
        f"class Mine(LinuxRouter):\n    @classmethod\n    def {other}:\n        pass\n"
    )
    lacking = {"rules": "rules(cls, plan)", "declare": "declare(cls, settings, options)"}[missing]

    with pytest.raises(ConfigurationError) as refused:
        load("gateway", str(path))

    assert str(refused.value).endswith(f"class Mine is not yet one; it has to have: @classmethod def {lacking}")


class Nowhere(Plain):
    """A router whose namespace does not exist, without a node of Mininet around it."""

    netns = "/nowhere"

    def __init__(self) -> None:
        """Make no node."""


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda: Nowhere().run("nft", "list", "ruleset"), "nft list ruleset failed: "),
        (lambda: Nowhere().ip("link set lo up"), "ip -batch - failed: "),
    ],
    ids=["any", "ip"],
)
def test_a_program_that_fails_is_named_with_what_it_printed(attempt: Callable[[], object], words: str) -> None:
    """And with what to look at."""
    with pytest.raises(GatewayError) as refused:
        attempt()

    assert str(refused.value).startswith(words)
    assert "/nowhere" in str(refused.value)
    assert "`lastport doctor`" in str(refused.value)


# The example: one rule


def test_the_example_is_a_page() -> None:
    """With its docstring, its rule, and each of its facts."""
    assert len(EXAMPLE.read_text().splitlines()) <= 80


def test_one_rule_translates_all_that_may_leave(tmp_path: Path) -> None:
    """TCP, UDP and ICMP are translated; of the rest nothing is passed on."""
    told = OneRule.rules(plan(tmp_path, ports=64, external_addresses=2))

    assert (
        told
        == """\
table ip one_rule {
    chain passing {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct state new iifname br0 oifname != br0 meta l4proto { tcp, udp, icmp } accept
    }
    chain arriving {
        type filter hook input priority filter; policy drop;
    }
    chain leaving {
        type nat hook postrouting priority srcnat;
        iifname br0 meta l4proto { tcp, udp, icmp } snat to 192.0.2.1-192.0.2.2:1024-1087
    }
}
"""
    )


def test_the_example_refuses_a_setting_that_it_does_not_follow() -> None:
    """None is ignored; and its own defaults are what it can do."""
    OneRule.check(Settings.model_validate(OneRule.settings), Options())
    with pytest.raises(ConfigurationError, match="setting port_quota=8 is not possible with this gateway"):
        OneRule.check(Settings.model_validate({**OneRule.settings, "port_quota": 8}), Options())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"port_quota_udp": 3}, "it does not follow it; take port_quota_udp=null"),
        ({"port_allocation_type": "random"}, "take port_allocation_type=preserving"),
        ({"flow_limit": 3}, "take flow_limit=null"),
    ],
    ids=str,
)
def test_the_example_ignores_no_setting(settings: dict[str, Any], words: str) -> None:
    """What one rule cannot follow is refused."""
    assert words in refusal(OneRule, **settings)


def test_the_example_declares_what_our_own_nat_in_linux_does() -> None:
    """It is the same kernel: only what depends on its version may be declared more widely."""
    settings = Settings.model_validate({**OneRule.settings, "ports": 64})
    mine, ours = OneRule.declare(settings, Options()), NetfilterGateway.declare(settings, NetfilterOptions())

    for fact in ("mapping", "filtering", "overlapping", "pooling", "finds_every_port_of", "fills_every_address"):
        assert getattr(mine, fact).value == getattr(ours, fact).value
    for fact in ("keeps_source_port", "ports_exhausted", "state_exhausted", "icmp_identifiers"):
        assert getattr(mine, fact).value == getattr(ours, fact).value
    for ending, (least, most) in ours.port_back.value.items():
        assert mine.port_back.value[ending][0] <= least <= most <= mine.port_back.value[ending][1]
