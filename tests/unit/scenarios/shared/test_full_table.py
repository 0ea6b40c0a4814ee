"""A table that is full while ports are left, without a network: what it takes, and what ran short."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError
from scenarios.shared.full_table import check_dropped_for
from testbed.run.choices import Choices
from testbed.run.resolve import CannotError, resolve
from tests.support.experiments import experiment


def resolved(scenario: str, *sets: str, gateway: str = "openflow") -> None:
    """Decide about a run."""
    resolve(scenario, gateway, Choices(sets=list(sets)), datapath="userspace")


def checks(counters: dict[str, int | None]) -> list[tuple[str, bool]]:
    """Return the checks that three packets were dropped for want of a session, and whether they hold."""
    x, told = experiment()
    check_dropped_for("a session", "dropped_state_limit_packets", 3, counters, x)
    return [(check["key"], check["ok"]) for check in told.checks]


@pytest.mark.parametrize(
    ("scenario", "chosen", "words"),
    [
        ("state-exhaustion", "limit_sessions=300", "only 256 connections fit"),
        ("state-exhaustion", "port_quota=1", "where the scenario sets limit_sessions=64: only 8"),
        ("state-exhaustion", "on_exhaustion=evict-lru", "take on_exhaustion=drop, icmp, reset or hold"),
        ("switch-table-full", "flow_limit=null", "take a flow_limit below 256"),
        ("switch-table-full", "flow_limit=16", "the default is strangers=16: .* take flow_limit=17 or more"),
        ("switch-table-full", "on_exhaustion=evict-lru", "take on_exhaustion=drop, icmp, reset or hold"),
        ("eviction", "external_addresses=2", "take external_addresses=1"),
        ("eviction", "ports=3", "ports=3 is not possible with eviction: only 3 connections fit"),
        ("eviction", "limit_port_mappings=2", "limit_port_mappings=2 is not possible with eviction"),
    ],
)
def test_a_size_at_which_something_else_runs_short_is_refused(scenario: str, chosen: str, words: str) -> None:
    """With any gateway, by a sentence that names the key and the way out."""
    with pytest.raises(ConfigurationError, match=words) as refused:
        resolved(scenario, chosen)

    assert not isinstance(refused.value, CannotError)


@pytest.mark.parametrize(
    ("scenario", "chosen", "words"),
    [
        ("state-exhaustion", "limit_sessions=null", "has no limit; take a limit_sessions below"),
        ("eviction", "on_exhaustion=drop", "keeps every mapping; take on_exhaustion=evict-lru"),
    ],
)
def test_what_another_gateway_may_do_is_refused_as_such(scenario: str, chosen: str, words: str) -> None:
    """So that a comparison goes on with the others."""
    with pytest.raises(CannotError, match=words):
        resolved(scenario, chosen)


def test_packets_are_dropped_for_want_of_one_thing_only() -> None:
    """Too few of the one turn a check red, and so does any of another."""
    state, anything_else = (
        "gateway-packets-dropped-for-want-of-a-session",
        "gateway-packets-dropped-for-want-of-anything-else",
    )

    assert checks({"dropped_state_limit_packets": 3, "dropped_port_packets": 0}) == [
        (state, True),
        (anything_else, True),
    ]
    assert checks({"dropped_state_limit_packets": 2, "dropped_port_packets": 1}) == [
        (state, False),
        (anything_else, False),
    ]


@pytest.mark.parametrize("counters", [{"dropped_port_packets": 3}, {"dropped_state_limit_packets": None}])
def test_a_gateway_that_does_not_tell_them_apart_is_not_asked(counters: dict[str, int | None]) -> None:
    """It counts what it drops as it can."""
    assert checks(counters) == []
