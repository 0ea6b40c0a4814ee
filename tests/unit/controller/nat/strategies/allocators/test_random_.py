"""Random ports: one draw each, equally likely, and in no order (RFC 6056)."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.strategies.allocators import ALLOCATORS, Allocator
from controller.nat.strategies.allocators.random_ import RandomAllocator
from tests.support.allocators import ALICE, ALL_PORTS, plan, scripted

DRAWN_EVENLY = {name: ALLOCATORS[name] for name in ("random", "preserving")}


def test_a_random_port_takes_one_draw_however_few_are_left() -> None:
    """RFC 6056 Algorithm 1 draws and walks on until it meets a free port; this allocator does not."""
    free, rng = scripted(RandomAllocator, ALL_PORTS)

    for _ in ALL_PORTS:
        free.allocate(ALICE, now=0.0)

    assert rng.draws == 64_512


@pytest.mark.parametrize("allocator", DRAWN_EVENLY.values(), ids=list(DRAWN_EVENLY))
@given(size=st.integers(1, 40), history=st.lists(st.floats(0, 0.999), max_size=60))
def test_after_any_history_each_free_port_is_equally_likely(
    allocator: type[Allocator], size: int, history: list[float]
) -> None:
    """RFC 6056 section 3: as many equal parts of the generator's numbers as ports are free give one each."""
    ports = range(1024, 1024 + size)

    def replayed(last: float) -> tuple[set[int], int | None]:
        free, rng = scripted(allocator, ports)
        out: list[int] = []
        for number in history:
            rng.numbers = itertools.repeat(number)
            if out and (number * 1_000) % 1 < 0.5:
                free.release(out.pop(int(number * len(out))), now=0.0)
            elif (port := free.allocate(ALICE, now=0.0)) is not None:
                out.append(port)
        rng.numbers = itertools.repeat(last)
        return set(ports) - set(out), free.allocate(ALICE, now=0.0)

    remaining, _ = replayed(0.0)
    parts = [(part + 0.5) / len(remaining) for part in range(len(remaining))]

    assert sorted(replayed(part)[1] or 0 for part in parts) == sorted(remaining)


def test_random_ports_are_equally_likely() -> None:
    """RFC 6056 section 3: no port is easier to guess (chi-square with 15 degrees of freedom, below 1 in 1000)."""
    draws, ports = 16_000, range(1024, 1040)
    told = plan(ports)
    counts = Counter(RandomAllocator(told).allocate(ALICE, now=0.0) for _ in range(draws))

    expected = draws / len(ports)
    assert sum((counts[port] - expected) ** 2 / expected for port in ports) < 37.7


def test_the_last_of_several_random_ports_are_equally_likely() -> None:
    """The order in which ports go out favours none, also after some have come back."""
    draws, ports, counts = 6_000, range(1024, 1030), Counter[int | None]()
    told = plan(ports)
    for _ in range(draws):
        free = RandomAllocator(told)
        first = free.allocate(ALICE, now=0.0)
        assert first is not None
        free.allocate(ALICE, now=0.0)
        free.release(first, now=0.0)
        counts[free.allocate(ALICE, now=0.0)] += 1

    expected = draws / 6
    assert sum((counts[port] - expected) ** 2 / expected for port in ports) < 20.5


def test_random_ports_do_not_come_in_order() -> None:
    """RFC 6056 section 2: the next port cannot be told from the last."""
    free = RandomAllocator(plan(range(1024, 1124)))
    ports = [free.allocate(ALICE, now=0.0) or 0 for _ in range(100)]

    assert ports != sorted(ports)
    assert sum(after == before + 1 for before, after in itertools.pairwise(ports)) < 10
