"""The ceilings: each refuses by its own name and counter, is announced once, and again after it let one pass."""

from __future__ import annotations

from typing import Any

import pytest

from controller.nat.events import LimitReached
from controller.nat.model import Answer, Dependence, Endpoint, Limit, Protocol
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.verdicts import Refuse, Translate
from tests.support.core import ALICE, BOB, MIRROR, SERVER, TCP, UDP, Bench, first_packet

OTHER = Endpoint(ALICE.address, 1)
ANOTHER = Endpoint(ALICE.address, 2)
NOBODY = None
LIMITS: dict[str, tuple[dict[str, Any], Limit, str, int | None]] = {
    "ports": ({"ports": 1}, Limit.PORTS, "dropped_port_packets", 0xC0000201),
    "subscribers": ({"limit_subscribers": 1}, Limit.SUBSCRIBERS, "dropped_subscriber_limit_packets", NOBODY),
    "quota": ({"port_quota": 1}, Limit.QUOTA, "dropped_port_limit_packets", ALICE.address),
    "quota of the protocol": (
        {"port_quotas": {**dict.fromkeys(Protocol), UDP: 1}},
        Limit.QUOTA,
        "dropped_port_limit_packets",
        ALICE.address,
    ),
    "rate": ({"new_mapping_rate_per_subscriber": 1.0}, Limit.RATE, "dropped_rate_packets", ALICE.address),
    "mappings": ({"limit_port_mappings": 1}, Limit.MAPPINGS, "dropped_mapping_limit_packets", NOBODY),
    "sessions with a destination": (
        {"limit_sessions_per_destination": 1},
        Limit.DESTINATION,
        "dropped_destination_limit_packets",
        0xC0000201,
    ),
    "sessions": ({"limit_sessions": 1}, Limit.SESSIONS, "dropped_state_limit_packets", NOBODY),
}
each_limit = pytest.mark.parametrize("name", LIMITS)


def reached(bench: Bench) -> list[LimitReached]:
    """Return the announcements so far."""
    return [event for _, event in bench.log if isinstance(event, LimitReached)]


def second(name: str) -> Endpoint:
    """Return who comes too late: another subscriber, where that is what is limited, else alice once more."""
    return BOB if name == "subscribers" else OTHER


@each_limit
def test_the_one_too_many_is_refused_and_counted_by_what_it_exceeded(name: str) -> None:
    """No other counter counts it."""
    settings, limit, counter, _ = LIMITS[name]
    bench = Bench(**settings)
    bench.open(ALICE, SERVER, UDP)

    assert bench.outbound(UDP, second(name)) == Refuse(limit, Answer.NOTHING)

    counters = bench.nat.counters[UDP]
    assert {each.value: getattr(counters, each.value) for each in Limit if getattr(counters, each.value)} == {
        counter: 1
    }
    assert len(bench.nat) == 1


@each_limit
def test_a_limit_is_announced_once_and_again_after_it_let_one_pass(name: str) -> None:
    """RFC 8158 natEvent 3, 12 and 13: a limit is not announced once for each packet."""
    settings, limit, _, subject = LIMITS[name]
    bench = Bench(**settings)
    mapping = bench.open(ALICE, SERVER, UDP)
    for _ in range(3):
        bench.outbound(UDP, second(name))
    assert reached(bench) == [LimitReached(limit, UDP, subject)]

    bench.roll_back(mapping)
    bench.sleep(1.0)
    bench.open(ALICE, SERVER, UDP)
    bench.outbound(UDP, second(name))

    assert reached(bench) == [LimitReached(limit, UDP, subject)] * 2


def test_what_ended_without_letting_anybody_pass_announces_nothing_again() -> None:
    """A subscriber that loses one of its mappings makes no room for another subscriber."""
    bench = Bench(limit_subscribers=1)
    bench.open(ALICE, SERVER, UDP)
    bench.outbound(UDP, BOB)

    bench.roll_back(bench.open(OTHER, SERVER, UDP))
    bench.outbound(UDP, BOB)

    assert len(reached(bench)) == 1


# The order of the checks

ORDER: list[tuple[Limit, dict[str, Any]]] = [
    (Limit.SUBSCRIBERS, {"limit_subscribers": 1}),
    (Limit.QUOTA, {"port_quota": 2}),
    (Limit.RATE, {"new_mapping_rate_per_subscriber": 0.5}),
    (Limit.MAPPINGS, {"limit_port_mappings": 2}),
    (Limit.SESSIONS, {"limit_sessions": 2}),
    (Limit.PORTS, {"ports": 2}),
]


@pytest.mark.parametrize("first", range(1, len(ORDER)), ids=[limit.name for limit, _ in ORDER[1:]])
def test_of_several_limits_the_first_in_the_documented_order_refuses(first: int) -> None:
    """`limits.py`: from what concerns one subscriber to what concerns all."""
    settings: dict[str, Any] = {key: value for _, each in ORDER[first:] for key, value in each.items()}
    bench = Bench(**settings)
    bench.open(ALICE, SERVER, UDP)
    bench.sleep(2.0)
    bench.open(OTHER, SERVER, UDP)

    assert bench.outbound(UDP, ANOTHER) == Refuse(ORDER[first][0], Answer.NOTHING)


