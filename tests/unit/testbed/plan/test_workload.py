"""What subscribers do: the figures of their classes, bursts, popularity, and that a seed repeats."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import Any

import pytest

from controller.nat.model import Protocol
from testbed.plan.arrivals import Arrival, Ending
from testbed.plan.parameters import PlanParameters
from testbed.plan.subscribers import CLASSES
from testbed.plan.workload import FIRST_INSIDE, RESOLVER, Workload, geometric, seen


def workload(**parameters: Any) -> Workload:
    """Return a workload of a hundred subscribers."""
    return Workload(PlanParameters(**{"subscribers": 100, **parameters}), random.Random(1))


def arrivals(of: Workload, seconds: int) -> list[Arrival]:
    """Return what arrives in the first seconds."""
    return [each for _, batch in itertools.islice(of.seconds(), seconds) for each in batch]


def test_a_class_has_the_sessions_at_a_time_that_its_source_counted() -> None:
    """By Little's law: attempts a second times the seconds for which each counted."""
    for place, of in enumerate(CLASSES):
        shares = {"light": 0.0, "heavy": 0.0, of.name: 1.0}
        parameters = {"light": shares["light"], "heavy": shares["heavy"]}
        load = workload(**parameters, subscribers=10 if of.name == "heavy" else 100)
        rate = len(arrivals(load, 300)) / 300 / load.chosen.subscribers

        assert [each.of for each in load.populations] == [of], place
        assert rate * seen(load.chosen, of) == pytest.approx(of.sessions, rel=0.1)


def test_arrivals_come_in_the_order_of_time_and_within_their_second() -> None:
    """A burst that goes on in the next second is no exception."""
    load, last = workload(), 0.0
    for end, batch in itertools.islice(load.seconds(), 50):
        for each in batch:
            assert last <= each[0] < end
            last = each[0]


def test_a_seed_repeats_all_of_it() -> None:
    """And another does not."""
    first = arrivals(workload(), 20)

    assert first == arrivals(workload(), 20)
    assert first != arrivals(Workload(PlanParameters(subscribers=100), random.Random(2)), 20)


def test_bursts_come_from_one_subscriber() -> None:
    """So the counts of a second vary more than those of a Poisson process: by the mean burst, about."""
    load = workload(light=0, heavy=0, subscribers=200)
    counts = [len(batch) for _, batch in itertools.islice(load.seconds(), 20, 420)]
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)

    assert variance / mean > 5


def test_the_share_of_dns_quic_and_tcp_is_as_chosen() -> None:
    """Of what has no peer."""
    found = arrivals(workload(light=0.5, heavy=0, dns=0.5, quic=0.2, resets=0.25), 600)
    names = sum(each[1].destination == RESOLVER for each in found)
    tcp = [each for each in found if each[1].protocol is Protocol.TCP]
    reset = sum(each[3] is Ending.RESET for each in tcp)

    assert names / len(found) == pytest.approx(0.5, abs=0.02)
    assert len(tcp) / (len(found) - names) == pytest.approx(0.8, abs=0.02)
    assert reset / len(tcp) == pytest.approx(0.25, abs=0.02)


def test_popularity_is_zipf_s_law() -> None:
    """The first server has twice what the second has, and four times the fourth's."""
    found = arrivals(workload(light=0, heavy=0, dns=0, destinations=50), 600)
    counts = Counter(each[5] for each in found)

    assert counts[1] / counts[2] == pytest.approx(2, rel=0.15)
    assert counts[1] / counts[4] == pytest.approx(4, rel=0.15)


def test_heavy_subscribers_meet_peers_that_nobody_else_meets() -> None:
    """Four in five of their connections, each with an endpoint of its own."""
    load = workload(light=0, heavy=1, subscribers=5)
    found = arrivals(load, 60)
    peers = [each[1].destination for each in found if each[5] == load.destinations - 1]

    assert len(peers) / len(found) == pytest.approx(0.8, abs=0.03)
    assert len(set(peers)) > 0.99 * len(peers)


def test_every_subscriber_is_in_its_class() -> None:
    """One after the other from 100.64.0.1 on."""
    load = workload(light=0.2, heavy=0.1)

    assert [(each.of.name, each.first - FIRST_INSIDE, each.count) for each in load.populations] == [
        ("light", 0, 20),
        ("typical", 20, 70),
        ("heavy", 90, 10),
    ]


def test_a_geometric_number_has_its_mean() -> None:
    """It is 1 or more."""
    rng = random.Random(1)
    drawn = [geometric(15, rng.random()) for _ in range(20_000)]

    assert min(drawn) == 1
    assert sum(drawn) / len(drawn) == pytest.approx(15, rel=0.03)
    assert geometric(1, 0.9) == 1
