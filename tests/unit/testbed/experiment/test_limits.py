"""Limits and timers that an honest NAT follows, and that would turn a check red: reckoned with, or refused."""

from __future__ import annotations

import pytest

from controller.openflow.errors import BURST
from controller.settings import MARKS, Bites, ConfigurationError, Settings
from testbed.experiment.demand import in_turn
from testbed.experiment.limits import _BITES, ERRORS_AT_ONCE
from testbed.experiment.plan import Run
from testbed.registry import ours
from testbed.run.choices import Choices
from testbed.run.resolve import resolve

pytestmark = pytest.mark.usefixtures("usual_machine")

HARMLESS = {
    "ports": "the pool itself",
    "external_addresses": "the pool itself",
    "pool_usage_low": "moves only an event",
    "pool_usage_high": "moves only an event",
    "fragments_limit": "no scenario sends fragments",
    "fragment_min_timeout": "no scenario sends fragments",
    "hold_timeout": "a scenario's patience is compared with it",
    "tcp_in_syn_timeout": "it is about strangers",
    "limit_unanswered_inbound_sessions": "it is about strangers",
    "subscriber_ports_max": "it only adds to subscriber_ports",
    "subscriber_ports_threshold": "it only adds to subscriber_ports",
    "subscriber_ports_delay": "it only adds to subscriber_ports",
    "time_scale": "each timer is looked at as it is in force",
}
"""The numbers and times that stop nothing, and why."""


def resolved(words: str, *, topology: str | None = None, gateway: str = "openflow") -> Run:
    """Decide about a run: a scenario, and the values of keys."""
    scenario, *sets = words.split()
    return resolve(scenario, gateway, Choices(sets=sets, topology=topology), datapath="userspace")


def test_each_limit_and_timer_says_what_it_may_stop() -> None:
    """A setting with a unit is marked, or is known to be harmless. So no new one is forgotten."""
    extras = {key: field.json_schema_extra or {} for key, field in Settings.model_fields.items()}

    assert {key for key, extra in extras.items() if "unit" in extra} - MARKS.keys() <= HARMLESS.keys()
    assert not MARKS.keys() & HARMLESS.keys()
    assert _BITES.keys() == set(Bites) == set(MARKS.values())


def test_scenarios_reckon_with_limits_and_timers_only() -> None:
    """A misspelt key would be refused without need."""
    for scenario in ours("scenario").values():
        assert set(scenario.reckons_with) <= MARKS.keys()


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        ("port-exhaustion new_mapping_rate_per_subscriber=5", "new_mapping_rate_per_subscriber=240"),
        ("port-exhaustion limit_subscribers=3", "limit_subscribers=8"),
        ("port-exhaustion protocol=udp udp_timeout=1", "udp_timeout=9"),
        ("port-exhaustion protocol=icmp icmp_timeout=1", "icmp_timeout=9"),
        ("port-exhaustion tcp_idle_timeout=5", "tcp_idle_timeout=9"),
        ("port-exhaustion tcp_trans_open_timeout=1", "tcp_trans_open_timeout=3"),
        ("port-exhaustion on_exhaustion=hold hold_queue=1", "hold_queue=64"),
        ("port-exhaustion on_exhaustion=evict-lru hold_queue=1", "hold_queue=64"),
        ("port-exhaustion on_exhaustion=evict-lru evict_only_idle_for=1", "evict_only_idle_for=0"),
        ("port-exhaustion untranslated_destinations=198.51.100.0/24", "untranslated_destinations=[]"),
        ("port-exhaustion clients=16 port_allocation_type=blocks port_set_size=32", "fewer clients"),
        (
            "port-exhaustion ports=[2000-2011,4000-4011] clients=3 attempts=24 "
            "port_allocation_type=blocks port_set_size=8",
            "smaller",
        ),
        (
            "port-exhaustion ports=[4096-4111,8192-8199] port_allocation_type=blocks port_set_size=16",
            "smaller blocks",
        ),
        ("hold-and-retry hold_queue=1", "hold_queue=14"),
        ("two-nats port_quota=1", "port_quota=20"),
        ("two-nats limit_subscribers=1", "limit_subscribers=5"),
        ("release port_quota=9", "port_quota=10"),
        ("release port_allocation_type=blocks port_set_size=1", "port_allocation_type=random"),
        ("release hold_down_timeout=3 hold_down_max=1", "hold_down_max=5"),
        ("address-pool limit_subscribers=2", "limit_subscribers=8"),
        ("address-pool port_quota=16", "port_quota=65"),
        ("churn port_quota=1", "port_quota=7"),
        ("churn limit_sessions=32", "limit_sessions=33"),
        ("churn limit_sessions_per_destination=32", "limit_sessions_per_destination=33"),
        ("hold-and-retry ports=64 subscriber_ports=8", "subscriber_ports=null"),
        ("churn subscriber_ports=8", "subscriber_ports=4"),
        ("port-exhaustion subscriber_ports=64", "subscriber_ports=32"),
        ("churn port_allocation_type=blocks clients=5 port_set_size=4", "fewer clients"),
        ("eviction limit_port_mappings=8", "limit_port_mappings=17"),
        ("fairness limit_sessions=64", "limit_sessions=65"),
        ("fairness port_allocation_type=blocks port_quota=20 port_set_size=8", "smaller blocks"),
        ("fairness ports=16 clients=4 port_quota=5 port_allocation_type=blocks port_set_size=2", "smaller blocks"),
        ("port-exhaustion ports=16 attempts=40 on_exhaustion=evict-lru", "attempts=32"),
        ("eviction port_allocation_type=blocks port_set_size=1", "smaller blocks"),
        ("churn port_allocation_type=blocks port_set_size=4", "fewer clients"),
        (
            "hole-punching ports=16 mapping_type=edm filtering_type=edf port_overlapping=endpoint "
            "port_allocation_type=sequential",
            "port_allocation_type=random",
        ),
        ("eviction mapping_type=edm filtering_type=edf port_overlapping=endpoint", "port_overlapping=off"),
        ("loss-curve ports=16 clients=3 port_allocation_type=blocks port_set_size=2", "fewer clients"),
        ("two-nats external_addresses=2", "external_addresses=1"),
        ("refusal-signals external_addresses=2", "external_addresses=1"),
        ("state-exhaustion external_addresses=3", "clients=3"),
        ("switch-table-full external_addresses=3", "clients=3"),
        ("refusal-signals port_quota=1", "port_quota=9"),
        ("protocols limit_sessions=98", "limit_sessions=99"),
        ("port-overlap port_quota_tcp=1", "port_quota_tcp=20"),
        ("state-exhaustion limit_port_mappings=64", "limit_port_mappings=80"),
        ("state-exhaustion port_quota=8", "port_quota=10"),
        ("switch-table-full limit_sessions=64", "limit_sessions=96"),
        ("switch-table-full ports=8 flow_limit=6 strangers=2 beyond=3", "ports=12"),
        ("client-exhaustion port_quota=48", "port_quota=49"),
        ("loss-curve limit_subscribers=2", "limit_subscribers=8"),
        ("hole-punching limit_sessions=1", "limit_sessions=5"),
        ("hole-punching untranslated_destinations=198.51.100.0/24", "untranslated_destinations=[]"),
    ],
)
def test_a_limit_that_could_bite_is_refused_with_a_value_that_could_not(words: str, way_out: str) -> None:
    """The value that is proposed is accepted, so the refusal goes no further than it has to."""
    with pytest.raises(ConfigurationError, match="not possible with") as refused:
        resolved(words)

    assert f"take {way_out}" in str(refused.value) or f"or {way_out}" in str(refused.value)
    if "=" in way_out:
        resolved(f"{words} {way_out}")


