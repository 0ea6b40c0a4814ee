"""What is right in the labs that are marked by numbers: a module for each lab, a formula for each requirement.

A formula gets a student's own numbers, and returns all whole numbers that are right: one, or a range where chance
or rounding has a part in it. `lastport test --sheets` compares formulas with real runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Formula = Callable[[Mapping[str, int]], range]


def exactly(number: int) -> range:
    """Return the range that has one number."""
    return range(number, number + 1)


def about(number: float, share: float) -> range:
    """Return the whole numbers that are off by this share at most."""
    return range(int(number * (1 - share)), int(number * (1 + share)) + 2)
