"""Usage thresholds: what is announced, with hysteresis, and of which ports (RFC 8512)."""

from __future__ import annotations

from controller.nat.events import ThresholdReached
from controller.nat.model import Endpoint
from tests.support.core import ALICE, BOB, CAROL, SERVER, TCP, UDP, Bench


def test_usage_is_announced_at_its_thresholds_with_hysteresis() -> None:
    """RFC 8512 notify-pool-usage: high at 75 %, low at 25 %; nothing between."""
    bench = Bench(ports=8, pool_usage_low=25, pool_usage_high=75)
    sources = [Endpoint(ALICE.address, port) for port in range(8)]
    mappings = [bench.open(source, SERVER, UDP) for source in sources]

    for mapping in mappings[:3]:
        bench.roll_back(mapping)
    bench.sleep(1.0)
    for source in sources[:2]:
        bench.open(source, SERVER, UDP)
    for mapping in mappings[3:]:
        bench.roll_back(mapping)

    events = [event for _, event in bench.log if isinstance(event, ThresholdReached)]
    assert events == [
        ThresholdReached(UDP, is_high=True, allocated=6),
        ThresholdReached(UDP, is_high=False, allocated=2),
    ]


def test_thresholds_are_of_all_addresses_and_of_one_protocol() -> None:
    """Usage of TCP's ports does not count for UDP."""
    bench = Bench(ports=2, addresses=2, pool_usage_low=0, pool_usage_high=100)
    for host in (ALICE, BOB):
        for port in (1, 2):
            assert not any(isinstance(event, ThresholdReached) for _, event in bench.log)
            bench.open(Endpoint(host.address, port), SERVER, UDP)
    bench.open(CAROL, SERVER, TCP)

    events = [event for _, event in bench.log if isinstance(event, ThresholdReached)]
    assert events == [ThresholdReached(UDP, is_high=True, allocated=4)]
