"""Ports in blocks of four (1024-1027, 1028-1031, ...), each of which belongs to one subscriber at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.model import Endpoint
from controller.nat.port_set import Ports, united
from controller.nat.strategies.allocators.blocks import BlocksAllocator
from tests.support.allocators import ALICE, ALL_PORTS, BOB, CAROL, alice, measured, plan


def block_of(port: int | None) -> int:
    """Return the number of a port's block."""
    assert port is not None
    return (port - 1024) // 4


def blocks(ports: Ports, **told: int) -> BlocksAllocator:
    """An allocator of blocks."""
    return BlocksAllocator(plan(ports, **told))


def test_a_subscriber_fills_a_block_before_it_gets_another() -> None:
    """RFC 8512 port-set-size: nine ports take three blocks, the first two in full."""
    free = blocks(ALL_PORTS)

    numbers = [block_of(free.allocate(alice(port), now=0.0)) for port in range(9)]

    assert [len(set(numbers[:4])), len(set(numbers[4:8])), len(set(numbers))] == [1, 1, 3]


def test_subscribers_never_share_a_block() -> None:
    """Ports that belong to one are of no use to the other."""
    free = blocks(range(1024, 1032))
    of_alice, of_bob = free.allocate(ALICE, now=0.0), free.allocate(BOB, now=0.0)

    assert block_of(of_alice) != block_of(of_bob)
    assert free.allocate(CAROL, now=0.0) is None
    assert len(free) == 6


def test_the_last_block_may_be_shorter() -> None:
    """No port is wasted where the size does not divide the range."""
    free = blocks(range(1024, 1030))
    ports = {who: {free.allocate(who, now=0.0) for _ in range(4)} - {None} for who in (ALICE, BOB)}

    assert sorted(len(ports[who]) for who in ports) == [2, 4]
    assert set.union(*ports.values()) == set(range(1024, 1030))


def test_a_subscriber_s_ports_of_a_block_are_consecutive() -> None:
    """Of several ranges too: no block has ports of two of them (RFC 7422: one entry of a log for each block)."""
    free = blocks(united([range(4096, 4102), range(8192, 8194)]))

    had = [{free.allocate(who, now=0.0) for _ in range(2)} for who in (ALICE, BOB, CAROL)]

    assert all(max(map(int, filter(None, each))) - min(map(int, filter(None, each))) < 4 for each in had)
    assert sum(map(len, had)) == 6


def test_a_block_may_be_larger_than_the_range() -> None:
    """One subscriber then has the only block."""
    free = blocks(range(1024, 1027), block=64)

    assert {free.allocate(ALICE, now=0.0) for _ in range(4)} == {1024, 1025, 1026, None}


@pytest.mark.parametrize(("idle", "given_back"), [(0.0, False), (59.9, False), (60.0, True), (1e6, True)])
def test_an_empty_block_is_given_back_when_it_has_been_idle_for_the_timeout(idle: float, given_back: bool) -> None:
    """RFC 8512 port-set-timeout: not a moment before."""
    free = blocks(range(1024, 1028))
    port = free.allocate(ALICE, now=0.0)
    assert port is not None
    free.release(port, now=100.0)

    assert (free.allocate(BOB, now=100.0 + idle) is not None) is given_back


def test_a_block_with_one_port_in_use_is_never_given_back() -> None:
    """It does not matter when the other ports of the block were released."""
    free = blocks(range(1024, 1028))
    first, _ = free.allocate(ALICE, now=0.0), free.allocate(ALICE, now=0.0)
    free.release(first or 0, now=1.0)

    assert free.allocate(BOB, now=1e9) is None


def test_the_owner_may_use_an_idle_block_again_and_is_idle_anew() -> None:
    """Until another subscriber takes the block, its owner may, and each release starts the clock again."""
    free = blocks(range(1024, 1028))
    first = free.allocate(ALICE, now=0.0)
    free.release(first or 0, now=0.0)
    again = free.allocate(ALICE, now=1_000.0)

    assert again is not None
    assert free.allocate(BOB, now=1_000.0) is None
    free.release(again, now=1_010.0)
    assert free.allocate(BOB, now=1_069.0) is None
    assert free.allocate(BOB, now=1_070.0) is not None


