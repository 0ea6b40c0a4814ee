"""Preserving ports: what `preserving` promises, and `linux-like` as well."""

from __future__ import annotations

import random

import pytest

from controller.nat.strategies.allocators import Allocator
from controller.nat.strategies.allocators.linux_like import LinuxLikeAllocator
from controller.nat.strategies.allocators.preserving import PreservingAllocator
from tests.support.allocators import ALICE, ALL_PORTS, BOB, alice, plan

preserves = pytest.mark.parametrize(
    "allocator", [PreservingAllocator, LinuxLikeAllocator], ids=["preserving", "linux-like"]
)


@preserves
def test_the_internal_port_is_preserved_if_it_is_free(allocator: type[Allocator]) -> None:
    """RFC 4787 section 4.2.1: also the first and the last of the range, and one that has come back."""
    free = allocator(plan(ALL_PORTS))

    assert [free.allocate(alice(port), now=0.0) for port in (1024, 65_535, 40_000)] == [1024, 65_535, 40_000]
    free.release(40_000, now=0.0)
    assert free.allocate(BOB, now=0.0) == 40_000


@preserves
def test_every_internal_port_can_be_preserved(allocator: type[Allocator]) -> None:
    """An internal port is preserved whatever was given before, unless another mapping has it."""
    ports = range(1024, 1024 + 500)
    free, wanted = allocator(plan(ports)), random.Random(1).sample(ports, len(ports))

    assert [free.allocate(alice(port), now=0.0) for port in wanted] == wanted


@preserves
def test_a_taken_port_is_not_overloaded(allocator: type[Allocator]) -> None:
    """RFC 4787 REQ-3: the second mapping of the same internal port gets another one."""
    free = allocator(plan(ALL_PORTS))

    assert free.allocate(ALICE, now=0.0) == 40_000
    assert free.allocate(BOB, now=0.0) in set(ALL_PORTS) - {40_000}


@preserves
@pytest.mark.parametrize("internal_port", [0, 1023, 2048, 65_535])
def test_a_port_outside_the_range_is_not_preserved(allocator: type[Allocator], internal_port: int) -> None:
    """A mapping gets a port of the pool; an ICMP query identifier may be any number (RFC 5508 REQ-1)."""
    assert allocator(plan(range(1024, 2048))).allocate(alice(internal_port), now=0.0) in range(1024, 2048)


@preserves
def test_a_port_that_cannot_be_preserved_is_hard_to_guess(allocator: type[Allocator]) -> None:
    """RFC 6056 section 4: what must be changed is obfuscated; 20 generators give 20 ports."""
    ports = {allocator(plan(ALL_PORTS, seed)).allocate(alice(80), now=0.0) for seed in range(20)}

    assert len(ports) == 20
