"""Which mappings share a cookie, so that one request counts their packets."""

from __future__ import annotations

import pytest

from controller.nat.model import ANYBODY, Endpoint, Flow, Mapping, Protocol
from controller.openflow.ageing import Ageing


def flow(number: int) -> Flow:
    """Return one of many flows."""
    mapping = Mapping(Protocol.UDP, Endpoint(1, number), Endpoint(2, number), ANYBODY, 0.0)
    return Flow(mapping, ANYBODY, 0.0, 0.0, 0)


def test_mappings_made_together_share_a_bucket() -> None:
    """A bucket takes mappings for half a second; the next mapping starts another."""
    ageing = Ageing()

    cookies = [ageing.add(flow(n), now) for n, now in enumerate((10.0, 10.25, 10.49, 10.5, 11.5))]

    assert cookies == [1, 1, 1, 2, 3]


def test_a_bucket_holds_a_thousand_mappings() -> None:
    """The reply to one request stays small, however fast the pool fills."""
    ageing = Ageing()

    cookies = [ageing.add(flow(number), 0.0) for number in range(2001)]

    assert [cookies.count(cookie) for cookie in (1, 2, 3)] == [1000, 1000, 1]


def test_no_bucket_is_number_0() -> None:
    """Cookie 0 is that of the rules that serve no mapping."""
    assert Ageing().add(flow(1), 0.0) == 1


def test_a_bucket_is_asked_for_once_whatever_the_number_of_its_due_mappings() -> None:
    """Buckets are asked for in the order in which they are due."""
    ageing = Ageing()
    mappings = [flow(number) for number in range(4)]
    for one, now in zip(mappings, (0.0, 0.0, 1.0, 1.0), strict=True):
        ageing.add(one, now)

    assert ageing.buckets([mappings[3], mappings[0], mappings[2], mappings[1]]) == [2, 1]


def test_a_removed_mapping_is_no_longer_a_member() -> None:
    """Its cookie is returned once more, for the removal of its rules."""
    ageing = Ageing()
    first, second = flow(1), flow(2)
    ageing.add(first, 0.0)
    ageing.add(second, 0.0)

    assert ageing.remove(first) == 1
    assert ageing.members(1) == [second]
    assert ageing.cookie(second) == 1
    with pytest.raises(KeyError):
        ageing.cookie(first)


def test_an_emptied_bucket_is_forgotten() -> None:
    """A reply that comes too late concerns nobody."""
    ageing = Ageing()
    only = flow(1)
    ageing.add(only, 0.0)
    ageing.remove(only)

    assert ageing.members(1) == []
    assert ageing.members(99) == []
