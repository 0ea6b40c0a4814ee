"""Echo requests to the switch, one at a time, and late ticks: the longest wait counts."""

from __future__ import annotations

from controller.openflow.latency import ASK_EVERY_S, Latency

TICK_S = 9.0
"""Longer than all that these tests do, but for the last one."""


def test_the_longest_answer_counts() -> None:
    """A quick one after it changes nothing."""
    latency = Latency(TICK_S)
    for asked, answered in ((1.0, 1.5), (2.0, 2.1)):
        assert latency.ticks(asked)
        latency.answered(answered)

    assert latency.longest(9.0) == 0.5


def test_a_request_that_is_not_answered_yet_counts_as_well() -> None:
    """A switch that stands still would otherwise look quick."""
    latency = Latency(TICK_S)
    assert latency.ticks(1.0)

    assert not latency.ticks(8.0), "there is one under way"
    assert latency.longest(8.0) == 7.0


def test_requests_keep_their_distance() -> None:
    """They must cost nothing."""
    latency = Latency(TICK_S)
    latency.ticks(1.0)
    latency.answered(1.01)

    assert not latency.ticks(1.0 + ASK_EVERY_S / 2)
    assert latency.ticks(1.0 + ASK_EVERY_S)


def test_what_was_asked_on_a_lost_connection_is_not_waited_for() -> None:
    """The time without a connection counts: packets had no answer for as long."""
    latency = Latency(TICK_S)
    latency.ticks(1.0)
    latency.restarted(4.0)

    assert latency.longest(9.0) == 3.0
    assert latency.ticks(9.0)


def test_a_controller_that_stands_still_makes_packets_wait_though_no_request_is_under_way() -> None:
    """Its next tick shows for how long."""
    latency = Latency(0.05)
    latency.ticks(1.0)
    latency.answered(1.01)

    latency.ticks(2.25)

    assert round(latency.longest(2.25), 3) == 1.2
