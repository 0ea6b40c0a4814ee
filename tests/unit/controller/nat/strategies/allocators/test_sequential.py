"""Sequential ports: upward, then in the order of their release."""

from __future__ import annotations

from controller.nat.strategies.allocators.sequential import SequentialAllocator
from tests.support.allocators import ALICE, plan


def test_sequential_ports_go_upward_and_then_in_the_order_of_their_release() -> None:
    """A port that came back waits until every other has been given."""
    free = SequentialAllocator(plan(range(1024, 1029)))

    first = [free.allocate(ALICE, now=0.0) for _ in range(3)]
    free.release(1025, now=0.0)
    free.release(1024, now=0.0)
    then = [free.allocate(ALICE, now=0.0) for _ in range(4)]
    free.release(1028, now=0.0)
    free.release(1026, now=0.0)
    last = [free.allocate(ALICE, now=0.0) for _ in range(3)]

    assert first == [1024, 1025, 1026]
    assert then == [1027, 1028, 1025, 1024]
    assert last == [1028, 1026, None]
