"""Plain calls: the simulated NAT meets Erlang and Engset where it must, and differs where it must."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.plan.calls import of_calls
from testbed.plan.chosen import chosen_from

HALF, LEAST = 0.01, 10_000


def calls(erlangs: float, *, seed: int = 1, **given: Any) -> dict[str, Any]:
    """Return the results of a plan that is content with less certainty than the command's."""
    return of_calls(chosen_from(given, "plain", seed), erlangs, half=HALF, least=LEAST)


@pytest.mark.parametrize(
    ("ports", "erlangs"), [(8, 5), (8, 12), (32, 28), (64, 44.2), (64, 60)], ids=lambda number: f"{number:g}"
)
def test_erlang_b_is_within_the_interval(ports: int, erlangs: float) -> None:
    """One pool, a Poisson process, a search that finds every port."""
    found = calls(erlangs, ports=ports)
    low, high = found["interval"]

    assert low <= found["erlang_b"] <= high
    assert high - low <= 2 * HALF
    assert found["differences"] == []


@pytest.mark.parametrize(("ports", "erlangs"), [(16, 12), (64, 60), (256, 250)], ids=str)
@pytest.mark.deep
def test_erlang_b_is_within_the_interval_of_the_command(ports: int, erlangs: float) -> None:
    """The command goes on until half of it is at most 0.002."""
    found = of_calls(chosen_from({"ports": ports}, "plain", 1), erlangs)
    low, high = found["interval"]

    assert low <= found["erlang_b"] <= high
    assert high - low <= 0.004


@pytest.mark.parametrize(("ports", "erlangs", "sources"), [(8, 6, 12), (16, 12, 24), (6, 4, 8)], ids=str)
def test_engset_is_within_the_interval_where_sources_are_few(ports: int, erlangs: float, sources: int) -> None:
    """And Erlang B, which takes them for many, is beyond it."""
    found = calls(erlangs, ports=ports, sources=sources)
    low, high = found["interval"]

    assert found["theory"][0]["model"] == "Engset"
    assert low <= found["theory"][0]["refused_share"] <= high
    assert found["erlang_b"] > high


def test_closing_and_rest_are_part_of_the_holding_time() -> None:
    """Of the load that was asked for, so that the formula is met with any timers."""
    given = {"tcp_trans_close_timeout": 20.0, "rest": 0.5}
    found = calls(20, ports=24, **given)
    low, high = found["interval"]

    assert found["parameters"]["holding_s"] == 80.5
    assert found["parameters"]["rate"] == pytest.approx(20 / 80.5)
    assert low <= found["erlang_b"] <= high


def test_what_is_kept_after_a_connection_is_nothing_unless_it_is_set() -> None:
    """Neither closing timer, nor hold-down, nor rest."""
    assert calls(2, ports=8)["parameters"]["holding_s"] == 60


def test_the_first_seed_repeats_and_another_differs() -> None:
    """To the last attempt."""

    def counts(seed: int) -> tuple[int, int]:
        found = calls(6, ports=8, seed=seed)
        return found["offered"], found["refused"]

    assert counts(1) == counts(1) != counts(2)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"port_allocation_type": "linux-like", "ports": 400}, "gives up"),
        ({"port_quota": 2}, "quota"),
        ({"limit_sessions": 20}, "limit_sessions"),
        ({"on_exhaustion": "hold"}, "waits"),
        ({"port_allocation_type": "blocks", "port_set_size": 8, "ports": 64}, "block"),
    ],
    ids=str,
)
def test_where_formula_and_nat_must_differ_the_results_say_why(given: dict[str, Any], word: str) -> None:
    """In a sentence."""
    found = of_calls(chosen_from({"ports": 32, **given}, "plain", 1), 30, half=0.1, least=500)

    assert any(word in sentence for sentence in found["differences"])


def test_more_erlangs_than_sources_are_refused() -> None:
    """A source has one connection."""
    with pytest.raises(ConfigurationError, match=r"sources=4 .* --erlangs 4: .* take more sources"):
        calls(4, sources=4)


@pytest.mark.parametrize(
    ("pooling", "ports"), [("paired", 8), ("arbitrary", 16)], ids=["one address of two", "all of the pool"]
)
def test_a_single_host_has_one_address_of_a_paired_pool(pooling: str, ports: int) -> None:
    """A second address is of no use to it, and of use to all where the pool is shared."""
    given = {"ports": 8, "external_addresses": 2, "subscribers": 1, "address_allocation_type": pooling}
    found = calls(11, **given)
    low, high = found["interval"]

    assert found["theory"][0]["ports"] == ports
    assert low <= found["erlang_b"] <= high
