"""Rows and ratios of a bench: the median over the repetitions, and like compared with like."""

from __future__ import annotations

from testbed.bench.bench import Ratio, Sample
from testbed.bench.figures import ratios, rows
from tests.support.race import PLACE, sample


def test_a_row_is_the_median_over_the_repetitions_with_the_least_and_the_most() -> None:
    """The order of the repetitions does not matter."""
    found = rows([[sample("hare", 30.0)], [sample("hare", 10.0)], [sample("hare", 20.5)]])

    assert found == [
        {"subject": "hare", "parameters": PLACE, "unit": "flows/s", "median": 20.5, "min": 10, "max": 30}
    ]


def test_a_ratio_compares_within_each_repetition() -> None:
    """A machine that is slow for a while slows both: 2, 4 and 1, though the medians are 30 and 10."""
    repetitions = [
        [sample("hare", 10.0), sample("tortoise", 5.0)],
        [sample("hare", 40.0), sample("tortoise", 10.0)],
        [sample("hare", 30.0), sample("tortoise", 30.0)],
    ]

    found = ratios(repetitions, [Ratio("hare", "tortoise", "flows/s")])

    assert found == [{"of": "hare", "to": "tortoise", "parameters": PLACE, "median": 2, "min": 1, "max": 4}]


def test_ratios_are_of_like_cells_only() -> None:
    """Neither another unit nor other parameters are comparable."""
    samples = [
        sample("hare", 10.0),
        Sample("tortoise", PLACE, "Mbit/s", 5.0),
        Sample("tortoise", {"fill": 0.95}, "flows/s", 5.0),
    ]

    assert ratios([samples], [Ratio("hare", "tortoise", "flows/s")]) == []


def test_a_sample_with_losses_is_in_no_ratio() -> None:
    """A NAT that loses packets is not faster for it."""
    repetitions = [
        [sample("hare", 90.0, lost=1), sample("tortoise", 5.0, lost=0)],
        [sample("hare", 40.0, lost=0), sample("tortoise", 10.0, lost=0)],
    ]

    (found,) = ratios(repetitions, [Ratio("hare", "tortoise", "flows/s")])

    assert found["max"] == 4


def test_a_row_has_the_worst_loss() -> None:
    """The median would hide a loss in one repetition."""
    found = rows([[sample("hare", 10.0, lost=0)], [sample("hare", 10.0, lost=7)], [sample("hare", 10.0, lost=0)]])

    assert found[0]["lost"] == 7