def test_a_static_mapping_takes_a_port_of_the_pool() -> None:
    """Every port counts, and its owner was there before."""
    chosen = Choices(sets=["static_mappings=tcp 192.0.2.1:1030 10.0.0.1:80"])
    with pytest.raises(ConfigurationError, match=r"static_mappings=\[tcp 192.* take static_mappings=\[\]"):
        resolve("churn", "openflow", chosen, datapath="userspace")


@pytest.mark.parametrize(
    "words",
    [
        "port-exhaustion limit_sessions=8",
        "port-exhaustion limit_port_mappings=8",
        "port-exhaustion flow_limit=8",
        "port-exhaustion port_quota=2",
        "port-exhaustion limit_sessions_per_destination=8",
        "port-exhaustion subscriber_ports=4",
        "port-exhaustion subscriber_ports=4 subscriber_ports_max=16",
        "churn hold_down_fin_timeout=1",
        "fairness port_quota=8",
        "state-exhaustion limit_sessions=8",
        "switch-table-full flow_limit=40",
        "release udp_timeout=2",
        "port-exhaustion attempts=40 new_mapping_rate_per_subscriber=30",
        "port-exhaustion time_scale=0.001",
        "port-exhaustion clients=3 port_allocation_type=blocks",
        "fairness port_allocation_type=blocks",
        "address-pool port_allocation_type=blocks",
        "loss-curve hold_queue=1",
        "churn hold_down_timeout=5",
        "port-exhaustion protocol=tcp udp_timeout=1",
    ],
)
def test_a_limit_that_is_reckoned_with_or_cannot_bite_is_accepted(words: str) -> None:
    """A setting is refused for what it could do at this size, not for what it is."""
    resolved(words)


def test_timers_that_are_not_set_outlast_the_run_at_any_scale() -> None:
    """What is in force counts, and not the number."""
    settings = resolved("port-exhaustion time_scale=0.001").settings

    lasting = {"udp_timeout": 9, "icmp_timeout": 9, "tcp_idle_timeout": 9, "tcp_trans_open_timeout": 3}
    assert all(settings.in_force(key) >= lasts for key, lasts in lasting.items())


def test_a_nat_beside_the_one_under_test_is_refused() -> None:
    """Its clients would not use the NAT that the question is about."""
    with pytest.raises(ConfigurationError, match=r"topology two-homes .* gateway-b .* take --topology home"):
        resolved("port-exhaustion", topology="two-homes")

    resolved("refusal-signals", topology="two-homes")


def test_nats_in_front_are_the_subscribers_of_the_one_under_test() -> None:
    """They need room for what passes, and a quota counts a whole home."""
    resolved("port-exhaustion", topology="carrier")
    with pytest.raises(ConfigurationError, match=r"port_quota=40 .* one subscriber is to try 160 connections"):
        resolved("port-exhaustion port_quota=40", topology="carrier")
    with pytest.raises(ConfigurationError, match="up to 872 connections would pass home-a, which has 256 ports"):
        resolved("port-exhaustion attempts=1000", topology="carrier")


def test_icmp_errors_are_limited_only_beyond_what_is_sent_at_once() -> None:
    """Whatever `icmp_rate` is, our NAT answers a whole pool that is asked for again."""
    assert ERRORS_AT_ONCE == BURST
    resolved("port-exhaustion on_exhaustion=icmp icmp_rate=1")
    with pytest.raises(ConfigurationError, match=r"icmp_rate=1 .* take icmp_rate="):
        resolved("port-exhaustion on_exhaustion=icmp icmp_rate=1 attempts=100000")


def test_subscribers_make_attempts_in_turn() -> None:
    """The first have one more."""
    assert in_turn(7, 3) == (3, 2, 2)
    assert in_turn(2, 3) == (1, 1, 0)
