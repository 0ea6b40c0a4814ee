"""What a NAT promises of its mappings: who gets one, which, and what happens when there is none left."""

from __future__ import annotations

import dataclasses
import random

import pytest

from controller.nat.events import LimitReached, MappingCreated, MappingReleased, ReleaseReason
from controller.nat.model import Answer, Endpoint, Limit, Packet, Protocol, Side, TcpFlags
from controller.nat.translator import Nat
from controller.nat.verdicts import Drop, DropReason, Refuse, Translate
from tests.support.core import (
    ALICE,
    BOB,
    CAROL,
    MIRROR,
    REST,
    RST,
    SERVER,
    SYN,
    TCP,
    UDP,
    Bench,
    connections,
    nat_settings,
)

transports = pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])


def first_packet(protocol: Protocol) -> TcpFlags:
    """Return the flags of a flow's first packet."""
    return SYN if protocol is TCP else TcpFlags.NONE


# Mapping and filtering


def test_all_connections_of_an_internal_endpoint_use_one_mapping() -> None:
    """RFC 4787 REQ-1, RFC 5382 REQ-1: endpoint-independent mapping."""
    bench = Bench()
    first = bench.open(ALICE, SERVER)

    assert bench.open(ALICE, MIRROR) is first
    assert len(bench.nat) == 1
    assert bench.nat.counters[TCP].port_mapping_creations == 1


@transports
def test_any_host_that_sends_to_an_external_endpoint_reaches_the_internal_one(protocol: Protocol) -> None:
    """RFC 4787 REQ-8, RFC 5382 REQ-3: endpoint-independent filtering."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, protocol)

    verdict = bench.inbound(
        protocol, Endpoint.parse("203.0.113.99:9999"), mapping.external, first_packet(protocol)
    )

    assert isinstance(verdict, Translate)
    assert verdict.mapping is mapping


@pytest.mark.parametrize("protocol", Protocol, ids=["icmp", "tcp", "udp"])
def test_a_packet_from_outside_never_makes_a_mapping(protocol: Protocol) -> None:
    """Without a mapping it is dropped, and counted."""
    bench = Bench()

    verdict = bench.inbound(protocol, SERVER, Endpoint.parse("192.0.2.1:1024"), first_packet(protocol))

    assert verdict == Drop(DropReason.NO_MAPPING)
    assert bench.nat.counters[protocol].dropped_unmapped_packets == 1
    assert len(bench.nat) == 0


# No port left


@transports
def test_with_no_free_port_a_new_flow_is_refused_and_counted(protocol: Protocol) -> None:
    """RFC 6888 REQ-11A: the packet is dropped; the counter has RFC 8512's name."""
    bench = Bench(ports=1)
    bench.open(ALICE, SERVER, protocol)

    assert bench.outbound(protocol, BOB, SERVER, first_packet(protocol)) == Refuse(Limit.PORTS, Answer.NOTHING)
    assert bench.nat.counters[protocol].dropped_port_packets == 1
    assert Limit.PORTS.value == "dropped_port_packets"


def test_a_refusal_leaves_every_mapping_as_it_was() -> None:
    """RFC 6888 REQ-11D: no existing mapping is removed to make room."""
    bench = Bench(ports=2)
    alice, bob = bench.open(ALICE), bench.open(BOB)
    before = [(m.external, m.last_use, dict(connections(m))) for m in (alice, bob)]
    bench.sleep(1.0)

    assert bench.outbound(TCP, CAROL, SERVER, SYN) == Refuse(Limit.PORTS, Answer.NOTHING)

    assert [(m.external, m.last_use, dict(connections(m))) for m in (alice, bob)] == before
    assert list(bench.nat.mappings()) == [alice, bob]
    assert bench.mapping(TCP, CAROL) is None


