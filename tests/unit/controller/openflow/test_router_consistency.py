"""Flow rules are a cache of the NAT's mappings: whatever happens, the switch holds those and no others."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.nat.model import Protocol
from controller.openflow.pipeline import rules_of
from controller.openflow.rules import Rule
from tests.support.any_frames import frames
from tests.support.network import Network

TEMPLATE = Network()
EVERYONE = ["alice", "alice", "bob", "bob", "server", "mirror"]
TIMERS = {
    "udp_timeout": 8,
    "icmp_timeout": 8,
    "tcp_idle_timeout": 16,
    "tcp_trans_open_timeout": 4,
    "tcp_trans_close_timeout": 2,
    "tcp_rst_timeout": 1,
    "hold_down_timeout": 0,
}

steps = st.one_of(
    frames(TEMPLATE, EVERYONE),
    frames(TEMPLATE, EVERYONE),
    frames(TEMPLATE, EVERYONE),
    st.sampled_from([0.25, 1.0, 4.0, 20.0]),
    st.sampled_from(["the switch is full", "the switch has room", "the switch reconnects"]),
)


def happen(network: Network, step: tuple[int, bytes] | float | str) -> None:
    """Let a frame come in, time pass, or something befall the switch."""
    match step:
        case (port, frame):
            network.feed(port, frame)
        case "the switch is full":
            network.refuses = lambda rule: True
        case "the switch has room":
            network.refuses = lambda rule: False
        case "the switch reconnects":
            network.connect()
        case seconds:
            network.tick(float(seconds))


def without_cookie(rule: Rule) -> Rule:
    """Return a rule as its bucket does not matter."""
    return dataclasses.replace(rule, cookie=0)


BEHAVIOURS = [
    {},
    {"mapping_type": "adm", "filtering_type": "eif"},
    {"mapping_type": "edm", "filtering_type": "adf"},
    {"mapping_type": "eim", "filtering_type": "edf", "limit_sessions": 3},
]


@pytest.mark.parametrize("policy", ["drop", "icmp", "reset", "hold", "evict-lru"])
@settings(max_examples=12)
@given(what_happens=st.lists(steps, min_size=4, max_size=16), behaviour=st.sampled_from(BEHAVIOURS))
def test_the_switch_holds_the_rules_of_the_live_mappings_and_no_others(
    policy: str, what_happens: list[tuple[int, bytes] | float | str], behaviour: dict[str, object]
) -> None:
    """It does after every frame, expiry, refusal and reconnect; and no port is lost."""
    network = Network(ports=4, on_exhaustion=policy, **TIMERS, **behaviour)
    nat = network.router.nat
    for step in what_happens:
        happen(network, step)

        live = [flow for flow in nat.flows() if flow.mapping.protocol is not Protocol.ICMP]
        assert {without_cookie(rule) for rule in network.mapping_rules()} == {
            rule for flow in live for rule in rules_of(flow, nat.settings.flows, cookie=0)
        }
        for protocol in Protocol:
            usage = nat.pool.usage(protocol)
            assert usage.allocated == sum(mapping.protocol is protocol for mapping in nat.mappings())
            assert usage.allocated + usage.free + usage.resting + usage.held_down == 4
