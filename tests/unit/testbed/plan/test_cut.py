"""The part of a trace that a machine carries."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.model import Endpoint, Protocol
from testbed.plan.arrivals import Ending
from testbed.plan.chosen import Chosen, chosen_from
from testbed.plan.cut import busiest, cut
from testbed.plan.scaled import MOST_PER_S
from testbed.plan.traces.record import Record

SOURCE, SERVER = Endpoint.parse("10.0.0.1:4000"), Endpoint.parse("198.51.100.1:443")
SECONDS = 90.0


def chosen(**given: Any) -> Chosen:
    """Return a plan with these keys."""
    return chosen_from(given, "plain", 1)


def records(times: list[float]) -> list[Record]:
    """Return connections of a second each, which begin at these times."""
    return [Record(at, at + 1.0, Protocol.TCP, SOURCE, SERVER, Ending.FIN) for at in sorted(times)]


def test_a_short_trace_is_replayed_as_it_was() -> None:
    """No pace is better than any."""
    part = cut(chosen(), records([0.0, 1.0, 4.5]), SECONDS)

    assert (part.attempts, part.pace) == (3, 1.0)


def test_an_hour_is_over_within_half_a_minute() -> None:
    """If so many attempts a second are possible."""
    part = cut(chosen(), records([float(second) for second in range(0, 3600, 30)]), SECONDS)

    assert (part.attempts, part.pace) == (120, pytest.approx(30 / 3570))


def test_many_attempts_in_a_second_make_it_slower() -> None:
    """At 50 a second for an hour, half the pace is as quick as may be, and the rest is left out."""
    part = cut(chosen(), records([place / 50 for place in range(50 * 3600)]), SECONDS)

    assert part.pace == pytest.approx(0.5, rel=0.3)
    assert part.attempts < 50 * 3600


def test_more_than_a_machine_makes_at_once_ends_the_part() -> None:
    """A hundred may come together, and the next one would be too many."""
    part = cut(chosen(), records([*[place / 10 for place in range(30)], *[5.0] * 300]), SECONDS)

    assert part.pace == 1
    assert part.attempts == 30 + int(MOST_PER_S)


@given(st.lists(st.floats(0, 5000), min_size=1, max_size=300))
def test_what_is_left_is_the_beginning_and_within_reach(times: list[float]) -> None:
    """Of any trace."""
    every = records(times)
    part = cut(chosen(), every, SECONDS)
    left = every[: part.attempts]

    assert left
    assert busiest(left, 1 / part.pace) <= MOST_PER_S
    assert (left[-1].at - left[0].at) * part.pace <= SECONDS
    assert part.hosts == (1, 1)
