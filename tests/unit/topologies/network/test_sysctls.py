"""The table of the kernel's settings: what must be in it."""

from __future__ import annotations

import pytest

from topologies.network.sysctls import EVERYWHERE, FORWARDING


def test_a_host_does_not_forward_and_a_router_does() -> None:
    """The first one writes settings that others of the table change again."""
    assert next(iter(EVERYWHERE)) == "net/ipv4/ip_forward"
    assert {key for key in FORWARDING if FORWARDING[key] != EVERYWHERE.get(key)} == {"net/ipv4/ip_forward"}


@pytest.mark.parametrize(
    "key",
    [
        *("ip_forward", "tcp_syn_retries", "tcp_syncookies", "tcp_tw_reuse", "tcp_fin_timeout", "tcp_timestamps"),
        *("ip_local_port_range", "ip_local_reserved_ports", "tcp_sack", "tcp_window_scaling", "tcp_ecn"),
        *("icmp_ratelimit", "icmp_ratemask", "tcp_max_syn_backlog", "ip_default_ttl", "ip_no_pmtu_disc"),
        *("tcp_mtu_probing", "tcp_rmem", "tcp_wmem", "tcp_congestion_control"),
        *(f"conf/{place}/{key}" for place in ("all", "default") for key in ("rp_filter", "accept_redirects")),
        *(f"conf/{place}/{key}" for place in ("all", "default") for key in ("send_redirects", "arp_ignore")),
    ],
)
def test_what_decides_about_connections_is_in_the_table(key: str) -> None:
    """Whatever the machine has set."""
    assert f"net/ipv4/{key}" in EVERYWHERE
