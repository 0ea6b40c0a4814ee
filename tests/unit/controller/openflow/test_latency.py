"""Echo requests to the switch: one at a time, and the longest answer counts."""

from __future__ import annotations

from controller.openflow.latency import ASK_EVERY_S, Latency


def test_the_longest_answer_counts() -> None:
    """A quick one after it changes nothing."""
    latency = Latency()
    for asked, answered in ((1.0, 1.5), (2.0, 2.1)):
        assert latency.is_due(asked)
        latency.answered(answered)

    assert latency.longest(9.0) == 0.5


def test_a_request_that_is_not_answered_yet_counts_as_well() -> None:
    """A switch that stands still would otherwise look quick."""
    latency = Latency()
    assert latency.is_due(1.0)

    assert not latency.is_due(8.0), "there is one under way"
    assert latency.longest(8.0) == 7.0


def test_requests_keep_their_distance() -> None:
    """They must cost nothing."""
    latency = Latency()
    latency.is_due(1.0)
    latency.answered(1.01)

    assert not latency.is_due(1.0 + ASK_EVERY_S / 2)
    assert latency.is_due(1.0 + ASK_EVERY_S)


def test_what_was_asked_on_a_lost_connection_is_not_waited_for() -> None:
    """The time without a connection counts: packets had no answer for as long."""
    latency = Latency()
    latency.is_due(1.0)
    latency.restarted(4.0)

    assert latency.longest(9.0) == 3.0
    assert latency.is_due(9.0)