def test_an_existing_mapping_opens_connections_when_no_port_is_left() -> None:
    """RFC 4787 REQ-1: they need no port of their own."""
    bench = Bench(ports=1)
    mapping = bench.open(ALICE, SERVER)
    bench.outbound(TCP, BOB, SERVER, SYN)

    assert bench.open(ALICE, MIRROR) is mapping


def test_one_protocol_out_of_ports_does_not_touch_the_others() -> None:
    """The pool is per protocol."""
    bench = Bench(ports=1)
    bench.open(ALICE, SERVER, TCP)

    assert isinstance(bench.outbound(UDP, BOB), Translate)


# Pooling


def test_a_subscriber_with_mappings_gets_the_same_external_address() -> None:
    """RFC 4787 REQ-2, paired pooling, for every protocol."""
    bench = Bench(ports=8, addresses=3)

    addresses = {
        bench.open(Endpoint(ALICE.address, port), SERVER, protocol).external.address
        for port in range(8)
        for protocol in Protocol
    }

    assert len(addresses) == 1


def test_subscribers_are_spread_over_the_external_addresses() -> None:
    """Neighbouring inside addresses use the external ones in turn."""
    bench = Bench(ports=2, addresses=3)

    addresses = [bench.open(Endpoint(ALICE.address + n, 1)).external.address for n in range(6)]

    assert [addresses.count(address) for address in sorted(set(addresses))] == [2, 2, 2]


def test_a_subscriber_whose_address_is_full_is_refused_although_others_have_ports() -> None:
    """RFC 7857 section 4: with paired pooling its packets are dropped."""
    bench = Bench(ports=1, addresses=2)
    bench.open(Endpoint(ALICE.address, 1))

    assert bench.outbound(TCP, Endpoint(ALICE.address, 2), SERVER, SYN) == Refuse(Limit.PORTS, Answer.NOTHING)
    assert isinstance(bench.outbound(TCP, BOB, SERVER, SYN), Translate)


# A port that comes back


@pytest.mark.parametrize(
    ("hold_down", "out_of_use"),
    [(0.0, 0.5), (0.25, 0.5), (3.0, 3.0)],
    ids=["rest", "short hold-down", "hold-down"],
)
def test_a_released_port_is_given_again_only_after_its_rest(hold_down: float, out_of_use: float) -> None:
    """The switch's cache outlives its rules by moments, RFC 6888 REQ-8 asks for more: the longer counts."""
    bench = Bench(ports=1, hold_down=hold_down)
    bench.roll_back(bench.open(ALICE, SERVER, UDP))

    bench.sleep(out_of_use - 0.001)
    assert bench.outbound(UDP, BOB) == Refuse(Limit.PORTS, Answer.NOTHING)

    bench.sleep(0.001)
    assert isinstance(bench.outbound(UDP, BOB), Translate)


@pytest.mark.parametrize(("hold_down", "state"), [(0.0, "resting"), (3.0, "held_down")])
def test_the_sum_of_all_ports_includes_those_that_wait(hold_down: float, state: str) -> None:
    """Allocated, free, resting and held down add up to the pool, and each port is in one state: first it rests."""
    bench = Bench(ports=4, hold_down=hold_down)
    bench.open(BOB, SERVER, UDP)
    bench.roll_back(bench.open(ALICE, SERVER, UDP))
    bench.sleep(REST if hold_down else 0.0)

    usage = dataclasses.asdict(bench.nat.pool.usage(UDP))

    assert usage == {"allocated": 1, "free": 2, "resting": 0, "held_down": 0} | {state: 1}
    assert dataclasses.asdict(bench.nat.pool.usage(TCP)) == {
        "allocated": 0,
        "free": 4,
        "resting": 0,
        "held_down": 0,
    }


def test_a_subscriber_without_mappings_is_no_longer_active() -> None:
    """RFC 8512 total-active-subscribers counts those that have mappings."""
    bench = Bench()
    first, second = bench.open(ALICE, SERVER, TCP), bench.open(ALICE, SERVER, UDP)
    bench.open(BOB)
    assert len(bench.nat.limits.subscribers) == 2

    bench.roll_back(first)
    assert len(bench.nat.limits.subscribers) == 2
    bench.roll_back(second)
    assert len(bench.nat.limits.subscribers) == 1


