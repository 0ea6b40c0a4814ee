"""The kinds of submission that the first rung tries behind walls, and what each is asked.

    allocator   each requirement makes calls to it
    policy      each requirement has a NAT on the bench, which asks it what to do
    check       it examines NATs on the bench, some of them with a bug; each requirement is about what it found

Predictions are compared and not executed. A NAT of a student's own is tried on the wire only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from testbed.labs import allocator, check, policy, predictions
from testbed.labs.submission import Submission
from testbed.labs.variants import Variant

Trying = Callable[[str], str]
"""Tries a requirement by its name, and returns what was seen. Raises WrongError and DiedError."""

KNOWN: dict[str, tuple[str, ...]] = {
    "allocator": tuple(allocator.REQUIREMENTS),
    "predictions": tuple(predictions.EXPECTED),
    "policy": tuple(policy.REQUIREMENTS),
    "check": tuple(check.REQUIREMENTS),
    "nat": (),
}
"""The requirements that can be tried, for each kind of submission."""


def trying(kind: str, submission: Submission, variant: Variant, seeds: Sequence[int]) -> Trying:
    """Return what tries a requirement of a submission with each seed."""
    return TRYING[kind](submission, variant, seeds)


def _allocator(submission: Submission, variant: Variant, seeds: Sequence[int]) -> Trying:
    def tried(name: str) -> str:
        wanted = seeds[:1] if name in allocator.ONCE else seeds
        requirement = allocator.REQUIREMENTS[name]
        return [requirement(allocator.Tried(submission, variant, seed)) for seed in wanted][-1]

    return tried


def _policy(submission: Submission, variant: Variant, seeds: Sequence[int]) -> Trying:
    return lambda name: [policy.REQUIREMENTS[name](policy.Tried(submission, variant, seed)) for seed in seeds][-1]


def _check(submission: Submission, variant: Variant, seeds: Sequence[int]) -> Trying:
    @functools.cache
    def found() -> list[Mapping[tuple[str, int], check.Verdict]]:
        return [check.verdicts(submission, variant, seed) for seed in seeds]

    return lambda name: [check.REQUIREMENTS[name](each) for each in found()][-1]


TRYING: Mapping[str, Callable[[Submission, Variant, Sequence[int]], Trying]] = {
    "allocator": _allocator,
    "policy": _policy,
    "check": _check,
}
"""By the kind of submission."""
