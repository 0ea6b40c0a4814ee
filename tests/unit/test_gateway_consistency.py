"""Flow rules are a cache of the NAT's mappings: whatever happens, the switch holds those and no others."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.nat.model import Protocol
from controller.openflow.pipeline import Rule, mapping_rules
from tests.unit.network import Network
from tests.unit.strategies import frames

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


@settings(max_examples=40)
@given(what_happens=st.lists(steps, min_size=4, max_size=16))
def test_the_switch_holds_the_rules_of_the_live_mappings_and_no_others(
    what_happens: list[tuple[int, bytes] | float | str],
) -> None:
    """After every frame, expiry, refusal and reconnect; and no port is lost."""
    network = Network(ports=4, **TIMERS)
    nat = network.router.nat
    for step in what_happens:
        happen(network, step)

        live = [mapping for mapping in nat.mappings() if mapping.protocol is not Protocol.ICMP]
        assert {without_cookie(rule) for rule in network.mapping_rules()} == {
            rule for mapping in live for rule in mapping_rules(mapping, cookie=0)
        }
        for protocol in Protocol:
            usage = nat.pool.usage(protocol)
            assert usage.allocated == sum(mapping.protocol is protocol for mapping in nat.mappings())
            assert usage.allocated + usage.free + usage.resting + usage.held_down == 4
