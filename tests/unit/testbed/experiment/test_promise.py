"""What a gateway promises to attempts beyond its capacity."""

from __future__ import annotations

import pytest

from tests.support.experiments import attempt, experiment


@pytest.mark.parametrize(("policy", "packets"), [("drop", 5), ("hold", 2)])
def test_every_packet_of_refused_attempts_counts(policy: str, packets: int) -> None:
    """But for those that joined one that was held."""
    x, _ = experiment(on_exhaustion=policy)
    attempts = [
        attempt("established", retransmissions=7),
        *(attempt("timeout", retransmissions=n) for n in (1, 2)),
    ]

    assert x.promise.packets_refused(attempts) == packets


def test_limits_count_as_well_as_ports() -> None:
    """A limit that all share, or a quota of each subscriber."""
    assert experiment(ports=64)[0].promise.capacity == 64
    assert experiment(ports=64, external_addresses=2)[0].promise.capacity == 128
    assert experiment(ports=64, limit_sessions=10)[0].promise.capacity == 10
    assert experiment(ports=64, port_quota=3)[0].promise.capacity == 24
    assert experiment(ports=64, limit_sessions_per_destination=9)[0].promise.capacity == 9
    assert experiment(ports=64, subscriber_ports=2)[0].promise.capacity == 16
    doubling = experiment(ports=64, subscriber_ports=2, subscriber_ports_max=7)[0].promise
    assert (doubling.least, doubling.capacity) == (16, 32)


def test_where_the_search_gives_up_early_fewer_are_certain() -> None:
    """Up to half of the ports any search finds one."""
    x, _ = experiment(ports=1000, port_allocation_type="linux-like")

    assert (x.promise.least, x.promise.capacity, x.promise.finds_all) == (900, 1000, False)
    assert x.promise.established(2000) == (900, 1000)
    assert experiment(ports=1000)[0].promise.finds_all
