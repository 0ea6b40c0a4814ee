"""A NAT that gets other settings while it has mappings: what stays, and what is followed from then on."""

from __future__ import annotations

import random
from typing import Any

import pytest

from controller.nat.events import LimitReached
from controller.nat.model import Answer, Dependence, Limit, Protocol, Side, TcpFlags
from controller.nat.settings import NatSettings
from controller.nat.strategies.exhaustion.evict_lru import EvictLruPolicy
from controller.nat.strategies.exhaustion.hold import HoldPolicy
from controller.nat.tcp import TcpTimer
from controller.nat.translator import Nat
from controller.nat.verdicts import Hold, Refuse, Translate
from tests.support.core import ALICE, BOB, CAROL, CLOSING, ICMP, SERVER, SYN, TCP, UDP, Bench, nat_settings


def tcp_timeouts(**seconds: float) -> dict[TcpTimer, float]:
    """Return the timers of a bench, some with other seconds."""
    usual: NatSettings = nat_settings()
    return {**usual.tcp_timeouts, **{TcpTimer[name]: value for name, value in seconds.items()}}


def test_mappings_stay_with_their_ports_and_what_is_new_meets_the_new_limit() -> None:
    """A quota of one stops alice's second mapping, and not the packets of the first."""
    bench = Bench(ports=8)
    first = bench.open(ALICE)

    bench.change(ports=8, port_quotas={**dict.fromkeys(Protocol), TCP: 1})

    assert bench.mapping(TCP, ALICE) is first
    assert isinstance(bench.outbound(TCP, ALICE, SERVER, SYN), Translate)
    refused = bench.outbound(TCP, type(ALICE)(ALICE.address, 40001), SERVER, SYN)
    assert refused == Refuse(Limit.QUOTA, Answer.NOTHING)
    assert bench.nat.pool.usage(TCP).allocated == 1


def test_a_port_that_rests_is_not_given_before_its_time() -> None:
    """It rests for the same time as before, whatever was set meanwhile."""
    bench = Bench(ports=1, udp_timeout=1.0)
    bench.open(ALICE, protocol=UDP)
    bench.sleep(1.25)
    assert bench.nat.pool.usage(UDP).resting == 1

    bench.change(ports=1, udp_timeout=4.0)

    assert isinstance(bench.outbound(UDP, BOB), Refuse)
    bench.sleep(0.5)
    assert isinstance(bench.outbound(UDP, BOB), Translate)


def test_an_idle_timer_that_runs_is_as_long_as_the_new_one() -> None:
    """The mapping was used at 0; a second later, its 8 s have become 2 s."""
    bench = Bench(udp_timeout=8.0)
    mapping = bench.open(ALICE, protocol=UDP)
    bench.sleep(1.0)

    bench.change(udp_timeout=2.0)
    bench.sleep(2.0)

    assert not bench.is_live(mapping)


def test_a_closing_connection_is_kept_for_the_new_time_since_it_closed() -> None:
    """Its two seconds have become half a second, which is over."""
    bench = Bench()
    mapping = bench.open(ALICE)
    closed = bench.mapping(TCP, ALICE)
    assert closed is mapping
    bench.copy(mapping, Side.INSIDE, TcpFlags.FIN)
    bench.copy(mapping, Side.OUTSIDE, TcpFlags.FIN)
    bench.sleep(CLOSING / 2)
    assert bench.is_live(mapping)

    bench.change(tcp_timeouts=tcp_timeouts(CLOSING=0.5))
    bench.sleep(0.0)

    assert not bench.is_live(mapping)


def test_a_nat_that_evicts_from_now_on_knows_which_of_its_mappings_is_the_oldest() -> None:
    """Alice's was used before bob's, so it makes room for carol's."""
    bench = Bench(ports=2)
    oldest = bench.open(ALICE)
    bench.sleep(1.0)
    newer = bench.open(BOB)

    bench.change(ports=2, on_exhaustion=EvictLruPolicy)

    assert isinstance(bench.outbound(TCP, CAROL, SERVER, SYN), Hold)
    assert not bench.is_live(oldest)
    assert bench.is_live(newer)


def test_a_nat_that_no_longer_evicts_forgets_the_order() -> None:
    """Nothing is evicted, and mappings end as ever."""
    bench = Bench(ports=1, on_exhaustion=EvictLruPolicy)
    mapping = bench.open(ALICE)

    bench.change(ports=1)

    assert [flow.before for flow in mapping.flows] == [None], "nobody reads its counts for that any more"
    assert bench.outbound(TCP, BOB, SERVER, SYN) == Refuse(Limit.PORTS, Answer.NOTHING)
    bench.sleep(60.0)
    assert not bench.is_live(mapping)


def test_packets_that_wait_are_refused_by_the_fallback() -> None:
    """Bob's packet was held; who sent it learns of it."""
    bench = Bench(ports=1, on_exhaustion=HoldPolicy, fallback=Answer.ICMP)
    bench.open(ALICE)
    assert isinstance(bench.outbound(TCP, BOB, SERVER, SYN), Hold)

    bench.change(ports=1)

    (_, resumed) = bench.log[-1]
    assert getattr(resumed, "verdict", None) == Refuse(Limit.PORTS, Answer.ICMP)
    assert bench.nat.next_deadline is not None


def test_counters_go_on_counting_and_a_limit_that_was_announced_is_not_announced_again() -> None:
    """What was refused before is not forgotten."""
    bench = Bench(ports=1)
    bench.open(ALICE)
    bench.outbound(TCP, BOB, SERVER, SYN)

    bench.change(ports=1, port_quota=1)

    assert bench.nat.counters[TCP].dropped_port_packets == 1
    bench.outbound(TCP, BOB, SERVER, SYN)
    assert bench.nat.counters[TCP].dropped_port_packets == 2
    assert sum(isinstance(event, LimitReached) for _, event in bench.log) == 1


@pytest.mark.parametrize(
    "otherwise",
    [
        {"ports": 5},
        {"addresses": 2},
        {"mapping": Dependence.ADDRESS_AND_PORT},
        {"filtering": Dependence.ADDRESS},
        {"limit_sessions": 5},
        {"refresh_inbound": True},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_a_mapping_or_its_rules_are_made_of_lets_none_stay(otherwise: dict[str, Any]) -> None:
    """A limit of sessions, and a stranger that keeps mappings alive, need a rule for each session of UDP."""
    bench = Bench(ports=4)
    bench.open(ALICE, protocol=UDP)

    assert not Nat(nat_settings(**{"ports": 4, **otherwise}), random.Random(1)).may_adopt(bench.nat)
    assert Nat(nat_settings(ports=4), random.Random(1)).may_adopt(bench.nat)


def test_rules_that_nothing_is_made_of_yet_may_differ() -> None:
    """With connections of TCP alone, UDP may have a rule for each session from now on."""
    bench = Bench(ports=4)
    mapping = bench.open(ALICE)

    bench.change(ports=4, limit_sessions=1)

    assert bench.is_live(mapping)
    assert bench.outbound(UDP, BOB) == Refuse(Limit.SESSIONS, Answer.NOTHING)
    assert bench.outbound(ICMP, BOB, type(SERVER)(SERVER.address, 0)) == Refuse(Limit.SESSIONS, Answer.NOTHING)
