"""A pace: how many starts it allows in a second."""

from __future__ import annotations

from testbed.traffic.pace import Pace


def starts(pace: Pace, times: list[float]) -> list[float]:
    """Return the times at which a start was due, and made."""
    made = []
    for now in times:
        if pace.is_due(now):
            pace.start(now)
            made.append(now)
    return made


def test_a_pace_spreads_starts_evenly() -> None:
    """Four a second are a quarter of a second apart."""
    assert starts(Pace(4), [0.0, 0.1, 0.2, 0.25, 0.3, 0.5]) == [0.0, 0.25, 0.5]


def test_a_pace_catches_up_on_nothing() -> None:
    """A process that was late does not make up for it by a burst."""
    assert starts(Pace(4), [0.0, 9.0, 9.0, 9.1, 9.25]) == [0.0, 9.0, 9.25]


def test_without_a_rate_every_start_is_due() -> None:
    """And nobody waits."""
    pace = Pace()

    assert starts(pace, [0.0, 0.0, 0.0]) == [0.0, 0.0, 0.0]
    assert pace.wait(0.0) == 0.0


def test_a_pace_knows_how_long_to_wait() -> None:
    """Until the next start is due."""
    pace = Pace(4)
    pace.start(1.0)

    assert pace.wait(1.125) == 0.125
