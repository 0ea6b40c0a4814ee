"""What is declared of a Linux router: which settings it follows, its timeouts, and its search for ports."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import Settings
from testbed.experiment.promise import Promise
from topologies.gateways.netfilter.gateway import NetfilterGateway, NetfilterOptions


def settings(**changes: Any) -> Settings:
    """Return Linux's defaults, changed."""
    return Settings(**{**NetfilterGateway.settings, "ports": 64, **changes})


def test_each_of_conntracks_timeouts_follows_a_setting() -> None:
    """Timeouts are scaled, and are whole seconds: rounded up, so that none becomes 0."""
    chosen = settings(
        udp_timeout=9,
        icmp_timeout=0.2,
        tcp_idle_timeout=20,
        tcp_trans_open_timeout=5,
        tcp_trans_close_timeout=1,
        tcp_rst_timeout=3,
        time_scale=0.5,
    )

    assert NetfilterGateway.timeouts(chosen) == {
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
def test_what_is_expected_of_linux_s_search_for_ports(
    changes: dict[str, Any], attempts: int, established: tuple[int, int]
) -> None:
    """Up to 128 ports are all found; of more nearly all; of several addresses perhaps only one's."""
    chosen = settings(**changes)
    promise = Promise.of(NetfilterGateway.declare(chosen, NetfilterOptions()), chosen, protocol="tcp", clients=8)

    assert promise.established(attempts) == established