def test_a_subscriber_that_lost_an_idle_block_gets_another() -> None:
    """The old owner does not come back into a block that is somebody else's now."""
    free = blocks(range(1024, 1032))
    ports = [free.allocate(who, now=0.0) for who in (ALICE, BOB)]
    free.release(ports[0] or 0, now=0.0)

    of_carol = free.allocate(CAROL, now=60.0)
    assert block_of(of_carol) == block_of(ports[0])
    assert free.allocate(ALICE, now=60.0) is None
    free.release(ports[1] or 0, now=60.0)
    assert block_of(free.allocate(ALICE, now=120.0)) == block_of(ports[1])


def test_blocks_and_the_ports_in_them_are_hard_to_guess() -> None:
    """RFC 6888 REQ-15: neither starts at the lowest, nor goes upward."""
    runs = [blocks(ALL_PORTS, seed=seed) for seed in range(20)]
    ports = [[free.allocate(ALICE, now=0.0) or 0 for _ in range(4)] for free in runs]

    assert len({block_of(run[0]) for run in ports}) == 20
    assert len({tuple(port % 4 for port in run) for run in ports}) > 10


def test_any_of_a_subscribers_blocks_with_room_may_serve_it() -> None:
    """Where several have room, the next port may be in any, not only in the one that has had room the longest."""
    is_longest = set()
    for seed in range(20):
        free = blocks(range(1024, 1032), seed=seed)
        ports = [free.allocate(ALICE, now=0.0) for _ in range(8)]
        for port in ports[::2]:
            free.release(port or 0, now=0.0)
        is_longest.add(block_of(free.allocate(ALICE, now=0.0)) == block_of(ports[0]))

    assert is_longest == {True, False}


def test_nothing_is_kept_of_subscribers_that_are_gone() -> None:
    """Three thousand that come and go leave no more than ten do."""

    def visited_by(subscribers: int) -> BlocksAllocator:
        free = blocks(ALL_PORTS)
        for number in range(subscribers):
            ports = [free.allocate(Endpoint(number, 0), now=100.0 * number) for _ in range(8)]
            for port in ports:
                free.release(port or 0, now=100.0 * number)
        return free

    assert measured(lambda: visited_by(3_000))[1] < measured(lambda: visited_by(10))[1] + 1_000


@given(data=st.data())
def test_blocks_follow_their_model(data: st.DataObject) -> None:
    """At any time a port comes from an own block with room, else from a free or timed-out one, or not at all."""
    ports = range(1024, 1024 + data.draw(st.integers(1, 20)))
    free = blocks(ports, seed=data.draw(st.integers(0, 9)))
    members = {number: {p for p in ports if block_of(p) == number} for number in range(block_of(ports[-1]) + 1)}
    owner: dict[int, Endpoint] = {}
    idle_since: dict[int, float] = {}
    out: set[int] = set()
    now = 0.0

    for _ in range(data.draw(st.integers(0, 60))):
        now += data.draw(st.sampled_from([0.0, 1.0, 30.0, 60.0]))
        if len(out) > 0 and data.draw(st.booleans()):
            port = data.draw(st.sampled_from(sorted(out)))
            out.remove(port)
            free.release(port, now)
            if not members[block_of(port)] & out:
                idle_since[block_of(port)] = now
            continue
        who = data.draw(st.sampled_from([ALICE, BOB, CAROL]))
        own = {number for number in owner if owner[number] == who and members[number] - out}
        if not own:
            for number in [number for number, since in idle_since.items() if since + 60.0 <= now]:
                del owner[number], idle_since[number]
        candidates = own or members.keys() - owner.keys()
        allowed = set[int]().union(*(members[number] - out for number in candidates))

        given_port = free.allocate(who, now)

        assert given_port in allowed if allowed else given_port is None
        if given_port is not None:
            out.add(given_port)
            owner[block_of(given_port)] = who
            idle_since.pop(block_of(given_port), None)
        assert len(free) == len(ports) - len(out)
