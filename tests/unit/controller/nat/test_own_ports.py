"""Ports of a subscriber's own: reserved, used for every destination, doubled, and given back to all."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.events import LimitReached, Resumed
from controller.nat.model import Answer, Dependence, Endpoint, Limit
from controller.nat.own_ports import OwnPortsPlan
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.tcp import TcpTimer
from controller.nat.translator import Nat
from controller.nat.verdicts import Hold, Refuse, Translate
from controller.settings import ConfigurationError, Settings, checked
from tests.support.core import ALICE, BOB, CAROL, MIRROR, SERVER, SYN, TCP, UDP, Bench, nat_settings

TWO = OwnPortsPlan(size=2, most=2, threshold=100, delay=0, timeout=9.0)
DOUBLING = OwnPortsPlan(size=2, most=8, threshold=100, delay=3.0, timeout=9.0)
SHARED_TOWARD_OTHERS = {
    "mapping": Dependence.ADDRESS_AND_PORT,
    "filtering": Dependence.ADDRESS_AND_PORT,
    "overlapping": Dependence.ADDRESS_AND_PORT,
}
LASTING = dict.fromkeys(TcpTimer, 1000.0)
OWN_FULL = Refuse(Limit.SUBSCRIBER_PORTS, Answer.NOTHING)


def of(host: Endpoint, port: int) -> Endpoint:
    """Return another endpoint of a host."""
    return Endpoint(host.address, port)


def ask(bench: Bench, host: Endpoint, port: int, to: Endpoint = SERVER) -> Any:
    """Let a host open one more connection."""
    return bench.outbound(TCP, of(host, port), to, SYN)


def test_a_subscriber_is_refused_when_its_own_ports_are_in_use_though_others_are_free() -> None:
    """And it is the only one: the others have theirs."""
    bench = Bench(ports=6, own_ports=TWO)
    assert isinstance(ask(bench, ALICE, 1), Translate)
    assert isinstance(ask(bench, ALICE, 2), Translate)

    assert ask(bench, ALICE, 3) == OWN_FULL
    assert isinstance(ask(bench, BOB, 1), Translate)
    assert bench.nat.counters[TCP].dropped_subscriber_port_packets == 1
    (reached,) = [event for _, event in bench.log if isinstance(event, LimitReached)]
    assert reached == LimitReached(Limit.SUBSCRIBER_PORTS, TCP, ALICE.address)


def test_the_same_ports_serve_every_protocol_and_destination() -> None:
    """Ports that overlap: two of them carry two connections to each destination, of each protocol."""
    bench = Bench(ports=6, own_ports=TWO, **SHARED_TOWARD_OTHERS)
    external = set()
    for to in (SERVER, MIRROR):
        for protocol in (TCP, UDP):
            external |= {bench.open(of(ALICE, port), to, protocol).external for port in (1, 2)}
            flags = SYN if protocol is TCP else SYN & 0
            assert bench.outbound(protocol, of(ALICE, 3), to, flags) == OWN_FULL

    assert len(external) == 2


def test_one_subscriber_more_than_ports_can_be_reserved_for_is_refused() -> None:
    """Whether or not the others use theirs; with another pooling the next address has room."""
    for pooling, addresses, most in (("paired", 1, 2), ("in-order", 2, 4)):
        bench = Bench(ports=5, own_ports=TWO, addresses=addresses, pooling=POOLINGS[pooling])
        for host in range(most):
            assert isinstance(ask(bench, Endpoint(100 + host, 1), 1), Translate)

        assert ask(bench, Endpoint(99, 1), 1) == Refuse(Limit.RESERVATION, Answer.NOTHING)
        assert bench.nat.counters[TCP].dropped_reservation_packets == 1


def test_ports_go_back_to_all_when_none_was_in_use_for_the_timeout() -> None:
    """Until then they stay their owner's, who finds them again."""
    bench = Bench(ports=2, own_ports=TWO)
    first = bench.open(ALICE, SERVER, UDP)
    bench.sleep(10.0)  # the mapping is idle by then, and its port has rested
    assert not bench.is_live(first)
    assert ask(bench, BOB, 1) == Refuse(Limit.RESERVATION, Answer.NOTHING)
    bench.sleep(10.0)

    assert isinstance(ask(bench, BOB, 1), Translate)


def test_ports_double_after_the_delay_and_up_to_the_most() -> None:
    """A packet that comes meanwhile is refused; what does not fit the maximum is never given."""
    bench = Bench(ports=32, own_ports=DOUBLING, tcp_timeouts=LASTING)
    carried = []
    for port in range(1, 40):
        carried.append(isinstance(ask(bench, ALICE, port), Translate))
        bench.sleep(0.5)

    assert carried[:3] == [True, True, False]
    assert sum(carried) == 8
    assert carried.index(True, 3) == 7  # 3 s after the second


def test_ports_double_at_once_without_a_delay_and_before_they_are_used_up_by_a_threshold() -> None:
    """Nothing is refused then, until the most is reached."""
    at_once = OwnPortsPlan(size=2, most=8, threshold=100, delay=0, timeout=9.0)
    early = OwnPortsPlan(size=4, most=8, threshold=50, delay=1.0, timeout=9.0)
    for plan in (at_once, early):
        bench = Bench(ports=32, own_ports=plan, tcp_timeouts=LASTING)
        carried = []
        for port in range(1, 10):
            carried.append(isinstance(ask(bench, ALICE, port), Translate))
            bench.sleep(0.6)
        assert carried == [True] * 8 + [False]


