"""The front: what no other choice is better than in everything."""

from __future__ import annotations

from testbed.plan.carrier import of_subscribers
from testbed.plan.chosen import chosen_from
from testbed.plan.front import Point, front
from tests.support.plans import QUICK


def test_a_point_beats_another_if_it_is_as_good_in_everything_and_better_in_something() -> None:
    """Neither itself, nor one that is better in anything."""
    cheap, same, worse = Point(1, None, 0.1, 100), Point(1, 64, 0.1, 100), Point(1, 64, 0.2, 100)

    assert cheap.beats(worse)
    assert not cheap.beats(same)
    assert not cheap.beats(Point(2, None, 0.05, 200))


def test_the_front_has_what_nothing_beats() -> None:
    """The best of each, and the compromises between them."""
    few, many, compromise = Point(1, None, 0.3, 900), Point(4, 64, 0.0, 900), Point(2, 64, 0.1, 50)

    assert front([few, Point(2, 64, 0.4, 950), many, Point(5, None, 0.0, 900), compromise]) == [
        few,
        many,
        compromise,
    ]


def test_a_carrier_s_front_has_more_addresses_with_fewer_refusals() -> None:
    """And blocks with fewer lines of log than single ports."""
    given = {**QUICK, "subscribers": 60, "duration": 60.0, "warm_up": 60.0, "heavy": 0.0, "ports": 400}
    points = of_subscribers(chosen_from(given, "plain", 1), has_front=True)["front"]
    best = [each for each in points if each["is_on_front"]]
    single = {each["addresses"]: each for each in points if each["block"] is None}
    shares = [single[each]["refused_share"] for each in sorted(single)]

    assert {each["block"] for each in points} == {None, 64, 256}
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0 == shares[-1]
    assert min(best, key=lambda each: each["log_lines_a_day"])["block"] is not None
    assert all(each in points for each in best)
