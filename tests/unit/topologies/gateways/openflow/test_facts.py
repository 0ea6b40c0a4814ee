"""What our own NAT declares: what its settings say, and the sums of its timers."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import PORT_REST_S, Settings
from topologies.gateways.behaviour import Exhaustion
from topologies.gateways.openflow.facts import COUNTED_LATE, behaviour


@pytest.mark.parametrize(
    ("fact", "key", "value"),
    [
        ("mapping", "mapping_type", "adm"),
        ("filtering", "filtering_type", "edf"),
        ("pooling", "address_allocation_type", "roundrobin"),
    ],
)
def test_a_setting_is_a_fact(fact: str, key: str, value: str) -> None:
    """And its source is the setting."""
    declared = getattr(behaviour(Settings.model_validate({key: value})), fact)

    assert (declared.value, declared.source) == (value, f"the setting {key}")


@pytest.mark.parametrize(
    ("policy", "shortage"),
    [
        ({"on_exhaustion": "drop"}, Exhaustion({"tcp": "timeout", "udp": "timeout", "icmp": "timeout"})),
        ({"on_exhaustion": "icmp"}, Exhaustion({"tcp": "icmp", "udp": "icmp", "icmp": "icmp"})),
        ({"on_exhaustion": "reset"}, Exhaustion({"tcp": "reset", "udp": "icmp", "icmp": "icmp"})),
        ({"on_exhaustion": "evict-lru"}, Exhaustion(None, evicts="lru", after=PORT_REST_S)),
        (
            {"on_exhaustion": "hold", "hold_timeout": 3, "time_scale": 0.5, "fallback": "icmp"},
            Exhaustion({"tcp": "icmp", "udp": "icmp", "icmp": "icmp"}, holds=True, after=1.5),
        ),
    ],
    ids=["drop", "icmp", "reset", "evict-lru", "hold"],
)
def test_what_becomes_of_a_refused_connection_is_the_policy_s(
    policy: dict[str, Any], shortage: Exhaustion
) -> None:
    """Whether ports or state have run short; of a policy of one's own nothing is known."""
    declared = behaviour(Settings.model_validate(policy))

    assert declared.ports_exhausted.value == declared.state_exhausted.value == shortage


def test_a_port_comes_back_after_its_timer_and_its_rest() -> None:
    """An idle one late by the time between two counts at most; UDP after its hold-down, where anybody may send."""
    settings = Settings(
        tcp_trans_close_timeout=4,
        tcp_rst_timeout=2,
        tcp_idle_timeout=20,
        udp_timeout=10,
        hold_down_timeout=7,
        time_scale=0.5,
        filtering_type="eif",
    )

    assert behaviour(settings).port_back.value == {
        "close": (2 + PORT_REST_S, 2 + PORT_REST_S),
        "late close": (2 + PORT_REST_S, 2 + PORT_REST_S),
        "half-close": (11 + PORT_REST_S, 11 * COUNTED_LATE + PORT_REST_S),
        "reset": (1 + PORT_REST_S, 1 * COUNTED_LATE + PORT_REST_S),
        "silence": (11 + PORT_REST_S, 11 * COUNTED_LATE + PORT_REST_S),
        "udp": (5 + 3.5, 5 * COUNTED_LATE + 3.5),
    }
    edf = settings.model_copy(update={"filtering_type": "edf"})
    assert behaviour(edf).port_back.value["udp"] == (5 + PORT_REST_S, 5 * COUNTED_LATE + PORT_REST_S)


@pytest.mark.parametrize(
    ("allocator", "finds", "keeps"),
    [("random", 1000, False), ("preserving", 1000, True), ("linux-like", 128, True)],
)
def test_the_allocator_decides_which_port_is_found(allocator: str, finds: int, keeps: bool) -> None:
    """All find the last one, but the one that searches as Linux does."""
    declared = behaviour(Settings(ports=1000, port_allocation_type=allocator))

    assert (declared.finds_every_port_of.value, declared.keeps_source_port.value) == (finds, keeps)
