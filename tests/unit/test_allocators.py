"""Port allocators: what all of them promise, and what each of them adds."""

from __future__ import annotations

import itertools
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.model import Endpoint
from controller.nat.strategies.allocators import ALLOCATORS, Allocator, PortPlan
from controller.nat.strategies.allocators.blocks import BlocksAllocator
from controller.nat.strategies.allocators.linux_like import LinuxLikeAllocator
from controller.nat.strategies.allocators.preserving import PreservingAllocator
from controller.nat.strategies.allocators.random_ import RandomAllocator
from controller.nat.strategies.allocators.sequential import SequentialAllocator

ALICE = Endpoint.parse("10.0.0.1:40000")
BOB = Endpoint.parse("10.0.0.2:40000")
CAROL = Endpoint.parse("10.0.0.3:40000")

ALL_PORTS = range(1024, 65_536)
EXACT = {name: allocator for name, allocator in ALLOCATORS.items() if name != "linux-like"}
DRAWN_EVENLY = {name: ALLOCATORS[name] for name in ("random", "preserving")}

every_allocator = pytest.mark.parametrize("allocator", ALLOCATORS.values(), ids=list(ALLOCATORS))
every_exact_allocator = pytest.mark.parametrize("allocator", EXACT.values(), ids=list(EXACT))


def plan(ports: range, seed: int = 1, block: int = 4, timeout: float = 60.0) -> PortPlan:
    """What an allocator is told; blocks are small."""
    return PortPlan(ports, random.Random(seed), port_set_size=block, port_set_timeout=timeout)


def alice(port: int) -> Endpoint:
    """An internal endpoint of Alice's."""
    return Endpoint(ALICE.address, port)


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


# Every allocator


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


@every_allocator
@given(data=st.data())
def test_any_order_of_giving_and_taking_back_keeps_the_sum(
    allocator: type[Allocator], data: st.DataObject
) -> None:
    """A port is free or given; it says None exactly when none is free."""
    ports = range(1024, 1024 + data.draw(st.integers(1, 6)))
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
    """The same, in ranges that fill and empty again."""
    ports = range(1024, 1024 + size)

    walk(allocator(plan(ports, seed)), ports, steps=2_000, choose=random.Random(seed))


@every_exact_allocator
def test_a_long_walk_in_a_large_range_loses_and_doubles_no_port(allocator: type[Allocator]) -> None:
    """The same, in a range that is stored in more than one way as it fills; at the end every port can be given."""
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
    assert size < size_of_few + 500
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


def measured(make: Callable[[], Allocator]) -> tuple[Allocator, int]:
    """Make an allocator, and say how many bytes it takes."""
    tracemalloc.start()
    try:
        return make(), tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


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
    """Who waits for a port needs to know whether another subscriber's will do."""
    assert ALLOCATORS[name].by_subscriber is by_subscriber


# Random


class ScriptedRandom(random.Random):
    """A generator that gives the numbers that it was told, and counts how often it is asked."""

    draws = 0
    numbers: Iterator[float] = itertools.repeat(0.0)

    def random(self) -> float:
        """Draw, and count."""
        self.draws += 1
        return next(self.numbers)


def scripted(allocator: type[Allocator], ports: range) -> tuple[Allocator, ScriptedRandom]:
    """Return an allocator and its generator."""
    rng = ScriptedRandom()
    return allocator(PortPlan(ports, rng, port_set_size=4, port_set_timeout=60.0)), rng


def test_a_random_port_takes_one_draw_however_few_are_left() -> None:
    """Unlike RFC 6056 Algorithm 1, which draws and walks on until it meets a free port."""
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


# Sequential


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


# Preserving, and what linux-like has of it

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
    """Whatever was given before: as long as nobody else has it."""
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


# Blocks of four ports: 1024-1027, 1028-1031, ...


def block_of(port: int | None) -> int:
    """Return the number of a port's block."""
    assert port is not None
    return (port - 1024) // 4


def blocks(ports: range, **told: int) -> BlocksAllocator:
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


def test_a_block_may_be_larger_than_the_range() -> None:
    """Then there is one, and one subscriber has it."""
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
    """However long ago its other ports were released."""
    free = blocks(range(1024, 1028))
    first, _ = free.allocate(ALICE, now=0.0), free.allocate(ALICE, now=0.0)
    free.release(first or 0, now=1.0)

    assert free.allocate(BOB, now=1e9) is None


def test_the_owner_may_use_an_idle_block_again_and_is_idle_anew() -> None:
    """As long as nobody else needed it, also after the timeout; the clock starts again with the last release."""
    free = blocks(range(1024, 1028))
    first = free.allocate(ALICE, now=0.0)
    free.release(first or 0, now=0.0)
    again = free.allocate(ALICE, now=1_000.0)

    assert again is not None
    assert free.allocate(BOB, now=1_000.0) is None
    free.release(again, now=1_010.0)
    assert free.allocate(BOB, now=1_069.0) is None
    assert free.allocate(BOB, now=1_070.0) is not None


def test_who_lost_an_idle_block_gets_another() -> None:
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


# Linux-like


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
    """Up to 128 ports, whatever the internal ports and the seed; not in a larger range."""
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
