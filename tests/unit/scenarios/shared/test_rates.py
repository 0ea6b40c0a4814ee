"""Rates against ports: who waits, who is refused, and which parameters make no sense."""

from __future__ import annotations

import pytest

from controller.settings import ConfigurationError
from scenarios.shared.rates import Pool, evenly
from testbed.run.choices import Choices
from testbed.run.resolve import resolve


def refusal(scenario: str, *sets: str) -> str:
    """Return what the user is told."""
    with pytest.raises(ConfigurationError) as refused:
        resolve(scenario, "openflow", Choices(sets=list(sets)), datapath="userspace")
    return str(refused.value)


POOL = Pool(ports=4, occupied=2.0, source="")


def test_capacity_is_ports_over_time() -> None:
    """Four ports that are occupied for two seconds each serve two connections a second."""
    assert POOL.rate == 2.0


def test_clients_that_come_no_faster_than_capacity_never_wait() -> None:
    """Without a queue they are never refused."""
    arrivals = evenly(40, 2.0)

    assert POOL.waits(arrivals) == [0.0] * 40
    assert POOL.refuses(arrivals) == [False] * 40


def test_a_queue_grows_with_each_round() -> None:
    """At twice the capacity each round of four waits a second longer than the one before."""
    assert POOL.waits(evenly(12, 4.0)) == [*[0.0] * 4, *[1.0] * 4, *[2.0] * 4]


@pytest.mark.parametrize("load", [1.25, 1.5, 2.0, 4.0])
def test_without_a_queue_the_share_beyond_capacity_is_refused(load: float) -> None:
    """In the long run 1 - 1/load, however long the connections are."""
    refused = POOL.refuses(evenly(10_000, load * POOL.rate))

    assert sum(refused) / 10_000 == pytest.approx(1 - 1 / load, abs=0.01)


@pytest.mark.parametrize(
    ("scenario", "sets", "words"),
    [
        ("hold-and-retry", ["on_exhaustion=reset"], "neither holds"),
        ("hold-and-retry", ["load=2.0"], "take a lower load"),
        ("hold-and-retry", ["hold_timeout=0.3"], "hold_timeout"),
        ("hold-and-retry", ["external_addresses=2"], "one pool"),
        ("churn", ["on_exhaustion=hold"], "take on_exhaustion=drop, icmp or reset"),
        ("churn", ["ports=60000"], "connections a second"),
        ("fairness", ["on_exhaustion=evict-lru"], "about the clients that are refused"),
        ("fairness", ["external_addresses=2"], "take external_addresses=1"),
        ("fairness", ["clients=1"], "clients"),
        ("fairness", ["ports=512", "port_allocation_type=linux-like"], "take ports=128"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_with_a_sentence(
    scenario: str, sets: list[str], words: str
) -> None:
    """The refusal comes before anything starts."""
    assert words in refusal(scenario, *sets)
