"""Rates against ports: the reckoning behind hold-and-retry, churn and fairness."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError
from scenarios.churn import plan
from scenarios.fairness import allotted, jain
from scenarios.shared.rates import Pool, evenly
from testbed.run.resolve import resolve


def refusal(scenario: str, *sets: str) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        resolve(
            scenario=scenario,
            topology=None,
            gateway="openflow",
            profile="plain",
            config=None,
            sets=list(sets),
            seed=1,
            datapath="userspace",
        )
    return str(refused.value)


POOL = Pool(ports=4, occupied=2.0, source="")


def test_capacity_is_ports_over_time() -> None:
    """Four ports, two seconds each."""
    assert POOL.rate == 2.0


def test_who_comes_no_faster_than_capacity_never_waits() -> None:
    """And is never refused."""
    arrivals = evenly(40, 2.0)

    assert POOL.waits(arrivals) == [0.0] * 40
    assert POOL.refuses(arrivals) == [False] * 40


def test_a_queue_grows_with_each_round() -> None:
    """At twice the capacity each round of four waits a second longer than the one before."""
    assert POOL.waits(evenly(12, 4.0)) == [*[0.0] * 4, *[1.0] * 4, *[2.0] * 4]


@pytest.mark.parametrize("load", [1.25, 1.5, 2.0, 4.0])
def test_without_a_queue_the_share_beyond_capacity_is_refused(load: float) -> None:
    """In the long run 1 - 1/load, however long the connections are."""
    refused = POOL.refuses(evenly(10_000, load * POOL.rate))

    assert sum(refused) / 10_000 == pytest.approx(1 - 1 / load, abs=0.01)


def test_the_loads_of_churn_follow_each_other_and_count_whole_periods() -> None:
    """Each is measured for `measured` times the time that a port is occupied; all but the first settle before."""
    arrivals, loads = plan(Pool(ports=100, occupied=1.0, source=""), measured=2.0)

    assert [load.counted for load in loads] == [140, 200, 300]
    assert [load.first for load in loads] == [1, 241, 591]
    assert len(arrivals) == 890
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] == pytest.approx(8.0, abs=0.01)


def test_what_churn_predicts_comes_true_in_a_perfect_world() -> None:
    """Also in its short time."""
    pool = Pool(ports=32, occupied=1.2, source="")
    arrivals, loads = plan(pool, measured=2.0)
    refused = pool.refuses([at + 1e-9 for at in arrivals])

    for load in loads[0], loads[2]:
        counted = refused[load.first - 1 : load.first - 1 + load.counted]
        assert sum(counted) / len(counted) == pytest.approx(load.predicted, abs=0.03)


@pytest.mark.parametrize(
    ("asked", "ports", "quota", "got"),
    [
        ([8, 2, 2], 8, None, [8, 0, 0]),
        ([8, 2, 2], 8, 3, [3, 2, 2]),
        ([8, 2, 2], 8, 1, [1, 1, 1]),
        ([8, 2, 2], 8, 7, [7, 1, 0]),
        ([8, 2, 2], 8, 20, [8, 0, 0]),
    ],
    ids=["no quota", "enough for all", "too low", "too high", "no limit"],
)
def test_who_gets_what(asked: list[int], ports: int, quota: int | None, got: list[int]) -> None:
    """The greedy one first, up to its quota; the others in turn, of what is left."""
    assert allotted(asked, ports, quota) == got


@pytest.mark.parametrize(
    ("shares", "index"),
    [([1, 1, 1, 1], 1.0), ([1, 0, 0, 0], 0.25), ([0.5, 0.5], 1.0), ([1, 1, 0, 0], 0.5), ([0, 0], 1.0)],
)
def test_jains_index(shares: list[float], index: float) -> None:
    """1 if all have the same, 1/n if one of n has everything."""
    assert jain(shares) == index


@pytest.mark.parametrize(
    ("scenario", "sets", "words"),
    [
        ("hold-and-retry", ["on_exhaustion=reset"], "neither holds"),
        ("hold-and-retry", ["load=2.0"], "take a lower load"),
        ("hold-and-retry", ["hold_timeout=0.3"], "hold_timeout"),
        ("hold-and-retry", ["external_addresses=2"], "one pool"),
        ("churn", ["on_exhaustion=hold"], "refuses nobody at once"),
        ("churn", ["ports=60000"], "connections a second"),
        ("fairness", ["on_exhaustion=evict-lru"], "lets the latest in"),
        ("fairness", ["external_addresses=2"], "take external_addresses=1"),
        ("fairness", ["clients=1"], "clients"),
        ("fairness", ["ports=512", "port_allocation_type=linux-like"], "take ports=128"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(scenario: str, sets: list[str], words: str) -> None:
    """Before anything starts."""
    assert words in refusal(scenario, *sets)
