"""The trials of a bench while they are measured: as a picture, and as lines."""

from __future__ import annotations

import pytest

from testbed.bench.trials import LINE_EVERY_S, TrialsView
from testbed.run.live.screen import Size


def test_a_line_for_each_trial_and_for_each_while_that_it_takes() -> None:
    """A trial may take minutes, and a reader wants to see that it lives."""
    trials = TrialsView("setup", 2)
    trials.begin("openflow, udp", 10.0)

    assert list(trials.news(10.0)) == ["bench setup, 1 of 2: openflow, udp"]
    assert list(trials.news(11.0)) == []
    assert list(trials.news(10.0 + LINE_EVERY_S)) == ["bench setup, 1 of 2: openflow, udp goes on"]
    trials.begin("textbook, udp", 30.0)
    assert list(trials.news(30.0)) == ["bench setup, 2 of 2: textbook, udp"]
    trials.end(60.0)
    assert list(trials.news(99.0)) == []


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_picture_has_the_trial_and_a_bar_of_all(width: int) -> None:
    """What is done is counted when the next trial begins."""
    trials = TrialsView("setup", 4)
    trials.begin("openflow", 1.0)
    trials.begin("textbook", 6.0)

    title, bar = (line.plain for line in trials.frame(Size(width, 24, ascii_only=True), 8.0))

    assert title.startswith("bench setup: textbook"[: width - 1])
    assert bar.endswith(" 1 of 4, 7 s")
    assert (bar.count("#"), len(bar)) == ((width - 1 - len(" 1 of 4, 7 s")) // 4, width - 1)
