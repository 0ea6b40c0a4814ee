"""The plan of churn: its loads, and what it predicts for each of them."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError
from scenarios.churn import LOADS, ChurnParameters, window
from scenarios.shared.loads import plan
from scenarios.shared.rates import MOST_SPREAD_SHARE, Pool
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from topologies.gateways.openflow.facts import behaviour


def test_the_loads_of_churn_follow_each_other_and_count_whole_periods() -> None:
    """Each is measured for `measured` times the time that a port is occupied; all but the first settle before."""
    arrivals, loads = plan(Pool(ports=100, occupied=1.0, source=""), LOADS, measured=2.0)

    assert [load.counted for load in loads] == [140, 200, 300]
    assert [load.first for load in loads] == [1, 241, 591]
    assert len(arrivals) == 890
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] == pytest.approx(8.0, abs=0.01)


@pytest.mark.parametrize("late", [0.0, 0.5, 1.0])
def test_ports_that_come_back_late_but_in_time_are_refused_no_more_than_foreseen(late: float) -> None:
    """Wherever between the earliest and the latest time each port is given again."""
    pool = Pool(ports=32, occupied=0.7, source="", spread=1.6)
    arrivals, loads = plan(pool, LOADS, measured=2.0)
    refused = Pool(ports=32, occupied=0.7 + late * 1.6, source="").refuses([at + 1e-9 for at in arrivals])

    for load in loads:
        share = sum(refused[load.first - 1 : load.first - 1 + load.counted]) / load.counted
        assert share <= pool.most_refused(load.load) + 0.03
    assert pool.most_refused(0.7) == pytest.approx(1 - 0.7 / 2.3 / 0.7)
    assert Pool(ports=32, occupied=0.7, source="").most_refused(0.7) == 0.0


def shares(truth: Pool, held_to: Pool) -> list[float]:
    """Return the share that a NAT refuses at each load of those that another is held to."""
    arrivals, loads = plan(held_to, LOADS, measured=2.0)
    refused = truth.refuses([at + 1e-9 for at in arrivals])
    return [sum(refused[each.first - 1 : each.first - 1 + each.counted]) / each.counted for each in loads]


@pytest.mark.parametrize("late", [0.0, 0.5, 1.0])
def test_half_a_pool_is_red_wherever_an_honest_nat_that_is_late_is_not(late: float) -> None:
    """With the most spread that is not refused. At 0.7 times capacity no honest NAT refuses anybody."""
    occupied = 3.0
    pool = Pool(ports=32, occupied=occupied, source="", spread=MOST_SPREAD_SHARE * occupied)
    loads = plan(pool, LOADS, measured=2.0)[1]
    kept = occupied + late * pool.spread
    honest, half = (shares(Pool(ports=ports, occupied=kept, source=""), pool) for ports in (32, 16))

    assert pool.most_refused(0.7) == honest[0] == 0.0
    assert half[0] > 0.2
    least, most = window(loads[2], pool)
    assert least <= honest[2] <= most < half[2]


def test_what_churn_predicts_comes_true_in_a_perfect_world() -> None:
    """The prediction holds also in the short time that is measured."""
    pool = Pool(ports=32, occupied=1.2, source="")
    arrivals, loads = plan(pool, LOADS, measured=2.0)
    refused = pool.refuses([at + 1e-9 for at in arrivals])

    for load in loads[0], loads[2]:
        counted = refused[load.first - 1 : load.first - 1 + load.counted]
        assert sum(counted) / len(counted) == pytest.approx(load.predicted, abs=0.03)


CLOUD = ("ports=1024", "clients=2", "holding=0.1")


def test_the_pool_of_subscribers_with_ports_of_their_own_is_all_of_these() -> None:
    """Two machines behind Cloud NAT have 64 each, and each port for 30 s after its connection."""
    run = resolve("churn", "openflow", Choices(profile="gcp-cloud-nat", sets=[*CLOUD]), datapath="userspace")
    pool = Pool.of(behaviour(run.settings), run.settings, ChurnParameters.model_validate(run.parameters))

    assert pool.ports == 128
    assert pool.rate / 2 == pytest.approx(64 / 30, rel=0.03)


@pytest.mark.parametrize(
    ("profile", "sets", "told"),
    [
        ("gcp-cloud-nat-dynamic", CLOUD, "subscriber_ports_max=65536: the rate is computed for a number of ports"),
        ("gcp-cloud-nat", ("ports=100", "clients=2"), "subscribers are to have 64 ports each"),
        ("aws-nat-gateway", ("time_scale=0.02",), "up to 0.1 s on a busy machine; take tcp_trans_close_timeout=5"),
    ],
    ids=["ports that double", "more ports than there are", "no time for the last segments"],
)
def test_a_pool_whose_rate_is_not_known_is_refused(profile: str, sets: tuple[str, ...], told: str) -> None:
    """With the way out."""
    with pytest.raises(ConfigurationError, match=told):
        resolve("churn", "openflow", Choices(profile=profile, sets=[*sets]), datapath="userspace")
