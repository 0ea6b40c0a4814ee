"""The model of how Linux looks for a port: its rounds, what it finds, and what was measured on Linux."""

from __future__ import annotations

import random

import pytest

from scenarios.shared.models.curve import first_refusal
from scenarios.shared.models.linux_search import (
    PortRange,
    rounds,
    simulate,
    stretches,
)

OUTSIDE = 32768
"""A source port that is in none of the ranges, and so is never kept."""


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, [1]),
        (100, [100]),
        (128, [128]),
        (129, [128, 64, 32, 16, 8]),
        (64512, [128, 64, 32, 16, 8]),
    ],
)
def test_rounds_are_halved_down_to_8_unless_the_first_sees_all(size: int, expected: list[int]) -> None:
    """A search makes 248 tries in all, or sees the whole range."""
    assert rounds(size) == expected


@pytest.mark.parametrize(
    ("offset", "tries", "size", "expected"),
    [
        (10, 128, 1024, [(10, 138)]),
        (1020, 8, 1024, [(1020, 1024), (0, 4)]),
        (65532, 8, 1000, [(532, 536), (0, 4)]),
        (5, 4, 4, [(1, 4), (0, 1)]),
    ],
    ids=["within", "past the last port", "past the last offset", "a whole range"],
)
def test_a_round_tries_consecutive_ports(
    offset: int, tries: int, size: int, expected: list[tuple[int, int]]
) -> None:
    """After the last port comes the first; after the last offset of 16 bits as well."""
    assert list(stretches(offset, tries, size)) == expected


def test_a_source_port_is_kept_only_where_it_is_in_the_range_and_free() -> None:
    """The last free port is found at once by the source port of that number, and by others by luck."""
    taken = PortRange(range(1024, 5120), random.Random(1), keeps=True)
    assert all(taken.connect(port) for port in range(1024, 5119))

    assert [taken.connect(OUTSIDE) for _ in range(3)] == [False, False, False]
    assert taken.connect(5119)


def test_a_range_of_128_ports_is_searched_completely() -> None:
    """128 connections fit, and not one more."""
    served = simulate([OUTSIDE] * 140, range(1024, 1152), random.Random(1), keeps=True)

    assert served == [True] * 128 + [False] * 12


@pytest.mark.parametrize(
    ("size", "refused", "first"),
    [(4096, (27, 60), (0.86, 0.97)), (16384, (135, 220), (0.84, 0.93))],
    ids=["4096", "16384"],
)
def test_the_model_predicts_what_was_measured_on_linux(
    size: int, refused: tuple[int, int], first: tuple[float, float]
) -> None:
    """As many flows as ports: 41 to 51 of 4,096 were refused (from 92 %), and 173 of 16,384 (from 88 %)."""
    for seed in range(5):
        served = simulate([OUTSIDE] * size, range(1024, 1024 + size), random.Random(seed), keeps=True)

        assert refused[0] <= served.count(False) <= refused[1]
        met = first_refusal(served, size)
        assert met is not None
        assert first[0] <= met <= first[1]


def test_kept_source_ports_make_rows_that_refuse_earlier() -> None:
    """64,512 ports and source ports from 32768-60999, as measured on Linux: first refusal at 59 %."""
    rng = random.Random(1)
    clients = [rng.sample(range(32768, 61000), 8064) for _ in range(8)]
    served = simulate(
        [port for each in zip(*clients, strict=True) for port in each], range(1024, 65536), rng, keeps=True
    )

    met = first_refusal(served, 64512)
    assert met is not None
    assert 0.58 < met < 0.62
