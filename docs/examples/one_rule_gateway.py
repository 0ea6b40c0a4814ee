"""A Linux router with one source-NAT rule: a whole NAT in little, and a start for a gateway of your own.

    ./lastport run port-exhaustion --gateway docs/examples/one_rule_gateway.py

`LinuxRouter` makes the router, and follows the timers and what else the kernel can follow of the settings. Here is
the rule, which settings it cannot follow, and what Linux does by itself, each fact with its source.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from testbed.api import Behaviour, Entry, Exhaustion, GatewayPlan, LinuxRouter, Restriction, Settings

RULES = """table ip one_rule {{
    chain passing {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct state new iifname {inside} oifname != {inside} meta l4proto {{ tcp, udp, icmp }} accept
    }}
    chain arriving {{
        type filter hook input priority filter; policy drop;
    }}
    chain leaving {{
        type nat hook postrouting priority srcnat;
        iifname {inside} meta l4proto {{ tcp, udp, icmp }} snat to {external}:{ports}
    }}
}}
"""
"""What the rule does not translate is not passed on. What is for the router itself must not take a host's port."""


class OneRule(LinuxRouter):
    """A Linux router with one source-NAT rule, and no limit but its ports."""

    restrictions = (
        *LinuxRouter.restrictions,
        Restriction("port_allocation_type", ("preserving",), "without a flag, snat keeps a port if it can"),
        Restriction("address_allocation_type", ("arbitrary",), "without a flag, snat takes an address by a hash"),
    )

    @classmethod
    def rules(cls, plan: GatewayPlan) -> str:
        """Return the one rule, and what keeps the rest from leaving."""
        external, ports = cls.external(plan.settings), cls.ports(plan.settings)
        return RULES.format(inside=cls.inside, external=external, ports=ports)

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what Linux does, by its source code."""
        fact = partial(Entry, version="Linux 5.0 and later")
        nat, table = "net/netfilter/nf_nat_core.c", "net/netfilter/nf_conntrack_core.c"
        silent = dict.fromkeys(("tcp", "udp", "icmp"), "timeout")
        timeouts = cls.timeouts(settings)
        closed, reset = timeouts["tcp_timeout_time_wait"], timeouts["tcp_timeout_close"]
        idle, udp = timeouts["tcp_timeout_established"], timeouts["udp_timeout"]
        # At once, where a search finds no other port and the kernel is Linux 6.5 or later.
        back = {"close": (0.0, closed), "late close": (0.0, closed), "reset": (0.0, reset)}
        back |= {"half-close": (idle, idle), "silence": (idle, idle), "udp": (udp, udp)}
        return Behaviour(
            mapping=fact("eim", f"{nat}: find_appropriate_src"),
            filtering=fact("edf", f"{table}: resolve_normal_ct"),
            overlapping=fact("endpoint", f"{nat}: nf_nat_used_tuple"),
            pooling=fact("arbitrary", f"{nat}: find_best_ips_proto"),
            finds_every_port_of=fact(128, f"{nat}: nf_nat_l4proto_unique_tuple, max_attempts"),
            fills_every_address=fact(False, f"{nat}: find_best_ips_proto, whatever is free"),
            keeps_source_port=fact(True, f"{nat}: get_unique_tuple, the original tuple first"),
            ports_exhausted=fact(Exhaustion(silent), f"{table}: __nf_conntrack_confirm drops the packet"),
            state_exhausted=fact(Exhaustion(silent, evicts="unassured"), f"{table}: early_drop"),
            icmp_identifiers=fact("pool", f"{nat}: nf_nat_l4proto_unique_tuple, IPPROTO_ICMP"),
            port_order=fact("search", f"{nat}: nf_nat_l4proto_unique_tuple, get_random_u16"),
            port_back=fact(back, f"{nat}: nf_nat_used_tuple_harder; nf_conntrack_proto_tcp.c: tcp_conntracks"),
        )
