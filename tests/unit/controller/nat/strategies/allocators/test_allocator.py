"""Port allocators: what all of them promise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.port_set import united
from controller.nat.strategies.allocators import ALLOCATORS, Allocator
from tests.support.allocators import ALICE, ALL_PORTS, BOB, alice, measured, plan

EXACT = {name: allocator for name, allocator in ALLOCATORS.items() if name != "linux-like"}
every_allocator = pytest.mark.parametrize("allocator", ALLOCATORS.values(), ids=list(ALLOCATORS))
every_exact_allocator = pytest.mark.parametrize("allocator", EXACT.values(), ids=list(EXACT))


def walk(free: Allocator, ports: range, steps: int, choose: random.Random) -> set[int]:
    """Give and take back at random, first mostly giving, then mostly taking back; the model is a set."""
    out: set[int] = set()
    for step in range(steps):
        if out and choose.random() < (0.2 if step < steps / 2 else 0.8):
            port = choose.choice(sorted(out)) if len(out) < 100 else next(iter(out))
            out.remove(port)
            free.release(port, now=0.0)
        else:
            port = free.allocate(alice(choose.randrange(65_536)), now=0.0) or 0
            assert port in set(ports) - out if len(out) < len(ports) else port == 0
            out |= {port} - {0}
        assert len(free) == len(ports) - len(out)
    return out


@every_exact_allocator
@pytest.mark.parametrize("size", [1, 2, 3, 64, 64512])
def test_every_port_is_given_exactly_once(allocator: type[Allocator], size: int) -> None:
    """Exact to the last port: none is skipped, none is given twice, and then there is none."""
    ports = range(1024, 1024 + size)
    free = allocator(plan(ports))

    given_ports = [free.allocate(ALICE, now=0.0) for _ in range(size)]

    assert sorted(port for port in given_ports if port is not None) == list(ports)
    assert free.allocate(ALICE, now=0.0) is None
    assert len(free) == 0


SEVERAL = united([range(4096, 4100), range(5000, 5001), range(65_533, 65_536)])


@every_allocator
@pytest.mark.parametrize("own", [40_000, 4096, 4098, 4100, 5000, 65_535])
def test_every_port_of_several_ranges_is_given_again_and_again(allocator: type[Allocator], own: int) -> None:
    """Each once, none between them; and each once more when all came back."""
    free = allocator(plan(SEVERAL))

    for _ in range(2):
        given_ports = [free.allocate(alice(own), now=0.0) for _ in SEVERAL]
        assert sorted(port for port in given_ports if port is not None) == list(SEVERAL)
        assert free.allocate(alice(own), now=0.0) is None
        assert len(free) == 0
        for port in SEVERAL:
            free.release(port, now=0.0)
        assert len(free) == len(SEVERAL)


@pytest.mark.parametrize("name", ["preserving", "linux-like"])
def test_a_host_s_own_port_is_kept_in_any_range(name: str) -> None:
    """RFC 4787 section 4.2.1; a port between the ranges cannot be kept."""
    free = ALLOCATORS[name](plan(SEVERAL))

    assert free.allocate(alice(65_534), now=0.0) == 65_534
    assert free.allocate(alice(4500), now=0.0) in {*SEVERAL} - {65_534}


@every_allocator
@given(data=st.data())
def test_any_order_of_giving_and_taking_back_keeps_the_sum(
    allocator: type[Allocator], data: st.DataObject
) -> None:
    """A port is free or given; it says None exactly when none is free."""
    count = data.draw(st.integers(1, 6))
    ports = united([range(1024, 1024 + count), range(2000, 2000 + data.draw(st.sampled_from((0, 0, 3))))])
    free = allocator(plan(ports, data.draw(st.integers(0, 9))))
    out: set[int] = set()

    for now in range(data.draw(st.integers(0, 40))):
        if len(out) > 0 and data.draw(st.booleans()):
            back = data.draw(st.sampled_from(sorted(out)))
            out.remove(back)
            free.release(back, now)
        else:
            port = free.allocate(alice(data.draw(st.integers(1022, 1032))), now)
            assert (port is None) == (len(out) == len(ports))
            if port is not None:
                assert port in ports
                assert port not in out
                out.add(port)
        assert len(free) == len(ports) - len(out)


@every_allocator
@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("seed", range(5))
def test_a_long_walk_loses_and_doubles_no_port(allocator: type[Allocator], size: int, seed: int) -> None:
    """Ports are given and taken back in ranges that fill and empty again."""
    ports = range(1024, 1024 + size)

    walk(allocator(plan(ports, seed)), ports, steps=2_000, choose=random.Random(seed))


@every_exact_allocator
def test_a_long_walk_in_a_large_range_loses_and_doubles_no_port(allocator: type[Allocator]) -> None:
    """A large range is stored in more than one way as it fills; at the end every port can be given."""
    ports = range(1024, 1024 + 1_000)
    free = allocator(plan(ports))

    out = walk(free, ports, steps=5_000, choose=random.Random(1))
    rest = [free.allocate(ALICE, now=0.0) for _ in range(len(free))]

    assert sorted([*out, *(port for port in rest if port is not None)]) == list(ports)


@every_allocator
def test_the_same_seed_gives_the_same_ports(allocator: type[Allocator]) -> None:
    """A run can be repeated."""

    def run() -> list[int | None]:
        free = allocator(plan(range(1024, 1124), seed=7))
        ports = [free.allocate(alice(port), now=0.0) for port in range(1100, 1190)]
        for port in ports[::2]:
            free.release(port or 0, now=1.0)
        return ports + [free.allocate(who, now=99.0) for who in (ALICE, BOB) for _ in range(30)]

    assert run() == run()


@every_allocator
def test_a_new_allocator_stores_nothing_for_its_ports(allocator: type[Allocator]) -> None:
    """Where ports may overlap there is one for each destination: it must not cost 64,512 times anything."""
    allocator(plan(range(1024, 1034)))  # what Python stores once for each class
    free, size = measured(lambda: allocator(plan(ALL_PORTS)))
    few, size_of_few = measured(lambda: allocator(plan(range(1024, 1034))))

    assert len(free) == 64_512
    assert len(few) == 10
    assert size < size_of_few + 2_000
    assert size < 4_096  # the seeded generator of the plan takes 2,500 of them


@every_allocator
def test_ports_that_are_given_take_few_bytes_each(allocator: type[Allocator]) -> None:
    """A full range is kept in at most 16 bytes for each port."""

    def fill() -> Allocator:
        free = allocator(plan(ALL_PORTS, block=64))
        for port in ALL_PORTS:
            free.allocate(alice(port), now=0.0)
        return free

    free, size = measured(fill)

    assert len(free) == 0
    assert size < 16 * 64_512


@pytest.mark.parametrize("name", ["random", "preserving", "linux-like"])
def test_ports_that_have_all_come_back_take_nothing(name: str) -> None:
    """A destination that was busy once costs no more than a new one."""

    def fill_and_empty() -> Allocator:
        free = ALLOCATORS[name](plan(range(1024, 1024 + 4096)))
        for port in [free.allocate(alice(port), now=0.0) for port in range(1024, 1024 + 4096)]:
            free.release(port or 0, now=0.0)
        return free

    assert measured(fill_and_empty)[1] < 4_096 + 500


@pytest.mark.parametrize(
    ("name", "by_subscriber"),
    [
        ("random", False),
        ("sequential", False),
        ("preserving", False),
        ("blocks", True),
        ("linux-like", False),
    ],
)
def test_only_the_ports_of_blocks_belong_to_a_subscriber(name: str, by_subscriber: bool) -> None:
    """A packet that waits for a port needs to know whether another subscriber's will do."""
    assert ALLOCATORS[name].by_subscriber is by_subscriber
