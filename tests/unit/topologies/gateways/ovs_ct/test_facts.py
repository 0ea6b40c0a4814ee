"""What is declared of Open vSwitch's tracker: the settings that it follows, its timers, and its versions."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import Settings
from topologies.gateways.ovs_ct import facts
from topologies.gateways.ovs_ct.gateway import OvsCtGateway


def settings(**values: Any) -> Settings:
    """Return settings with the gateway's own defaults."""
    return Settings.model_validate({**OvsCtGateway.settings, **values})


def test_timers_are_whole_seconds() -> None:
    """A fraction is rounded up; and half-closed connections are established ones (RFC 5382 REQ-5)."""
    scaled = settings(time_scale=0.1, udp_timeout=12, tcp_idle_timeout=50, tcp_trans_open_timeout=0.1)

    timeouts = facts.conntrack_timeouts(scaled)

    assert {
        name: timeouts[name] for name in ("udp_multiple", "tcp_established", "tcp_fin_wait", "tcp_syn_sent")
    } == {
        "udp_multiple": 2,
        "tcp_established": 5,
        "tcp_fin_wait": 5,
        "tcp_syn_sent": 1,
    }


@pytest.mark.parametrize(
    ("installed", "keeps"),
    [
        *[("", True), ("2.16.9", True), ("2.17.7", True), ("2.17.8", False), ("3.1.0", True), ("3.1.2", True)],
        *[("3.1.3", False), ("3.2.2", True), ("3.2.3", False), ("3.3.0", False), ("3.5.1", False), ("4.0", False)],
    ],
)
def test_whether_expired_connections_keep_their_ports_depends_on_the_version(installed: str, keeps: bool) -> None:
    """The source code of each version decides."""
    assert facts.keeps_expired(installed) is keeps


@pytest.mark.parametrize("limit", [None, 100])
@pytest.mark.parametrize("installed", ["3.1.0", "3.5.0"])
def test_room_in_the_table_is_free_after_the_sweep_in_every_version(
    monkeypatch: pytest.MonkeyPatch, installed: str, limit: int | None
) -> None:
    """A port waits for the sweep in older versions only; the declaration cites what decides."""
    monkeypatch.setattr(facts, "version", lambda: installed)

    declared = facts.behaviour(settings(limit_sessions=limit)).port_back

    least, most = declared.value["close"]
    waits = limit is not None or installed == "3.1.0"
    assert most - least == (facts.SWEPT_EVERY_S if waits else 0)
    assert ("conntrack_clean" in str(declared)) == waits
