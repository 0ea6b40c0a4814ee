"""The formulas: figures of printed tables, and what can be counted by hand."""

from __future__ import annotations

import itertools
import math

import pytest

from testbed.plan.erlang import apart, engset, erlang_b, ports_for


@pytest.mark.parametrize(
    ("ports", "erlangs"), [(5, 1.36), (10, 4.46), (20, 12.0), (50, 37.9), (100, 84.1)], ids=str
)
def test_erlang_b_is_one_percent_where_printed_tables_have_it(ports: int, erlangs: float) -> None:
    """The tables have three digits of the load."""
    assert erlang_b(erlangs, ports) == pytest.approx(0.01, rel=0.025)


@pytest.mark.parametrize(("ports", "load"), [(32, 18.2), (64, 44.2), (128, 100.1), (1024, 953.6), (64512, 64234)])
def test_one_call_in_a_thousand_is_lost_at_the_known_loads(ports: int, load: float) -> None:
    """64 ports are Cloud NAT's default for a virtual machine, and 64,512 are all of an address."""
    assert erlang_b(load, ports) == pytest.approx(0.001, rel=0.025)


def test_erlang_b_is_the_closed_formula() -> None:
    """A^N / N! over the sum of A^k / k!."""
    terms = [3.5**k / math.factorial(k) for k in range(7)]

    assert erlang_b(3.5, 6) == pytest.approx(terms[6] / sum(terms))


def test_engset_is_the_closed_formula_of_an_arriving_source() -> None:
    """It sees what the other sources do: one source fewer in each binomial coefficient."""
    sources, ports, erlangs = 9, 4, 3.0
    per_source = erlangs / (sources - erlangs)
    terms = [math.comb(sources - 1, k) * per_source**k for k in range(ports + 1)]

    assert engset(erlangs, ports, sources) == pytest.approx(terms[-1] / sum(terms))


def test_engset_never_blocks_where_each_source_has_a_port() -> None:
    """As many ports as sources are enough, and one fewer is not."""
    assert engset(5, 8, 8) == 0
    assert engset(5, 7, 8) > 0


def test_many_sources_are_erlang_b() -> None:
    """A million sources that offer twelve erlangs hardly ever are busy."""
    assert engset(12, 16, 1_000_000) == pytest.approx(erlang_b(12, 16), rel=1e-4)


@pytest.mark.parametrize(("erlangs", "target"), [*itertools.product([0.5, 12, 950], [0.1, 0.001])])
def test_the_ports_for_a_target_are_the_least_that_keep_it(erlangs: float, target: float) -> None:
    """With one port fewer, more is refused."""
    ports = ports_for(erlangs, target)

    assert erlang_b(erlangs, ports) <= target < erlang_b(erlangs, ports - 1)


def test_destinations_with_pools_of_their_own_lose_what_the_hottest_loses() -> None:
    """Two equal ones lose what one does with half of the load; a tiny one loses nothing."""
    assert apart([10, 10], 12) == pytest.approx(erlang_b(10, 12))
    assert apart([19.999, 0.001], 12) == pytest.approx(erlang_b(19.999, 12), rel=0.001)
    assert apart([], 12) == 0
