"""What a target needs."""

from __future__ import annotations

import pytest

from testbed.plan.carrier import of_subscribers
from testbed.plan.chosen import chosen_from
from testbed.plan.erlang import erlang_b
from testbed.plan.needed import Search
from tests.support.plans import QUICK


@pytest.mark.parametrize("guess", [1, 30, 64, 100, 5000])
def test_the_search_finds_the_least_number_from_any_guess(guess: int) -> None:
    """By a formula in the place of a simulation: 64 ports lose one in a hundred of 50.6 erlangs."""
    search = Search(lambda ports: erlang_b(50.6, ports), 0.01005, 64_512, 0)

    assert search.least(guess) == 64
    assert len(search.tried) < 20


def test_the_search_says_if_nothing_is_enough() -> None:
    """After it has tried the greatest number."""
    search = Search(lambda number: 0.5, 0.1, 254, 0)

    assert search.least(3) is None
    assert 254 in search.tried


def test_a_number_of_one_may_be_enough() -> None:
    """It is tried as well."""
    assert Search(lambda number: 0.0, 0.1, 254, 0).least(7) == 1


def test_a_precision_ends_the_search_early_and_errs_on_the_safe_side() -> None:
    """What is returned meets the target."""
    search = Search(lambda ports: erlang_b(9000, ports), 0.01, 64_512, 0.01)
    found = search.least(9450)

    assert found is not None
    assert erlang_b(9000, found) <= 0.01 < erlang_b(9000, int(found * 0.98))
    assert len(search.tried) < 12


def test_a_carrier_gets_ports_and_addresses_that_meet_its_target() -> None:
    """A simulation with each refuses no more, and one with a little less refuses more."""
    given = {**QUICK, "subscribers": 40, "duration": 60.0, "heavy": 0.0, "ports": 300}
    needed = of_subscribers(chosen_from(given, "plain", 1), target=0.02)["needed"]
    tried = {(each["ports"], each["addresses"]): each["refused_share"] for each in needed["tried"]}

    assert tried[needed["ports"], 1] <= 0.02
    assert any(
        share > 0.02 for (ports, _), share in tried.items() if 0.97 * needed["ports"] < ports < needed["ports"]
    )
    assert tried[300, needed["addresses"]] <= 0.02 < tried[300, needed["addresses"] - 1]
