"""How sure a share is."""

from __future__ import annotations

import random

import pytest

from testbed.plan.interval import MOST_BATCHES, BatchMeans, student


def of_draws(share: float, batches: int, *, seed: int = 1, size: int = 200) -> BatchMeans:
    """Return the means of batches of independent draws."""
    rng, means = random.Random(seed), BatchMeans()
    for _ in range(batches):
        means.add(size, sum(rng.random() < share for _ in range(size)))
    return means


@pytest.mark.parametrize(("freedom", "value"), [(19, 2.093), (31, 2.040), (63, 1.998)])
def test_student_is_what_tables_have(freedom: int, value: float) -> None:
    """The 97.5 % quantile."""
    assert student(freedom) == pytest.approx(value, abs=0.001)


def test_without_enough_batches_nothing_is_sure() -> None:
    """The interval is everything, and no wish for less is met."""
    means = of_draws(0.3, 19)

    assert means.interval == (0, 1)
    assert not means.is_within(0.6)


def test_the_interval_has_the_share_in_about_95_of_100_cases() -> None:
    """Of independent draws, with the seeds from 1 to 100."""
    found = sum(low <= 0.1 <= high for low, high in (of_draws(0.1, 40, seed=each).interval for each in range(100)))

    assert 90 <= found <= 100


def test_the_interval_is_as_wide_as_that_of_a_binomial_share() -> None:
    """About 1.96 standard deviations each way."""
    low, high = of_draws(0.2, 60).interval

    assert (high - low) / 2 == pytest.approx(1.96 * (0.2 * 0.8 / 12_000) ** 0.5, rel=0.35)


def test_what_comes_in_long_rows_is_less_sure() -> None:
    """Ten batches alike, then ten of the opposite: these are few draws, not many."""
    rows, mixed = BatchMeans(), BatchMeans()
    for number in range(60):
        rows.add(100, 90 if number % 20 < 10 else 10)
        mixed.add(100, 90 if number % 2 else 10)

    def width(of: BatchMeans) -> float:
        return of.interval[1] - of.interval[0]

    assert rows.share == mixed.share == 0.5
    assert width(rows) > 2 * width(mixed)


def test_a_share_of_which_nothing_was_seen_has_an_interval() -> None:
    """Fewer than three clusters of refusals were to be expected."""
    means = BatchMeans(cluster=8)
    for _ in range(30):
        means.add(1000, 0)

    assert means.interval == (0, pytest.approx(24 / 30_000))


def test_batches_are_bounded_and_lose_nothing() -> None:
    """Each two become one of twice the length."""
    means = of_draws(0.1, 5000, size=10)

    assert len(means._batches) < MOST_BATCHES
    assert len({attempts for attempts, _ in means._batches}) == 1
    assert means.offered == 50_000
    assert sum(attempts for attempts, _ in means._batches) + means._open[1] == 50_000
    assert means.is_within(0.01)
