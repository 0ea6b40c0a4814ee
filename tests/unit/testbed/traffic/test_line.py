"""One direction of a link: when frames arrive, which are lost, and in which order."""

from __future__ import annotations

from itertools import pairwise

import pytest

from testbed.traffic.line import Line
from topologies.network.conditions import Conditions

BYTES = 1000


def fates(conditions: Conditions, frames: int, *, apart: float = 1.0, seed: str = "1") -> list[float | None]:
    """Return the seconds that each frame takes, or None for one that is lost."""
    line, taken = Line(conditions, seed), []
    for number in range(frames):
        due = line.due(BYTES, number * apart)
        line.waiting = 0
        taken.append(None if due is None else round(due - number * apart, 9))
    return taken


def test_without_conditions_a_frame_arrives_at_once() -> None:
    """Nothing is added that was not asked for."""
    assert fates(Conditions(), 3) == [0.0, 0.0, 0.0]


def test_every_frame_takes_the_delay() -> None:
    """20 ms are 20 ms, however far apart the frames are."""
    assert set(fates(Conditions(delay=0.02), 50)) == {0.02}


def test_jitter_varies_the_delay_by_no_more_than_it_says() -> None:
    """It goes both ways, and reaches near both ends."""
    taken = [each for each in fates(Conditions(delay=0.02, jitter=0.005), 1000) if each is not None]

    assert 0.015 <= min(taken) < 0.0155
    assert 0.0245 < max(taken) <= 0.025


def test_loss_takes_its_share() -> None:
    """Of 10,000 frames at 1 % about 100 go, and within four standard deviations for any seed."""
    lost = [fates(Conditions(loss=0.01), 10_000, seed=seed).count(None) for seed in ("1", "2", "3")]

    assert all(60 <= each <= 140 for each in lost)
    assert len(set(lost)) > 1


def test_the_same_seed_loses_the_same_frames() -> None:
    """And another seed others."""
    conditions = Conditions(delay=0.01, jitter=0.01, loss=0.1, reordering=0.1)

    assert fates(conditions, 200, seed="7 alice out") == fates(conditions, 200, seed="7 alice out")
    assert fates(conditions, 200, seed="7 alice out") != fates(conditions, 200, seed="7 alice in")


def test_reordering_lets_a_share_overtake_the_others() -> None:
    """Such a frame does not wait at all."""
    taken = fates(Conditions(delay=0.02, reordering=0.25), 1000)

    assert set(taken) == {0.0, 0.02}
    assert 190 <= taken.count(0.0) <= 310


def test_a_rate_sends_one_frame_after_the_other() -> None:
    """1,000 bytes at 8 Mbit/s are a millisecond, and the second of two at once waits for the first."""
    assert fates(Conditions(rate=8e6), 3, apart=0.0) == [0.001, 0.002, 0.003]
    assert fates(Conditions(rate=8e6), 3, apart=1.0) == [0.001, 0.001, 0.001]


def test_on_a_link_with_a_rate_jitter_keeps_the_order() -> None:
    """Frames that wait in one queue do not pass each other."""
    line = Line(Conditions(delay=0.02, jitter=0.02, rate=80e6), "1")
    dues = [line.due(BYTES, number * 0.0001) or 0.0 for number in range(200)]

    assert all(one <= other for one, other in pairwise(dues))


@pytest.mark.parametrize(
    ("conditions", "room"), [(Conditions(rate=1.2e6), 1000), (Conditions(1.0, rate=1.2e6), 1100)]
)
def test_a_frame_that_finds_no_room_is_lost(conditions: Conditions, room: int) -> None:
    """1,000 frames may wait for a rate, besides those that are under way."""
    line = Line(conditions, "1")
    arrive = [line.due(BYTES, 0.0) for _ in range(room + 5)]

    assert arrive.count(None) == line.overflowed == 5
    assert line.lost == 0
