"""The plan of churn: its loads, and what it predicts for each of them."""

from __future__ import annotations

import pytest

from scenarios.churn import LOADS
from scenarios.shared.loads import plan
from scenarios.shared.rates import Pool


def test_the_loads_of_churn_follow_each_other_and_count_whole_periods() -> None:
    """Each is measured for `measured` times the time that a port is occupied; all but the first settle before."""
    arrivals, loads = plan(Pool(ports=100, occupied=1.0, source=""), LOADS, measured=2.0)

    assert [load.counted for load in loads] == [140, 200, 300]
    assert [load.first for load in loads] == [1, 241, 591]
    assert len(arrivals) == 890
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] == pytest.approx(8.0, abs=0.01)


def test_what_churn_predicts_comes_true_in_a_perfect_world() -> None:
    """The prediction holds also in the short time that is measured."""
    pool = Pool(ports=32, occupied=1.2, source="")
    arrivals, loads = plan(pool, LOADS, measured=2.0)
    refused = pool.refuses([at + 1e-9 for at in arrivals])

    for load in loads[0], loads[2]:
        counted = refused[load.first - 1 : load.first - 1 + load.counted]
        assert sum(counted) / len(counted) == pytest.approx(load.predicted, abs=0.03)