def test_a_subscriber_too_many_is_refused_before_its_rate_is_asked() -> None:
    """SUBSCRIBERS is checked first of all."""
    bench = Bench(limit_subscribers=1, limit_port_mappings=1, limit_sessions=1, ports=1)
    bench.open(ALICE, SERVER, UDP)

    assert bench.outbound(UDP, BOB) == Refuse(Limit.SUBSCRIBERS, Answer.NOTHING)


# What a limit does not touch


@pytest.mark.parametrize("name", ["quota", "rate", "mappings", "subscribers"])
def test_a_session_of_an_existing_mapping_meets_no_limit_of_mappings(name: str) -> None:
    """RFC 4787 REQ-1: it needs no port."""
    bench = Bench(filtering=Dependence.ADDRESS_AND_PORT, **LIMITS[name][0])
    mapping = bench.open(ALICE, SERVER, UDP)

    assert bench.open(ALICE, MIRROR, UDP) is mapping


def test_a_session_of_an_existing_mapping_meets_the_limit_of_sessions() -> None:
    """`limit_sessions` counts them all, and a known session goes on."""
    bench = Bench(limit_sessions=2)
    mapping = bench.open(ALICE, SERVER, UDP)
    bench.open(ALICE, MIRROR, UDP)

    assert bench.outbound(UDP, ALICE, Endpoint(MIRROR.address, 9)) == Refuse(Limit.SESSIONS, Answer.NOTHING)
    assert bench.open(ALICE, MIRROR, UDP) is mapping


def test_a_stranger_meets_the_limit_of_sessions_and_is_told_nothing() -> None:
    """Whatever the policy, no mapping is evicted for a stranger."""
    bench = Bench(limit_sessions=1, on_exhaustion=POLICIES["evict-lru"], fallback=Answer.ICMP)
    mapping = bench.open(ALICE, SERVER, UDP)

    assert bench.inbound(UDP, MIRROR, mapping.external) == Refuse(Limit.SESSIONS, Answer.NOTHING)
    assert bench.nat.counters[UDP].dropped_state_limit_packets == 1
    assert bench.is_live(mapping)


def test_the_quota_of_one_protocol_does_not_touch_another() -> None:
    """RFC 6888 REQ-4B: a quota of UDP ports limits UDP mappings only."""
    bench = Bench(port_quotas={**dict.fromkeys(Protocol), UDP: 1})
    bench.open(ALICE, SERVER, UDP)

    assert isinstance(bench.outbound(TCP, OTHER, SERVER, first_packet(TCP)), Translate)
    assert isinstance(bench.outbound(UDP, BOB), Translate)


def test_the_quota_in_all_counts_every_protocol() -> None:
    """RFC 6888 REQ-4: `port_quota` limits the sum over the protocols."""
    bench = Bench(port_quota=2)
    bench.open(ALICE, SERVER, UDP)
    bench.open(ALICE, SERVER, TCP)

    assert bench.outbound(UDP, OTHER) == Refuse(Limit.QUOTA, Answer.NOTHING)
    assert isinstance(bench.outbound(UDP, BOB), Translate)


# Rate


def made(bench: Bench, attempts: int) -> int:
    """Let alice make `attempts` attempts at once, and return how many mappings she got."""
    verdicts = [bench.outbound(UDP, Endpoint(ALICE.address, int(bench.now * 1000) + n)) for n in range(attempts)]
    return sum(isinstance(verdict, Translate) for verdict in verdicts)


def test_a_subscriber_may_make_a_second_s_worth_at_once_and_then_its_rate() -> None:
    """RFC 6888 REQ-4C: each subscriber has a token bucket of its own."""
    bench = Bench(ports=64, new_mapping_rate_per_subscriber=4.0)

    assert made(bench, 10) == 4
    bench.sleep(0.25)
    assert made(bench, 10) == 1
    bench.sleep(0.5)
    assert made(bench, 10) == 2
    bench.sleep(10.0)
    assert made(bench, 10) == 4
    assert isinstance(bench.outbound(UDP, BOB), Translate)


def test_a_rate_below_one_a_second_still_lets_one_pass() -> None:
    """After the first mapping none is made until the next token is due."""
    bench = Bench(ports=64, new_mapping_rate_per_subscriber=0.25)

    assert made(bench, 5) == 1
    bench.sleep(3.75)
    assert made(bench, 5) == 0
    bench.sleep(0.25)
    assert made(bench, 5) == 1


def test_a_rate_outlives_the_subscriber_s_mappings() -> None:
    """A subscriber that closes at once could otherwise make any number of mappings."""
    bench = Bench(new_mapping_rate_per_subscriber=1.0)
    bench.roll_back(bench.open(ALICE, SERVER, UDP))

    assert bench.outbound(UDP, OTHER) == Refuse(Limit.RATE, Answer.NOTHING)


def test_what_is_refused_takes_no_token() -> None:
    """Only a mapping that was made counts."""
    bench = Bench(new_mapping_rate_per_subscriber=2.0, port_quota=1)
    mapping = bench.open(ALICE, SERVER, UDP)
    for _ in range(5):
        bench.outbound(UDP, OTHER)
    bench.roll_back(mapping)

    assert isinstance(bench.outbound(UDP, OTHER), Translate)
