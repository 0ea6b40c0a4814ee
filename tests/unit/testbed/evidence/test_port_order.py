"""Bets on ports: random ones never win, whatever the allocator; a sequence of any kind does."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence

import pytest

from controller.nat.model import Endpoint
from controller.nat.strategies.allocators import ALLOCATORS, PortPlan
from testbed.evidence.port_order import MOST, MOST_GAIN, Given, blocks, first_uses, followed, gain, kept, reach

HOSTS = 8
RUNS = 100


def given(places: Sequence[int]) -> list[Given]:
    """Return the uses of these places, by hosts in turn."""
    return [Given("192.0.2.1", place, f"10.0.0.{turn % HOSTS}") for turn, place in enumerate(places)]


def allocated(allocator: str, size: int, seed: int, *, first: int = 0) -> list[int]:
    """Return the places of half of a pool as one of our allocators gives them, to hosts in turn."""
    plan = PortPlan(range(first, first + size), random.Random(seed), port_set_size=8, port_set_timeout=60.0)
    made = ALLOCATORS[allocator](plan)
    ports = [made.allocate(Endpoint(turn % HOSTS, 40_000 + turn), 0.0) for turn in range(size // 2)]
    return [port - first for port in ports if port is not None]


@pytest.mark.parametrize("size", [32, 64, 256])
@pytest.mark.parametrize(
    ("allocator", "order"), [("random", "random"), ("preserving", "random"), ("linux-like", "search")]
)
def test_the_ports_of_an_honest_nat_are_no_win(allocator: str, order: str, size: int) -> None:
    """By Markov's inequality a thousandfold win comes once in a thousand runs; the limit is 10^10."""
    wins = [gain(first_uses(given(allocated(allocator, size, seed)), size), size, order) for seed in range(RUNS)]

    assert max(wins) < 4
    assert sum(win > 1 for win in wins) < RUNS / 5


def one_after_another(size: int) -> Iterator[int]:
    """Give the next port."""
    yield from range(size)


def downward(size: int) -> Iterator[int]:
    """Give the port before."""
    yield from reversed(range(size))


def even_then_odd(size: int) -> Iterator[int]:
    """Give every second port, as a NAT does that keeps parity."""
    yield from range(0, size, 2)
    yield from range(1, size, 2)


def for_each_host(size: int) -> Iterator[int]:
    """Give each host the next one of its own, from a place that nobody can guess (RFC 6056 Algorithm 3)."""
    starts = random.Random(1).sample(range(0, size, size // HOSTS), HOSTS)
    for turn in range(size):
        yield (starts[turn % HOSTS] + turn // HOSTS) % size


def overtaking(size: int) -> Iterator[int]:
    """Give the next port, while packets overtake one another."""
    rng = random.Random(1)
    for at in range(0, size, 4):
        yield from rng.sample(range(at, at + 4), 4)


def by_growing_steps(size: int) -> Iterator[int]:
    """Give the ports by steps of 1, 2, 3 and so on: triangular numbers."""
    for turn in range(size):
        yield turn * (turn + 1) // 2 % size


def by_reversed_bits(size: int) -> Iterator[int]:
    """Give the ports of a counter whose bits are reversed, as far as they are ports."""
    bits = (size - 1).bit_length()
    for count in range(1 << bits):
        if (place := int(f"{count:0{bits}b}"[::-1], 2)) < size:
            yield place


@pytest.mark.parametrize(
    ("sequence", "size", "order"),
    [
        (one_after_another, 32, "random"),
        (one_after_another, 64, "random"),
        (one_after_another, 64, "search"),
        (downward, 64, "search"),
        (even_then_odd, 64, "search"),
        (for_each_host, 64, "search"),
        (overtaking, 64, "random"),
        (overtaking, 128, "search"),
        (one_after_another, 64_512, "random"),
        (by_growing_steps, 64, "random"),
        (by_growing_steps, 256, "search"),
        (by_reversed_bits, 64, "random"),
        (by_reversed_bits, 256, "search"),
        (by_reversed_bits, 100, "random"),
    ],
)
def test_a_sequence_of_any_kind_is_won(sequence: Callable[[int], Iterator[int]], size: int, order: str) -> None:
    """The bets win far more than an honest NAT lets them in 10^10 runs."""
    assert gain(first_uses(given(list(sequence(size))), size), size, order) > MOST_GAIN


@pytest.mark.parametrize(
    ("size", "order", "enough"),
    [(16, "random", False), (32, "random", True), (32, "search", False), (64, "search", True)],
)
def test_a_small_pool_shows_no_order(size: int, order: str, enough: bool) -> None:
    """Nothing is judged where even a sequence would not be sure."""
    places = given(range(size // 2))

    assert (reach(places, size, order) > MOST_GAIN) is enough


def test_only_the_first_half_of_a_fresh_pool_counts() -> None:
    """Later, ports may be free again that nobody has seen to end."""
    assert len(first_uses(given(range(64)), 64)) == 32
    assert len(first_uses(given([1, 2, 3, 2, 4]), 64)) == 3
    assert len(first_uses(given(range(64_000)), 64_512)) == MOST


def test_ports_that_a_host_asked_for_are_no_bets() -> None:
    """A NAT that keeps source ports gives them in the order in which the hosts choose them."""
    asked = [Given("192.0.2.1", place, "10.0.0.1", is_free_choice=False) for place in range(128)]

    assert gain(asked, 256, "random") == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_a_sequence_follows_and_others_do_not(seed: int) -> None:
    """Packets that overtake one another do not end it."""
    for places in (allocated("sequential", 256, seed), list(overtaking(256))):
        assert followed(given(places), 256) == (len(places) - 1, len(places) - 1)
    near, told = followed(given(allocated("random", 256, seed)), 256)
    assert near < told / 2


@pytest.mark.parametrize("seed", range(5))
def test_attempts_that_were_under_way_together_may_come_in_any_order(seed: int) -> None:
    """A large pool is filled by hundreds at once, whose order among themselves nobody can know."""
    size, at_once = 64_512, 250
    places = [place for first in range(0, 2000, at_once) for place in range(first, first + at_once)]
    mixed = [
        place
        for first in range(0, 2000, at_once)
        for place in random.Random(seed).sample(places[first : first + at_once], at_once)
    ]
    together = [dataclasses.replace(each, beside=at_once - 1) for each in given(mixed)]
    guessed = [
        dataclasses.replace(each, beside=at_once - 1) for each in given(allocated("random", size, seed)[:2000])
    ]

    assert followed(together, size) == (1999, 1999)
    assert followed(given(mixed), size)[0] < 1000, "without that knowledge"
    assert followed(guessed, size)[0] < 200


def test_a_port_of_a_small_pool_tells_nothing_if_all_came_at_once() -> None:
    """Any of them could be near."""
    all_at_once = [dataclasses.replace(each, beside=31) for each in given(allocated("random", 64, 1))]

    assert followed(all_at_once, 64) == (0, 0)


def test_a_port_is_kept_if_it_was_free_and_is_given() -> None:
    """Where another host has it, none can be kept; where it is in no range, none was asked for."""
    asked = [(5, 5), (6, 5), (8, 7), (9, None)]

    assert kept([Given("192.0.2.1", place, "10.0.0.1", asked=own) for place, own in asked]) == [True, False]


def test_blocks_are_those_that_hosts_need() -> None:
    """A host that had ports of other blocks has more than it needs."""
    had, needed = blocks(given(allocated("blocks", 256, 1)), 8)
    assert had == needed == 16

    had, needed = blocks(given(allocated("random", 256, 1)), 8)
    assert had > 2 * needed
