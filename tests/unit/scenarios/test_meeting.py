"""The model of hole punching: all pairs of two NATs, by how they map and filter."""

from __future__ import annotations

import itertools

import pytest

from scenarios.shared.models.meeting import Behaviour, outcomes

BEHAVIOURS: list[Behaviour] = [
    (mapping, filtering) for mapping in ("eim", "adm", "edm") for filtering in ("eif", "adf", "edf")
]
MEET = [
    "+++++++++",
    "+++++++++",
    "+++?--?--",
    "++?++?++?",
    "++-+--+--",
    "++-?--+--",
    "++?++++++",
    "++-+--+--",
    "++-?--+--",
]
"""A row for alice's NAT and a column for bob's, in the order of BEHAVIOURS."""


@pytest.mark.parametrize("alice", range(9))
@pytest.mark.parametrize("bob", range(9))
def test_which_of_81_pairs_meet(alice: int, bob: int) -> None:
    """Both do, or neither, or (?) it is a race; whose NAT is whose makes no difference."""
    expected = {"+": {(True, True)}, "-": {(False, False)}, "?": {(True, True), (False, False)}}
    assert outcomes(BEHAVIOURS[alice], BEHAVIOURS[bob]) == expected[MEET[alice][bob]]
    assert MEET[alice][bob] == MEET[bob][alice]


def test_peers_behind_like_nats_meet_by_rfc_5128() -> None:
    """Section 3.3: with endpoint-independent mapping, or else only if anybody is let in."""
    for mapping, filtering in itertools.product(("eim", "adm", "edm"), ("eif", "adf", "edf")):
        expected = mapping == "eim" or filtering == "eif"
        assert outcomes((mapping, filtering), (mapping, filtering)) == {(expected, expected)}
