"""What scenarios about time refuse, by what a gateway declares and by the settings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from controller.settings import ConfigurationError, Settings
from scenarios.churn import Churn
from scenarios.hold_and_retry import HoldAndRetry
from scenarios.loss_curve import LossCurve
from scenarios.port_overlap import PortOverlap
from scenarios.refusal_signals import RefusalSignals
from scenarios.release import Release
from scenarios.state_exhaustion import StateExhaustion
from testbed.experiment.requirements import Asked, Of, require
from testbed.experiment.scenario import Scenario
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from topologies.gateways.behaviour import Entry, Exhaustion
from topologies.gateways.openflow.gateway import OpenFlowGateway

SILENT = {"tcp": "timeout", "udp": "timeout", "icmp": "timeout"}
LRU = Exhaustion(SILENT, evicts="lru")


def asked(
    scenario: type[Scenario[Any]],
    settings: dict[str, Any],
    *,
    exhaustion: Exhaustion | None = None,
    back: tuple[float, float] | None = None,
) -> Asked:
    """Return what is asked of our gateway, which may declare otherwise when its ports run out or come back."""
    chosen = Settings(**{**scenario.settings, **settings})
    behaviour = OpenFlowGateway.declare(chosen, OpenFlowGateway.Options())
    if exhaustion:
        behaviour = dataclasses.replace(behaviour, ports_exhausted=Entry(exhaustion, "a test", "1"))
    if back:
        endings = dict.fromkeys(behaviour.port_back.value, back)
        behaviour = dataclasses.replace(behaviour, port_back=Entry(endings, "a test", "1"))
    return Asked(scenario.name, scenario.Parameters(), chosen, behaviour)


@pytest.mark.parametrize("scenario", [Release, Churn, HoldAndRetry, RefusalSignals])
def test_each_scenario_is_possible_with_our_gateway_and_its_own_defaults(scenario: type[Scenario[Any]]) -> None:
    """Nothing is refused."""
    for kind in Of:
        require(scenario.requires, kind, asked(scenario, {}))


@pytest.mark.parametrize(
    ("scenario", "of", "settings", "declared", "words"),
    [
        (Release, Of.SETTINGS, {"ports": 4}, {}, "ports=4 .* take ports=5 to 50"),
        (Release, Of.SETTINGS, {"ports": 51}, {}, "ports=51 .* take ports=5 to 50"),
        (Release, Of.GATEWAY, {}, {"back": (2.0, 3.5)}, "idle_timeout=4 .* 3.5 s.* take tcp_idle_timeout=5"),
        (Release, Of.GATEWAY, {}, {"exhaustion": Exhaustion(SILENT, holds=True)}, "on_exhaustion=drop .* at once"),
        (Release, Of.GATEWAY, {}, {"exhaustion": Exhaustion(SILENT, evicts="unassured")}, "on_exhaustion=drop"),
        (Release, Of.GATEWAY, {}, {"exhaustion": Exhaustion(None)}, "on_exhaustion=drop"),
        (Churn, Of.GATEWAY, {}, {"back": (0.4, 2.5)}, "up to 2.1 s later .*a test .* take another --gateway"),
        (Churn, Of.GATEWAY, {"ports": 700}, {}, "ports=700 .* 875 .* take fewer ports, or a longer holding"),
        (HoldAndRetry, Of.GATEWAY, {}, {"back": (0.4, 2.5)}, "take another --gateway"),
        (HoldAndRetry, Of.GATEWAY, {}, {"exhaustion": LRU}, "take on_exhaustion=hold or drop"),
        (
            RefusalSignals,
            Of.GATEWAY,
            {},
            {"exhaustion": Exhaustion(None)},
            "on_exhaustion=drop .* not declared .* take one of the project's own policies",
        ),
        (
            RefusalSignals,
            Of.GATEWAY,
            {},
            {"exhaustion": Exhaustion({})},
            "on_exhaustion=unknown .* nobody knows how .* take --set on_exhaustion=drop, icmp or reset, if",
        ),
        (
            HoldAndRetry,
            Of.GATEWAY,
            {},
            {"exhaustion": Exhaustion({})},
            "on_exhaustion=unknown .* nobody knows how .* take --set on_exhaustion=drop, if the NAT does that",
        ),
        (StateExhaustion, Of.SETTINGS, {"ports": 64}, {}, "limit_sessions=64 .* 64 ports as well, .* below 64"),
        (StateExhaustion, Of.SETTINGS, {"ports": 32}, {}, "limit_sessions=64 .* only 32 connections fit"),
        (RefusalSignals, Of.GATEWAY, {"ports": 1025}, {}, "take ports=1024 or fewer"),
        (RefusalSignals, Of.GATEWAY, {"ports": 1, "on_exhaustion": "evict-lru"}, {}, "take ports=2 or more"),
    ],
)
def test_what_is_not_met_is_refused_with_the_way_out(
    scenario: type[Scenario[Any]], of: Of, settings: dict[str, Any], declared: dict[str, Any], words: str
) -> None:
    """By the requirement that is about it."""
    with pytest.raises(ConfigurationError, match=words):
        require(scenario.requires, of, asked(scenario, settings, **declared))


@pytest.mark.parametrize("scenario", [LossCurve, PortOverlap, RefusalSignals])
def test_a_nat_that_searches_one_range_of_several_is_refused_where_that_matters(
    scenario: type[Scenario[Any]],
) -> None:
    """As Linux with a rule for each range: it may refuse while ports are free."""
    own = asked(scenario, {"ports": ["4096-4111", "8192-8207"], "port_set_size": 16})
    declared = dataclasses.replace(own.declared, finds_every_port_of=Entry(0, "a test", "1"))

    with pytest.raises(ConfigurationError, match=r"one of several ranges of ports, .* take one range of ports"):
        require(scenario.requires, Of.GATEWAY, dataclasses.replace(own, behaviour=declared))


def test_peers_behind_linux_with_several_ranges_are_not_asked_to_meet() -> None:
    """A range that takes its turn again gives the same port again: that is no mapping of RFC 4787's."""
    with pytest.raises(
        ConfigurationError, match=r"NUMGEN: .*whether the peers meet follows from that; take one range"
    ):
        resolve("hole-punching", "netfilter", Choices(sets=["ports=[4096-4351,8192-8447]"]), datapath="userspace")
