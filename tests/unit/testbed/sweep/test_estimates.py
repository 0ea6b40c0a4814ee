"""Means, their intervals, and differences."""

from __future__ import annotations

import random

import pytest

from testbed.sweep.estimates import Estimate, difference, estimate, measured


def test_the_interval_is_student_s() -> None:
    """Of 1, 2, 3, 4: 4.303... of one degree less than four repetitions, by hand."""
    found = estimate([(1.0, None), (2.0, None), (3.0, None), (4.0, None)])

    assert found.mean == 2.5
    assert found.interval == pytest.approx((2.5 - 2.0542, 2.5 + 2.0542), abs=1e-3)


def test_the_interval_has_the_mean_in_it_nineteen_times_of_twenty() -> None:
    """Of few repetitions, of which the normal distribution's would have it in too few."""
    rng = random.Random(1)
    inside = 0
    for _ in range(2000):
        low, high = estimate([(rng.gauss(5, 2), None) for _ in range(3)]).interval or (0.0, 0.0)
        inside += low <= 5 <= high

    assert 0.93 < inside / 2000 < 0.97


def test_one_repetition_has_the_interval_of_its_plan() -> None:
    """And that of a run has none."""
    assert estimate([(0.1, (0.05, 0.15))]).interval == (0.05, 0.15)
    assert estimate([(0.1, None)]).interval is None


def test_a_share_of_which_nothing_was_seen_is_not_certainly_zero() -> None:
    """Two plans of one length are as good as one of twice the length."""
    assert estimate([(0.0, (0.0, 0.01))] * 2) == Estimate(0.0, (0.0, 0.005))


def test_a_share_is_neither_below_none_nor_above_all() -> None:
    """Where few repetitions differ a lot."""
    assert estimate([(0.0, (0.0, 0.1)), (0.9, (0.8, 1.0))]).interval == (0.0, 1.0)
    assert estimate([(0.0, None), (0.9, None)]).interval != (0.0, 1.0)


def test_a_difference_is_within_each_seed() -> None:
    """What the random numbers do to both cancels out, and so a small difference is certain."""
    noise = {seed: random.Random(seed).gauss(0, 10) for seed in range(5)}
    found = difference({seed: each + 1 for seed, each in noise.items()}, {**noise, 99: 1000.0})

    assert found is not None
    assert found.mean == pytest.approx(1)
    assert found.half < 1e-9
    assert difference({1: 2.0}, {2: 2.0}) is None


def test_a_measure_is_a_number_at_its_place() -> None:
    """Of a run the share is reckoned from the outcomes."""
    run = {"outcomes": {"established": 6, "timeout": 2}, "counters": {"ports_allocated": 6}}
    plan = {"refused_share": 0.2, "interval": [0.1, 0.3]}

    assert measured(run, ["refused_share", "counters.ports_allocated", "counters.none"]) == {
        "refused_share": (0.25, None),
        "counters.ports_allocated": (6.0, None),
    }
    assert measured(plan, ["refused_share"]) == {"refused_share": (0.2, (0.1, 0.3))}
    assert measured({"outcomes": {"established": 0}}, ["refused_share"]) == {}
