"""What fairness reckons: the share of each host, and Jain's index over the shares."""

from __future__ import annotations

import pytest

from scenarios.shared.models.shares import allotted, jain


@pytest.mark.parametrize(
    ("asked", "ports", "quota", "got"),
    [
        ([8, 2, 2], 8, None, [8, 0, 0]),
        ([8, 2, 2], 8, 3, [3, 2, 2]),
        ([8, 2, 2], 8, 1, [1, 1, 1]),
        ([8, 2, 2], 8, 7, [7, 1, 0]),
        ([8, 2, 2], 8, 20, [8, 0, 0]),
    ],
    ids=["no quota", "enough for all", "too low", "too high", "no limit"],
)
def test_the_greedy_host_is_served_first_and_the_others_share_the_rest(
    asked: list[int], ports: int, quota: int | None, got: list[int]
) -> None:
    """The greedy host gets ports up to its quota; the others get what is left, in turn."""
    assert allotted(asked, ports, quota) == got


@pytest.mark.parametrize(
    ("shares", "index"),
    [([1, 1, 1, 1], 1.0), ([1, 0, 0, 0], 0.25), ([0.5, 0.5], 1.0), ([1, 1, 0, 0], 0.5), ([0, 0], 1.0)],
)
def test_jain_s_index_is_1_if_all_have_the_same_and_1_over_n_if_one_has_everything(
    shares: list[float], index: float
) -> None:
    """Jain's index measures how evenly n hosts are served."""
    assert jain(shares) == index
