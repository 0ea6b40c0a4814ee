"""The curve of refusals over utilisation: how it is counted, and what the model of a search predicts of it."""

from __future__ import annotations

import random

import pytest

from scenarios.shared.models.curve import Prediction, Row, first_refusal, rows
from scenarios.shared.models.linux_search import PortRange

OUTSIDE = 32768
"""A source port that is in none of the ranges, and so is never kept."""


def test_the_curve_counts_by_the_utilisation_that_an_attempt_met() -> None:
    """Four ports, in two steps; what met a full range has a row of its own."""
    served = [True, True, False, True, True, False, False]

    assert rows(served, 4, 2) == [Row(0.0, 2, 0), Row(0.5, 3, 1), Row(1.0, 2, 2)]
    assert first_refusal(served, 4) == 0.5
    assert first_refusal([True], 4) is None


def test_a_complete_search_is_predicted_exactly() -> None:
    """Nothing is refused before the range is full."""
    predicted = Prediction.of(
        [OUTSIDE] * 5, range(1024, 1028), finds_every_port_of=128, keeps=True, steps=1, seed=0
    )

    assert predicted == Prediction([Row(0.0, 4, 0), Row(1.0, 1, 1)], 1.0, 0, 0)


def test_the_bounds_hold_for_the_declared_search_and_for_no_other() -> None:
    """128 tries without the further rounds are told from the declared search, and so is a search of everything."""
    sources, ports = [OUTSIDE] * 4506, range(1024, 5120)
    predicted = Prediction.of(sources, ports, finds_every_port_of=128, keeps=True, steps=50, seed=0)

    assert 0 < predicted.low < 30
    assert 60 < predicted.high < 95
    assert predicted.first_refusal == pytest.approx(0.93, abs=0.01)
    assert sum(row.refused for row in predicted.rows) == pytest.approx(410, abs=1)
    once = PortRange(ports, random.Random(3), keeps=True)
    once._rounds = [128]
    assert [once.connect(source) for source in sources[:4096]].count(False) > predicted.high
