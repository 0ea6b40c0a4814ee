"""Which point comes next, and what the results say."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.sweep.estimates import USUAL
from testbed.sweep.grid import Grid
from testbed.sweep.log import Log
from testbed.sweep.point import Point, Subject
from testbed.sweep.sweep import Sweep

PLAN = Subject("plan", {}, {})


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """An empty log."""
    return Log(tmp_path, [USUAL])


def of(repeat: int = 3, until: float | None = None) -> Sweep:
    """Return a sweep of two combinations."""
    return Sweep(PLAN, Grid({"ports": [8, 16]}), repeat, 7, [USUAL], until)


def share(value: float) -> dict[str, object]:
    """Return the results of a point."""
    return {"refused_share": value}


def test_every_combination_of_a_repetition_has_the_same_seed(log: Log) -> None:
    """The common random numbers; and each has been tried once before any is tried twice."""
    points = [(point.combination["ports"], point.seed) for point in of().waiting(log)]

    assert points == [(8, 7), (16, 7), (8, 8), (16, 8), (8, 9), (16, 9)]


def test_what_is_done_is_not_done_again(log: Log) -> None:
    """Also if it gets done while the others wait."""
    log.add(Point({"ports": 16}, 7), share(0.1))
    waiting = of().waiting(log)
    assert next(waiting) == Point({"ports": 8}, 7)
    log.add(Point({"ports": 8}, 8), share(0.1))

    assert next(waiting) == Point({"ports": 16}, 8)


def test_a_combination_is_left_alone_once_its_interval_is_narrow(log: Log) -> None:
    """After three times, and the other one goes on."""
    seen = []
    for point in of(repeat=6, until=0.05).waiting(log):
        seen.append(point.combination["ports"])
        log.add(point, share(0.2 if point.combination["ports"] == 8 else 0.1 * point.seed))

    assert seen.count(8) == 3
    assert seen.count(16) == 6


def test_rows_have_means_and_differences_to_the_first(log: Log) -> None:
    """Of the same seeds."""
    for seed, first in ((7, 0.1), (8, 0.3)):
        log.add(Point({"ports": 8}, seed), share(first))
        log.add(Point({"ports": 16}, seed), share(first + 0.2))
    first, second = of().rows(log)

    assert first["measures"][USUAL]["mean"] == pytest.approx(0.2)
    assert first["measures"][USUAL]["difference"] is None
    assert second["measures"][USUAL]["difference"]["mean"] == pytest.approx(0.2)
    assert second["measures"][USUAL]["difference"]["interval"] == pytest.approx([0.2, 0.2])
    assert second["repetitions"] == 2
