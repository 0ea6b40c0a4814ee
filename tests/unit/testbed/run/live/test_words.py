"""What happens in a NAT, in words."""

from __future__ import annotations

import itertools

from testbed.run.live.words import KEPT, Events
from topologies.gateways.gauges import Gauges, PortGauge


def gauges(free: int, **counters: int | None) -> Gauges:
    """Return gauges of a NAT with 4 ports."""
    return Gauges([PortGauge("192.0.2.1", "udp", 4 - free, free)], counters)


def told(*taken: Gauges, of: str = "") -> list[str]:
    """Return what happened, by gauges of a second each."""
    events = Events()
    for now, (before, after) in enumerate(itertools.pairwise(taken)):
        events.compare(float(now), before, after, of=of)
    return [f"{each.at:.0f} {each.text}" for each in events]


def test_an_address_that_gets_full_and_is_no_longer_is_two_events() -> None:
    """While it stays full, nothing happens."""
    assert told(gauges(4), gauges(0), gauges(0), gauges(1)) == [
        "0 192.0.2.1 has no free port (udp).",
        "2 192.0.2.1 has a free port again (udp).",
    ]


def test_equal_refusals_in_a_row_are_one_event_whose_number_grows() -> None:
    """Another limit's are another event, and so are those after it."""
    steps = [
        gauges(1, dropped_port_packets=0, dropped_rate_packets=0),
        gauges(1, dropped_port_packets=1, dropped_rate_packets=0),
        gauges(1, dropped_port_packets=1200, dropped_rate_packets=0),
        gauges(1, dropped_port_packets=1200, dropped_rate_packets=1),
        gauges(1, dropped_port_packets=1202, dropped_rate_packets=1),
    ]

    assert told(*steps) == [
        "0 1,200 packets were refused: no port was free.",
        "2 1 packet was refused: their senders made mappings too fast.",
        "3 2 packets were refused: no port was free.",
    ]


def test_a_counter_that_is_not_known_or_begins_anew_is_no_event() -> None:
    """A controller may have been started again."""
    assert told(gauges(1, dropped_port_packets=None), gauges(1, dropped_port_packets=None)) == []
    assert told(gauges(1, dropped_port_packets=9), gauges(1, dropped_port_packets=0)) == []


def test_an_event_names_its_nat_if_there_are_several() -> None:
    """Evictions are events as well."""
    assert told(gauges(1, evicted_mappings=0), gauges(1, evicted_mappings=2), of="carrier") == [
        "0 carrier: 2 mappings were evicted."
    ]


def test_old_events_are_forgotten() -> None:
    """A run may have any number of them."""
    events = Events()
    for number in range(KEPT + 10):
        events.add(0.0, "", str(number))

    assert next(each.text for each in events) == "10"
