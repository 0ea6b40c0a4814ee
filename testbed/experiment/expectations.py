"""The ranges that a check may expect in place of one value: at least this, at most that, or between the two.

A range decides whether an observation meets it. Its text stands in the table of checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Expectation:
    """A range from `least` to `most`. Either may be None, for no bound. An observation of None never meets it."""

    least: float | None = None
    most: float | None = None

    def met(self, observed: Any) -> bool:
        """Return whether an observation is in the range."""
        if observed is None:
            return False
        return (self.least is None or observed >= self.least) and (self.most is None or observed <= self.most)

    def lowered(self, by: int) -> Expectation:
        """Return the range with a lower bound that is lower by this number."""
        return self if self.least is None else Expectation(max(0, self.least - by), self.most)

    def __str__(self) -> str:
        if self.least is None:
            return f"at most {self.most}"
        return f"at least {self.least}" if self.most is None else f"{self.least} to {self.most}"


def at_least(least: float) -> Expectation:
    """Return the expectation of `least` or more."""
    return Expectation(least=least)


def at_most(most: float) -> Expectation:
    """Return the expectation of `most` or less."""
    return Expectation(most=most)


def between(least: float, most: float) -> Expectation | float:
    """Return the expectation of a value from `least` to `most`, or that value if the two are equal."""
    return least if least == most else Expectation(least, most)


def met(expected: Any, observed: Any) -> bool:
    """Return whether an observation is what was expected: an equal value, one in the range, or part by part so."""
    if isinstance(observed, list | tuple) and isinstance(expected, list | tuple):
        return len(expected) == len(observed) and all(map(met, expected, observed))
    return expected.met(observed) if isinstance(expected, Expectation) else bool(expected == observed)


def shown(value: Any) -> Any:
    """Return a value as the results keep it: an expectation as its text, and what has parts as a list of them."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [shown(part) for part in value]
    return str(value) if isinstance(value, Expectation) else value
