"""Port allocators: what each of them promises, and what the random one adds."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.allocators import ALLOCATORS, Allocator
from controller.nat.allocators.random_ import RandomAllocator
from controller.nat.model import Endpoint

ALICE = Endpoint.parse("10.0.0.1:40000")

every_allocator = pytest.mark.parametrize("allocator", ALLOCATORS.values(), ids=list(ALLOCATORS))


@every_allocator
@pytest.mark.parametrize("size", [1, 2, 3, 64, 64512])
def test_every_port_is_given_exactly_once(allocator: type[Allocator], size: int) -> None:
    """Exact to the last port: none is skipped, none is given twice, and then there is none."""
    ports = range(1024, 1024 + size)
    free = allocator(ports, random.Random(1))

    given_ports = [free.allocate(ALICE) for _ in range(size)]

    assert sorted(port for port in given_ports if port is not None) == list(ports)
    assert free.allocate(ALICE) is None
    assert len(free) == 0


@every_allocator
@given(data=st.data())
def test_any_order_of_giving_and_taking_back_keeps_the_sum(
    allocator: type[Allocator], data: st.DataObject
) -> None:
    """A port is free or given; it says None exactly when none is free."""
    ports = range(1024, 1024 + data.draw(st.integers(1, 6)))
    free, out = allocator(ports, random.Random(data.draw(st.integers(0, 9)))), set()

    for _ in range(data.draw(st.integers(0, 40))):
        if out and data.draw(st.booleans()):
            port = data.draw(st.sampled_from(sorted(out)))
            out.remove(port)
            free.release(port)
        else:
            port = free.allocate(ALICE)
            assert (port is None) == (len(out) == len(ports))
            if port is not None:
                assert port in ports
                assert port not in out
                out.add(port)
        assert len(free) == len(ports) - len(out)


@every_allocator
def test_the_same_seed_gives_the_same_ports(allocator: type[Allocator]) -> None:
    """A run can be repeated."""
    first, second = (allocator(range(1024, 1124), random.Random(7)) for _ in range(2))

    assert [first.allocate(ALICE) for _ in range(100)] == [second.allocate(ALICE) for _ in range(100)]


class CountingRandom(random.Random):
    """A generator that counts how often it is asked."""

    draws = 0

    def random(self) -> float:
        """Draw, and count."""
        self.draws += 1
        return super().random()


def test_a_random_port_takes_one_draw_however_few_are_left() -> None:
    """Unlike RFC 6056 Algorithm 1, which draws and walks on until it meets a free port."""
    rng = CountingRandom(1)
    free = RandomAllocator(range(1024, 65_536), rng)

    for _ in range(64_512):
        free.allocate(ALICE)

    assert rng.draws == 64_512


def test_random_ports_are_equally_likely() -> None:
    """RFC 6056 section 3: no port is easier to guess (chi-square with 15 degrees of freedom, below 1 in 1000)."""
    draws, size, rng = 16_000, 16, random.Random(1)
    counts = Counter(RandomAllocator(range(1024, 1024 + size), rng).allocate(ALICE) for _ in range(draws))

    expected = draws / size
    assert sum((counts[port] - expected) ** 2 / expected for port in range(1024, 1024 + size)) < 37.7


def test_the_last_of_several_random_ports_are_equally_likely() -> None:
    """The order in which ports go out favours none, also after some have come back."""
    draws, rng, counts = 6_000, random.Random(1), Counter[int | None]()
    for _ in range(draws):
        free = RandomAllocator(range(1024, 1030), rng)
        first = free.allocate(ALICE)
        assert first is not None
        free.allocate(ALICE)
        free.release(first)
        counts[free.allocate(ALICE)] += 1

    expected = draws / 6
    assert sum((counts[port] - expected) ** 2 / expected for port in range(1024, 1030)) < 20.5


def test_random_ports_do_not_come_in_order() -> None:
    """RFC 6056 section 2: the next port cannot be told from the last."""
    free = RandomAllocator(range(1024, 1124), random.Random(1))
    ports = [free.allocate(ALICE) or 0 for _ in range(100)]

    assert ports != sorted(ports)
    assert sum(after == before + 1 for before, after in itertools.pairwise(ports)) < 10
