"""What became of each attempt: one outcome for each, the gravest first."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.evidence.outcomes import OUTCOMES, outcomes
from tests.support.evidence import attempt


def test_every_outcome_is_counted_also_without_attempts() -> None:
    """The outcomes are the words of the contract, the gravest first."""
    assert OUTCOMES == (
        "leaked", "shared", "unanswered", "evicted", "held", "established", "timeout", "icmp", "reset",
    )  # fmt: skip
    assert outcomes([], shared=set(), echoed=set(), leaked=set()) == dict.fromkeys(OUTCOMES, 0)


@pytest.mark.parametrize("outcome", ["timeout", "icmp", "reset"])
def test_an_attempt_that_failed_is_counted_as_it_failed(outcome: str) -> None:
    """Its own host saw how it failed."""
    assert outcomes([attempt(1, outcome)], shared=set(), echoed=set(), leaked=set())[outcome] == 1


def test_an_established_attempt_that_still_answers_is_established() -> None:
    """The echo after exhaustion decides."""
    counts = outcomes([attempt(1), attempt(2)], shared=set(), echoed={1}, leaked=set())

    assert (counts["established"], counts["evicted"]) == (1, 1)


def test_the_gravest_outcome_counts() -> None:
    """Leaked is graver than shared, shared than evicted, and evicted than the rest."""
    attempts = [attempt(n) for n in (1, 2, 3, 4)]

    counts = outcomes(attempts, shared={1, 2}, echoed={1, 2, 4}, leaked={("10.0.0.1", 1)})

    assert {name: count for name, count in counts.items() if count} == {
        "leaked": 1,
        "shared": 1,
        "evicted": 1,
        "established": 1,
    }


def test_an_attempt_that_timed_out_may_have_leaked() -> None:
    """Its packet left untranslated, and no answer could come back."""
    counts = outcomes([attempt(1, "timeout")], shared=set(), echoed=set(), leaked={("10.0.0.1", 1)})

    assert (counts["leaked"], counts["timeout"]) == (1, 0)


@given(
    kinds=st.lists(st.sampled_from(["established", "timeout", "icmp", "reset"]), max_size=12),
    marks=st.tuples(*[st.sets(st.integers(0, 11)) for _ in range(3)]),
)
def test_outcomes_add_up_to_attempts(kinds: list[str], marks: tuple[set[int], set[int], set[int]]) -> None:
    """Each attempt counts exactly once."""
    sharing, echoed, leaking = marks
    attempts = [attempt(nonce, kind) for nonce, kind in enumerate(kinds)]

    counts = outcomes(attempts, shared=sharing, echoed=echoed, leaked={("10.0.0.1", n) for n in leaking})

    assert isinstance(counts, Counter)
    assert sum(counts.values()) == len(attempts)
    assert set(counts) == set(OUTCOMES)


@pytest.mark.parametrize("outcome", ["established", "unanswered", "timeout"])
def test_a_connection_that_no_server_knows_of_is_unanswered(outcome: str) -> None:
    """Whatever its own host saw: somebody answered in the server's name. Only leaked and shared are graver."""
    attempts = [attempt(1, outcome), attempt(2, outcome), attempt(3, outcome)]

    counts = outcomes(attempts, shared={2}, echoed={1, 2, 3}, leaked={("10.0.0.1", 3)}, unanswered={1, 2, 3})

    assert (counts["unanswered"], counts["shared"], counts["leaked"]) == (1, 1, 1)


def test_held_counts_before_established_and_after_the_graver() -> None:
    """Evicted and shared are graver than held; a refused attempt is never held."""
    attempts = [attempt(1), attempt(2), attempt(3), attempt(4, "timeout")]

    counts = outcomes(attempts, shared={3}, echoed={1, 3}, leaked=set(), held={1, 2, 3, 4})

    assert {name: count for name, count in counts.items() if count} == {
        "shared": 1,
        "evicted": 1,
        "held": 1,
        "timeout": 1,
    }