def test_ports_that_could_not_double_do_when_there_is_room() -> None:
    """Another subscriber's next packet over the threshold asks again."""
    bench = Bench(ports=4, own_ports=OwnPortsPlan(size=2, most=4, threshold=100, delay=0, timeout=1.0))
    other = bench.open(BOB)
    ask(bench, ALICE, 1), ask(bench, ALICE, 2)
    assert ask(bench, ALICE, 3) == OWN_FULL
    bench.roll_back(other)
    bench.sleep(2.0)

    assert ask(bench, ALICE, 4) == OWN_FULL  # this one asks
    assert isinstance(ask(bench, ALICE, 5), Translate)


def test_a_packet_that_waits_gets_a_port_when_its_subscriber_s_ports_double() -> None:
    """That another subscriber's ports are free is of no use."""
    plan = OwnPortsPlan(size=2, most=4, threshold=100, delay=1.0, timeout=9.0)
    bench = Bench(ports=8, own_ports=plan, on_exhaustion=POLICIES["hold"])
    ask(bench, ALICE, 1), ask(bench, ALICE, 2)
    assert isinstance(ask(bench, ALICE, 3), Hold)
    bench.roll_back(bench.open(CAROL))
    bench.sleep(0.75)
    assert not [event for _, event in bench.log if isinstance(event, Resumed)]
    bench.sleep(0.5)

    (resumed,) = [event for _, event in bench.log if isinstance(event, Resumed)]
    assert isinstance(resumed.verdict, Translate)


def test_a_subscriber_s_own_mapping_is_evicted_for_it() -> None:
    """Another's would not help."""
    bench = Bench(ports=8, own_ports=TWO, on_exhaustion=POLICIES["evict-lru"])
    other = bench.open(BOB)
    victim = bench.open(of(ALICE, 1))
    bench.open(of(ALICE, 2))

    assert isinstance(ask(bench, ALICE, 3), Hold)
    bench.sleep(1.0)

    assert bench.is_live(other)
    assert not bench.is_live(victim)
    assert bench.mapping(TCP, of(ALICE, 3)) is not None


def test_a_nat_that_is_made_anew_around_its_mappings_knows_whose_ports_are_whose() -> None:
    """An operator changes another setting meanwhile; with other ports of each, nothing can stay."""
    bench = Bench(ports=6, own_ports=TWO)
    mapping = bench.open(ALICE)
    bench.change(ports=6, own_ports=TWO, port_quota=9)
    bench.open(of(ALICE, 2))

    assert ask(bench, ALICE, 3) == OWN_FULL
    bench.roll_back(mapping)
    bench.sleep(1.0)
    assert isinstance(ask(bench, ALICE, 4), Translate)
    assert not Nat(nat_settings(ports=6), random.Random(1)).may_adopt(bench.nat)


@given(
    size=st.integers(1, 2),
    doublings=st.integers(0, 2),
    delay=st.sampled_from((0.0, 1.0)),
    steps=st.lists(st.integers(0, 999), max_size=60),
)
def test_no_port_is_two_subscribers_at_a_time(size: int, doublings: int, delay: float, steps: list[int]) -> None:
    """Toward whatever destination and with whatever protocol; and all of them come back."""
    plan = OwnPortsPlan(size=size, most=size << doublings, threshold=100, delay=delay, timeout=2.0)
    bench = Bench(ports=7, own_ports=plan, addresses=2, pooling=POOLINGS["in-order"], **SHARED_TOWARD_OTHERS)
    owner: dict[Endpoint, int] = {}
    for number, step in enumerate(steps):
        host, to, protocol = Endpoint(10 + step % 4, number), (SERVER, MIRROR)[step % 2], (TCP, UDP)[step % 3 // 2]
        verdict = bench.outbound(protocol, host, to, SYN if protocol is TCP else SYN & 0)
        if isinstance(verdict, Translate):
            assert owner.setdefault(verdict.mapping.external, host.address) == host.address
        else:
            assert isinstance(verdict, Refuse)
            assert verdict.limit in (Limit.SUBSCRIBER_PORTS, Limit.RESERVATION)
        bench.sleep((0.0, 0.0, 0.5, 4.0)[step // 4 % 4])
        live = {mapping.external for mapping in bench.nat.mappings()}
        owner = {external: who for external, who in owner.items() if external in live}
    bench.sleep(60.0)
    assert bench.nat.next_deadline is None
    carried = [isinstance(ask(bench, Endpoint(99, 1), port), Translate) for port in range(1, 20)]
    assert carried[:size] == [True] * size


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"subscriber_ports_max": 64}, "take a subscriber_ports, such as 32"),
        ({"subscriber_ports": 64, "subscriber_ports_max": 64}, "take 128 or more"),
        ({"subscriber_ports": 64, "ports": 32}, "take at most 32"),
        ({"subscriber_ports": 64, "port_allocation_type": "blocks"}, "take port_allocation_type=random"),
        ({"subscriber_ports": 64, "static_mappings": ["tcp 192.0.2.1:8080 10.0.0.1:80"]}, "take static_mappings="),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(settings: dict[str, Any], sentence: str) -> None:
    """Before anything starts."""
    with pytest.raises(ConfigurationError, match=sentence):
        checked(Settings, settings, kind="setting")


def test_the_pool_has_room_for_whole_reservations_only() -> None:
    """64,512 ports in sixty-fours are 1,008 subscribers, and in thousands 64."""
    assert Settings(subscriber_ports=64).capacity == 64 * 1008
    assert Settings(subscriber_ports=1000).capacity == 64_000