# Roll back


def test_a_rolled_back_mapping_is_gone_and_counted() -> None:
    """The switch had no room: its rules do not exist, so it must not either, and its port is not lost."""
    bench = Bench(ports=1)
    mapping = bench.open()

    bench.roll_back(mapping)

    assert len(bench.nat) == 0
    assert bench.nat.counters[TCP].dropped_flow_table_packets == 1
    assert (0.0, MappingReleased(mapping, ReleaseReason.ROLLED_BACK)) in bench.log
    bench.sleep(0.5)
    assert bench.nat.pool.usage(TCP).free == 1


def test_rolling_back_twice_releases_once() -> None:
    """Both rules of a mapping may be refused, and the second refusal finds nothing, or a newer mapping."""
    bench = Bench(ports=2)
    old = bench.open()
    bench.roll_back(old)
    new = bench.open()

    bench.roll_back(old)

    assert bench.is_live(new)
    assert bench.nat.counters[TCP].dropped_flow_table_packets == 1
    assert bench.nat.pool.usage(TCP).resting == 1


# Events


def test_a_mapping_is_announced_when_it_is_made_and_when_it_ends() -> None:
    """Each is announced once; later packets announce nothing."""
    bench = Bench()
    mapping = bench.open()
    bench.open(ALICE, MIRROR)
    bench.copy(mapping, Side.INSIDE, RST, SERVER)
    bench.copy(mapping, Side.INSIDE, RST, MIRROR)
    bench.sleep(5.0)

    assert [event for event in bench.log if isinstance(event[1], MappingCreated | MappingReleased)] == [
        (0.0, MappingCreated(mapping)),
        (1.0, MappingReleased(mapping, ReleaseReason.CLOSED)),
    ]


def test_exhaustion_is_announced_once_until_a_port_is_given_again() -> None:
    """RFC 8158 natEvent 12, of the address and protocol that ran out; not once for each refused packet."""
    bench = Bench(ports=1)
    mapping = bench.open(ALICE)
    exhausted = LimitReached(Limit.PORTS, TCP, mapping.external.address)

    for _ in range(3):
        bench.outbound(TCP, BOB, SERVER, SYN)
    assert [event for _, event in bench.log if isinstance(event, LimitReached)] == [exhausted]

    bench.roll_back(mapping)
    bench.outbound(TCP, BOB, SERVER, SYN)
    bench.sleep(0.5)
    assert [event for _, event in bench.log if isinstance(event, LimitReached)] == [exhausted]

    bench.open(BOB)
    bench.outbound(TCP, ALICE, SERVER, SYN)
    assert [event for _, event in bench.log if isinstance(event, LimitReached)] == [exhausted, exhausted]


def test_each_address_and_protocol_runs_out_by_itself() -> None:
    """Each of three exhaustions is announced."""
    bench = Bench(ports=1, addresses=2)
    for protocol, host in ((TCP, ALICE), (TCP, BOB), (UDP, ALICE)):
        bench.open(host, SERVER, protocol)
        bench.outbound(protocol, Endpoint(host.address, 9), SERVER, first_packet(protocol))

    assert len({event for _, event in bench.log if isinstance(event, LimitReached)}) == 3


def test_the_core_asks_nobody_for_the_time_or_for_chance() -> None:
    """The same seed and the same packets at the same times give the same external endpoints."""
    runs = []
    for _ in range(2):
        nat = Nat(nat_settings(ports=64), random.Random(5))
        for port in range(64):
            nat.outbound(Packet(UDP, Endpoint(ALICE.address, port), SERVER), now=0.0)
        runs.append([mapping.external for mapping in nat.mappings()])

    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 64
