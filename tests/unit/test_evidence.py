"""What became of each attempt, decided from both ends: sharing in time, and one outcome for each."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.evidence import OUTCOMES, outcomes, shared
from scenarios.traffic.drive import Attempt, Sighting

SERVER = ("198.51.100.1", 7)


def attempt(nonce: int, outcome: str = "established") -> Attempt:
    """Return an attempt whose number and nonce are the same."""
    return Attempt(
        number=nonce,
        nonce=nonce,
        outcome=outcome,
        detail="",
        source=("10.0.0.1", nonce),
        seen=("", 0),
        target=SERVER,
        retransmissions=0,
        sent_at=0.0,
        done_at=0.0,
    )


def seen(nonce: int, first: float, last: float, *, port: int = 1024, address: str = "192.0.2.1") -> Sighting:
    """Return when the servers saw an attempt at an external endpoint."""
    return Sighting(nonce, address, port, first, last, SERVER)


# Sharing


@pytest.mark.parametrize("last", [2.0, 3.0, 9.0], ids=["once", "a while", "longer than the other"])
def test_two_on_one_endpoint_at_the_same_time_share_it(last: float) -> None:
    """RFC 4787 REQ-3, RFC 5382 REQ-7: the second came before the first was done; both are named."""
    assert shared([seen(1, 1.0, 5.0), seen(2, 2.0, last)]) == {1, 2}


@pytest.mark.parametrize("first", [3.0, 4.0], ids=["at that moment", "a while after"])
def test_one_after_the_other_is_no_sharing(first: float) -> None:
    """A port is there to be used again."""
    assert shared([seen(1, 1.0, 3.0), seen(2, first, 9.0)]) == set()


def test_different_endpoints_are_not_shared() -> None:
    """Another port, or another address."""
    sightings = [seen(1, 1.0, 9.0), seen(2, 2.0, 9.0, port=1025), seen(3, 3.0, 9.0, address="192.0.2.2")]

    assert shared(sightings) == set()


def test_a_long_user_shares_with_everyone_who_comes_meanwhile() -> None:
    """Also with those that come after others have gone."""
    assert shared([seen(1, 1.0, 10.0), seen(2, 2.0, 3.0), seen(3, 4.0, 5.0), seen(4, 11.0, 12.0)]) == {1, 2, 3}


def test_nobody_seen_shares_nothing() -> None:
    """A run without traffic."""
    assert shared([]) == set()


@given(
    spans=st.lists(
        st.tuples(st.integers(1, 2), st.integers(0, 12), st.integers(0, 6)),
        max_size=8,
        unique_by=lambda span: span[1],
    )
)
def test_sharing_is_overlap_in_time_of_any_two(spans: list[tuple[int, int, int]]) -> None:
    """Whatever the order in which they are reported: the same as comparing every pair."""
    sightings = [
        seen(nonce, float(first), float(first + length), port=port)
        for nonce, (port, first, length) in enumerate(spans)
    ]

    expected = set()
    for one, other in itertools.combinations(sorted(sightings, key=lambda each: each.first), 2):
        if one.port == other.port and other.first < one.last:
            expected |= {one.nonce, other.nonce}
    assert shared(sightings) == expected


# Outcomes


def test_every_outcome_is_counted_also_with_none() -> None:
    """The words of the contract, the gravest first."""
    assert OUTCOMES == ("leaked", "shared", "evicted", "held", "established", "timeout", "icmp", "reset")
    assert outcomes([], shared=set(), echoed=set(), leaked=set()) == dict.fromkeys(OUTCOMES, 0)


@pytest.mark.parametrize("outcome", ["timeout", "icmp", "reset"])
def test_an_attempt_that_failed_is_counted_as_it_failed(outcome: str) -> None:
    """What its own host saw."""
    assert outcomes([attempt(1, outcome)], shared=set(), echoed=set(), leaked=set())[outcome] == 1


def test_an_established_attempt_that_still_answers_is_established() -> None:
    """The echo after exhaustion decides."""
    counts = outcomes([attempt(1), attempt(2)], shared=set(), echoed={1}, leaked=set())

    assert (counts["established"], counts["evicted"]) == (1, 1)


def test_the_gravest_outcome_counts() -> None:
    """Leaked, then shared, then evicted, then the rest."""
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
