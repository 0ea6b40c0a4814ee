"""Linux's search for a port: its rounds, and the free ports that it does not find."""

from __future__ import annotations

import itertools

import pytest

from controller.nat.strategies.allocators import Allocator
from controller.nat.strategies.allocators.linux_like import LinuxLikeAllocator
from tests.support.allocators import ScriptedRandom, alice, plan, scripted


def all_taken_but(port: int) -> tuple[Allocator, ScriptedRandom]:
    """An allocator of the ports 0 to 4095, of which only this one is free."""
    free, rng = scripted(LinuxLikeAllocator, range(4096))
    for other in set(range(4096)) - {port}:
        assert free.allocate(alice(other), now=0.0) == other
    return free, rng


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 127), (1000, 1063), (2000, 2031), (3000, 3015), (4000, 4007)],
    ids=["128", "64", "32", "16", "8"],
)
@pytest.mark.parametrize(("beside", "is_found"), [(0, True), (1, False)], ids=["in", "beside"])
def test_each_round_tries_half_as_many_ports(first: int, last: int, beside: int, is_found: bool) -> None:
    """nf_nat_l4proto_unique_tuple: 128 consecutive ports, then 64 to 8, each time from another random one on."""
    for port in (first - beside, last + beside):
        free, rng = all_taken_but(port % 4096)
        rng.numbers = iter([start / 4096 for start in (0, 1000, 2000, 3000, 4000)])

        assert (free.allocate(alice(60_000), now=0.0) == port) is is_found
        assert len(free) == (0 if is_found else 1)


@pytest.mark.parametrize(("port", "found"), [(4095, 4095), (0, 0), (26, 26), (28, None)])
def test_a_round_goes_on_at_the_lowest_port(port: int, found: int | None) -> None:
    """From port 3995 on, 128 ports are those up to 4095, and 0 to 26."""
    free, rng = all_taken_but(port)
    rng.numbers = itertools.repeat(3995 / 4096)

    assert free.allocate(alice(60_000), now=0.0) == found


@pytest.mark.parametrize("seed", range(10))
def test_linux_refuses_although_ports_are_free(seed: int) -> None:
    """The deviation from RFC 6888 REQ-13: of 4096 ports, some are still free at the first refusal."""
    free = LinuxLikeAllocator(plan(range(1024, 1024 + 4096), seed))

    while free.allocate(alice(80), now=0.0) is not None:
        pass

    assert len(free) > 0


@pytest.mark.parametrize(("size", "is_exact"), [(1, True), (2, True), (127, True), (128, True), (1024, False)])
def test_linux_is_exact_in_a_range_that_one_round_covers(size: int, is_exact: bool) -> None:
    """Up to 128 ports are all given, whatever the internal ports and the seed; in a larger range they are not."""
    left = []
    for seed in range(20):
        free = LinuxLikeAllocator(plan(range(1024, 1024 + size), seed))
        while free.allocate(alice(80), now=0.0) is not None:
            pass
        left.append(len(free))

    assert (set(left) == {0}) is is_exact


def test_a_full_range_is_not_searched() -> None:
    """A refusal costs nothing when it is certain, which is when most of them come."""
    free, rng = scripted(LinuxLikeAllocator, range(1024, 1025))

    assert free.allocate(alice(1024), now=0.0) == 1024
    assert free.allocate(alice(1024), now=0.0) is None
    assert rng.draws == 0
