"""What a check may expect: a value, or a range that shows itself."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.experiment.expectations import at_least, at_most, between, met


@pytest.mark.parametrize(
    ("expected", "observed", "holds"),
    [
        (3, 3, True),
        (3, 4, False),
        (None, None, True),
        ([1, 2], [1, 2], True),
        (at_most(3), 3, True),
        (at_most(3), 3.1, False),
        (at_least(3), 3, True),
        (at_least(3), 2, False),
        (between(2, 4), 2, True),
        (between(2, 4), 4, True),
        (between(2, 4), 5, False),
        (between(2, 2), 2, True),
        (between(2, 2), 3, False),
    ],
)
def test_an_observation_meets_an_equal_value_or_a_range_that_holds_it(
    expected: Any, observed: Any, holds: bool
) -> None:
    """Both ends of a range belong to it."""
    assert met(expected, observed) is holds


@pytest.mark.parametrize("expected", [at_most(3), at_least(0), between(0, 3), between(3, 3)])
def test_what_was_not_observed_meets_no_range(expected: Any) -> None:
    """A time that was never measured is not below its limit."""
    assert not met(expected, None)


def test_a_range_shows_itself_as_a_reader_would_say_it() -> None:
    """A range of one value is that value."""
    assert [str(each) for each in (at_most(6.5), at_least(2), between(1, 4), between(4, 4))] == [
        "at most 6.5",
        "at least 2",
        "1 to 4",
        "4",
    ]
