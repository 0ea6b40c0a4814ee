"""Strangers' sessions that the inside has not answered: bounded, and the first to give way.

A stranger is an outside endpoint that no inside host has sent to. Endpoint-independent filtering lets it in.
"""

from __future__ import annotations

import pytest

from controller.nat.model import Answer, Dependence, Endpoint, Limit, Mapping, Packet, Protocol, Side
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.tcp import TcpState
from controller.nat.verdicts import Refuse, Translate
from tests.support.core import (
    ACK,
    ALICE,
    BOB,
    CAROL,
    ICMP,
    MIRROR,
    RST,
    SERVER,
    SYN,
    TCP,
    UDP,
    Bench,
    connections,
    first_packet,
)

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE
transports = pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])


def stranger(number: int) -> Endpoint:
    """Return an outside endpoint that nobody has sent to."""
    return Endpoint(MIRROR.address, 20_000 + number)


def knock(bench: Bench, mapping: Mapping, numbers: range) -> None:
    """Let strangers send a first packet each to a mapping."""
    for number in numbers:
        bench.inbound(mapping.protocol, stranger(number), mapping.external, first_packet(mapping.protocol))


def strangers_of(mapping: Mapping) -> list[int]:
    """Return the numbers of the strangers that have a session of a mapping."""
    return sorted(flow.peer.port - 20_000 for flow in mapping.flows if flow.is_strangers)


@transports
def test_a_mapping_has_an_eighth_of_them_and_the_oldest_ends_for_the_newest(protocol: Protocol) -> None:
    """RFC 6888 REQ-5: also where every datagram from outside counts, 500 of them make no 500 sessions."""
    bench = Bench(refresh_inbound=True, limit_unanswered_inbound_sessions=24)
    mapping = bench.open(ALICE, SERVER, protocol)

    knock(bench, mapping, range(500))

    assert strangers_of(mapping) == [497, 498, 499]
    assert bench.nat.limits.sessions == 4
    assert bench.nat.counters[protocol].evicted_unanswered_sessions == 497


def test_all_mappings_together_have_no_more_than_the_limit() -> None:
    """The oldest ends, whichever mapping it is one of."""
    bench = Bench(ports=10, limit_unanswered_inbound_sessions=8)
    mappings = [bench.open(Endpoint(ALICE.address, port)) for port in range(10)]
    for number, mapping in enumerate(mappings):
        knock(bench, mapping, range(number, number + 1))

    assert [len(strangers_of(mapping)) for mapping in mappings] == [0, 0, *[1] * 8]


def test_a_session_that_the_inside_has_answered_is_none_of_them() -> None:
    """However many strangers come after it."""
    bench = Bench(limit_unanswered_inbound_sessions=8)
    mapping = bench.open()
    knock(bench, mapping, range(1))
    bench.copy(mapping, INSIDE, SYN | ACK, stranger(0))

    knock(bench, mapping, range(1, 20))

    assert connections(mapping)[stranger(0)].state is TcpState.ESTABLISHED
    assert strangers_of(mapping) == [19]


@transports
@pytest.mark.parametrize("policy", ["drop", "hold", "evict-lru"])
def test_strangers_take_no_session_from_the_inside(policy: str, protocol: Protocol) -> None:
    """`limit_sessions` is full of them, and bob's packet passes at once: the oldest of them ends."""
    bench = Bench(limit_sessions=4, on_exhaustion=POLICIES[policy])
    mapping = bench.open(ALICE, SERVER, protocol)
    knock(bench, mapping, range(3))
    assert bench.nat.limits.sessions == 4

    for endpoint in (BOB, CAROL):
        verdict = bench.outbound(protocol, endpoint, SERVER, first_packet(protocol))
        assert isinstance(verdict, Translate)
    assert isinstance(bench.outbound(protocol, ALICE, MIRROR, first_packet(protocol)), Translate)

    assert strangers_of(mapping) == []
    assert bench.nat.limits.sessions == 4
    assert not isinstance(bench.outbound(protocol, ALICE, stranger(9), first_packet(protocol)), Translate)


def test_a_stranger_takes_the_place_of_a_stranger_and_of_nobody_else() -> None:
    """Where sessions run short."""
    bench = Bench(limit_sessions=2)
    mapping = bench.open()
    knock(bench, mapping, range(5))
    assert strangers_of(mapping) == [4]
    bench.open(BOB)

    assert bench.inbound(TCP, stranger(5), mapping.external, SYN) == Refuse(Limit.SESSIONS, Answer.NOTHING)


@pytest.mark.parametrize("policy", ["drop", "hold"])
def test_strangers_take_no_rule_from_the_inside(policy: str) -> None:
    """The switch refuses bob's rules: the oldest stranger ends, and bob's SYN goes on without a wait."""
    bench = Bench(on_exhaustion=POLICIES[policy])
    mapping = bench.open()
    knock(bench, mapping, range(3))
    flow = bench.open(BOB).flows[0]

    verdict = bench.refuse(flow, Packet(TCP, BOB, SERVER, SYN))

    assert isinstance(verdict, Translate)
    assert strangers_of(mapping) == [1, 2]
    assert bench.nat.counters[TCP].dropped_flow_table_packets == 0


def test_a_stranger_whose_rules_are_refused_finds_room_the_next_time() -> None:
    """Old strangers do not shut out new ones until their time is over."""
    bench = Bench()
    mapping = bench.open()
    knock(bench, mapping, range(3))

    bench.refuse(mapping.flows[-1])

    assert strangers_of(mapping) == [1]


def test_a_session_that_the_inside_resets_ends_at_once() -> None:
    """RFC 7857 section 2.2's time is for connections that existed; the RST itself still passes."""
    bench = Bench()
    mapping = bench.open()
    knock(bench, mapping, range(3))

    bench.copy(mapping, INSIDE, RST | ACK, stranger(1))
    assert strangers_of(mapping) == [0, 1, 2]
    bench.sleep(0.0)

    assert strangers_of(mapping) == [0, 2]


def test_a_stranger_cannot_reset_its_session_away() -> None:
    """Anybody may have forged its RST, and the inside may be answering."""
    bench = Bench()
    mapping = bench.open()
    knock(bench, mapping, range(1))

    bench.copy(mapping, OUTSIDE, RST, stranger(0))
    bench.sleep(0.0)

    assert strangers_of(mapping) == [0]


def test_an_answer_between_a_reset_and_the_end_saves_the_session() -> None:
    """The stranger has tried again, and this time somebody listens."""
    bench = Bench()
    mapping = bench.open()
    knock(bench, mapping, range(1))
    bench.copy(mapping, INSIDE, RST | ACK, stranger(0))
    knock(bench, mapping, range(1))
    bench.copy(mapping, INSIDE, SYN | ACK, stranger(0))

    bench.sleep(3.0)

    assert connections(mapping)[stranger(0)].state is TcpState.ESTABLISHED


@pytest.mark.parametrize("protocol", [TCP, UDP, ICMP], ids=["tcp", "udp", "icmp"])
def test_a_session_that_the_inside_answers_with_an_icmp_error_ends_at_once(protocol: Protocol) -> None:
    """Nobody listens there. A session of the inside's own does not end by such an error."""
    bench = Bench(refresh_inbound=True, filtering=Dependence.INDEPENDENT)
    mapping = bench.open(ALICE, SERVER, protocol)
    knock(bench, mapping, range(1))

    for remote in (stranger(0), SERVER):
        bench.nat.unwanted(protocol, ALICE, remote, bench.now)

    assert [flow.peer for flow in mapping.flows] == [SERVER]
