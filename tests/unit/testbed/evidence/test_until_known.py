"""The time until clients knew, for each outcome that they could see."""

from __future__ import annotations

from dataclasses import replace

from testbed.evidence.until_known import until_known
from testbed.traffic.records import Attempt
from tests.support.evidence import attempt


def took(outcome: str, seconds: float) -> Attempt:
    """Return an attempt that ended after a time."""
    return replace(attempt(1, outcome), sent_at=100.0, done_at=100.0 + seconds)


def test_each_outcome_has_its_times_the_most_frequent_first() -> None:
    """From the shortest to the longest, in tenths of the attempts. Nothing is computed that was not measured."""
    attempts = [took("timeout", 3.0), *(took("established", number / 100) for number in range(20, -1, -1))]

    assert until_known(attempts) == [
        {
            "outcome": "established",
            "attempts": 21,
            "seconds": [0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2],
        },
        {"outcome": "timeout", "attempts": 1, "seconds": [3.0] * 11},
    ]


def test_between_two_attempts_the_slower_one_counts() -> None:
    """So no tenth of the attempts took longer than its time."""
    (row,) = until_known([took("reset", 1.0), took("reset", 2.0), took("reset", 3.0)])

    assert row["seconds"] == [1.0, *[2.0] * 5, *[3.0] * 5]


def test_where_no_attempt_was_refused_there_is_nothing_to_know() -> None:
    """A scenario without refusals has no such figure."""
    assert until_known([took("established", 0.1)]) == []
    assert until_known([]) == []
