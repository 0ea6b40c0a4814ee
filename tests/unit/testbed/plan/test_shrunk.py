"""Subscribers for a lab: parts of those of a plan, in less time, with settings that go with them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from controller.nat.tcp import TcpTimer
from controller.settings import ConfigurationError, Settings
from testbed.plan.chosen import Chosen, chosen_from
from testbed.plan.scaled import CLOSING_S, LEAST_HOLDING_S, MOST_HOSTS, MOST_PER_S
from testbed.plan.shrunk import LEAST_TIMER_S, MOST_WARM_UP_S, Shrunk, shrunk
from testbed.plan.workload import populations


def chosen(profile: str = "plain", **given: Any) -> Chosen:
    """Return a plan with these keys."""
    return chosen_from(given, profile, 1)


def settings(of: Chosen, small: Shrunk) -> Settings:
    """Return the settings of the lab."""
    return Settings.model_validate({**of.settings.model_dump(mode="json"), **small.settings})


def possible(plan: Chosen) -> Shrunk:
    """Return a plan for a lab, unless too few ports are left for what each subscriber has."""
    try:
        return shrunk(plan)
    except ConfigurationError:
        reject()


PLANS = st.builds(
    chosen,
    st.sampled_from(["plain", "cgn", "overlap", "gcp-cloud-nat", "azure-load-balancer"]),
    subscribers=st.integers(1, 200_000),
    light=st.floats(0, 0.5),
    heavy=st.floats(0, 0.5),
    dns=st.floats(0, 1),
    quic=st.floats(0, 1),
    life=st.floats(0.5, 3000),
    ports=st.integers(10_000, 64_512),
    time_scale=st.floats(0.01, 1),
)


@given(PLANS)
def test_any_plan_becomes_one_that_a_machine_carries(plan: Chosen) -> None:
    """The rate is the machine's, timers are long enough to be kept, and the settings are valid."""
    small = possible(plan)
    nat = settings(plan, small).for_nat()
    hosts, addresses = small.hosts

    assert small.rate <= MOST_PER_S * 1.001
    assert small.warm_up * small.rate <= MOST_WARM_UP_S * MOST_PER_S * 1.001
    assert hosts <= MOST_HOSTS
    assert hosts * addresses >= sum(each.count for each in small.populations)
    assert small.pace == 1 or small.holding >= LEAST_HOLDING_S * 0.999
    assert small.pace == 1 or nat.udp_timeout >= LEAST_TIMER_S * 0.999
    assert nat.tcp_timeouts[TcpTimer.CLOSING] >= CLOSING_S * 0.999


@given(PLANS)
def test_each_class_keeps_its_part_of_the_attempts(plan: Chosen) -> None:
    """Exactly, also where less than one subscriber of it is left."""
    small = possible(plan)

    for before, now in zip(populations(plan.parameters), small.populations, strict=True):
        assert now.of == before.of
        assert now.bursts == pytest.approx(before.bursts * small.size)
        assert abs(now.count - before.count * small.size) <= 1


@given(PLANS)
def test_timers_are_as_much_shorter_as_lives_are(plan: Chosen) -> None:
    """But for those after an end, which a real connection needs."""
    small = possible(plan)
    before, now = plan.settings, settings(plan, small)

    for key in ("udp_timeout", "tcp_idle_timeout", "tcp_trans_open_timeout", "hold_down_timeout"):
        assert now.in_force(key) == pytest.approx(before.in_force(key) * small.pace)


def test_a_small_plan_is_replayed_as_a_whole() -> None:
    """With the same ports."""
    small = shrunk(chosen(subscribers=20, ports=2400))

    assert small.size == 1
    assert sum(each.count for each in small.populations) == 20
    assert "ports" not in small.settings


def test_what_all_have_together_is_divided_and_what_each_has_is_not() -> None:
    """A subscriber of the lab does what one of the plan does."""
    limits = {"limit_sessions": 50_000, "port_quota": 300}
    plan = chosen(subscribers=1000, heavy=0, ports=60_000, **limits)
    small = shrunk(plan)
    now = settings(plan, small)

    assert now.ports == round(60_000 * small.size)
    assert now.limit_sessions == round(50_000 * small.size)
    assert now.port_quota == 300


def test_a_rate_is_as_much_higher_as_times_are_shorter() -> None:
    """It is in a second, and a second of the lab is many of the plan."""
    small = shrunk(chosen(subscribers=20, new_mapping_rate_per_subscriber=10.0))

    assert small.settings["new_mapping_rate_per_subscriber"] == pytest.approx(10 / small.pace)


@pytest.mark.parametrize(
    ("given", "way_out"),
    [
        ({"block_of_each": 16}, "take port_allocation_type=blocks with port_set_size=16"),
        ({"subscribers": 5000, "ports": ["2000-9999"]}, "take a number of ports, or fewer subscribers"),
        ({"subscribers": 5000, "ports": 9000, "subscriber_ports": 64}, "take fewer subscribers"),
    ],
)
def test_what_no_lab_has_is_refused(given: dict[str, Any], way_out: str) -> None:
    """With the way out."""
    with pytest.raises(ConfigurationError, match=way_out):
        shrunk(chosen(**given))
