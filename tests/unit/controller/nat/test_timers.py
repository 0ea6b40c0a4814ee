"""Deadlines without sweeps."""

from __future__ import annotations

from collections.abc import Iterable

from controller.nat.timers import Timed, TimerQueue


class Thing(Timed):
    """What is to come due, with a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def names(things: Iterable[Thing]) -> str:
    """Return the names of things, in their order."""
    return "".join(thing.name for thing in things)


def test_an_item_is_due_once_its_duration_is_over() -> None:
    """A deadline that is now is due; one that is after now is not."""
    queue: TimerQueue[Thing] = TimerQueue(5.0)
    a = Thing("a")
    queue.arm(a, 1.0)

    assert names(queue.due(5.999)) == ""
    assert names(queue.due(6.0)) == "a"


def test_a_due_item_is_taken_out() -> None:
    """What was due is due no more."""
    queue: TimerQueue[Thing] = TimerQueue(5.0)
    a = Thing("a")
    queue.arm(a, 0.0)
    list(queue.due(5.0))

    assert names(queue.due(100.0)) == ""
    assert not queue


def test_items_are_due_in_the_order_of_their_arming() -> None:
    """The oldest comes first."""
    queue: TimerQueue[Thing] = TimerQueue(5.0)
    for now, name in enumerate("abc"):
        queue.arm(Thing(name), float(now))

    assert names(queue.due(6.0)) == "ab"
    assert names(queue.due(7.0)) == "c"


def test_arming_again_puts_the_deadline_off() -> None:
    """Only the latest arming counts, and it changes the order."""
    queue: TimerQueue[Thing] = TimerQueue(5.0)
    a, b = Thing("a"), Thing("b")
    queue.arm(a, 0.0)
    queue.arm(b, 1.0)
    queue.arm(a, 2.0)

    assert queue
    assert names(queue.due(6.0)) == "b"
    assert names(queue.due(7.0)) == "a"


def test_a_disarmed_item_is_never_due() -> None:
    """Disarming forgets the item; the others stay."""
    queue: TimerQueue[Thing] = TimerQueue(5.0)
    a, b = Thing("a"), Thing("b")
    queue.arm(a, 0.0)
    queue.arm(b, 0.0)
    queue.disarm(a)

    assert names(queue.due(100.0)) == "b"


def test_disarming_what_is_not_armed_is_no_error() -> None:
    """To end a session one need not ask whether a timer runs."""
    queue: TimerQueue[Thing] = TimerQueue(5.0)
    a = Thing("a")

    queue.disarm(a)

    assert not queue


def test_the_next_deadline_is_the_oldest() -> None:
    """Nothing is due before it, and something is due at it."""
    queue: TimerQueue[Thing] = TimerQueue(5.0)
    a, b = Thing("a"), Thing("b")
    assert queue.next_deadline is None

    queue.arm(a, 1.0)
    queue.arm(b, 2.0)
    assert queue.next_deadline == 6.0

    queue.arm(a, 3.0)
    assert queue.next_deadline == 7.0


def test_an_item_may_be_armed_again_while_the_due_ones_are_taken_out() -> None:
    """What is armed at the time of asking stands for later, and does not come round in the same asking."""
    queue: TimerQueue[Thing] = TimerQueue(5.0)
    a = Thing("a")
    queue.arm(a, 0.0)
    taken = []
    for item in queue.due(5.0):
        taken.append(item)
        queue.arm(item, 5.0)

    assert taken == [a]
    assert queue.next_deadline == 10.0
