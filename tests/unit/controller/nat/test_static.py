"""Static mappings: there from the start, for everybody outside, and for ever (RFC 8512).

Timers here: 4 s for the answer to a SYN, 16 s idle, 8 s for UDP.
"""

from __future__ import annotations

import random

import pytest

from controller.nat.events import MappingReleased
from controller.nat.model import ANYBODY, Dependence, Endpoint, Limit, Packet, Protocol, Side, StaticMapping
from controller.nat.pool import Ports, Usage
from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.verdicts import Drop, DropReason, Refuse, Translate
from tests.support.core import (
    ACK,
    ALICE,
    BOB,
    CAROL,
    MIRROR,
    RST,
    SERVER,
    SYN,
    TCP,
    UDP,
    Bench,
    first_packet,
    nat_settings,
)

INTERNAL = Endpoint.parse("10.0.0.1:80")
EXTERNAL = Endpoint.parse("192.0.2.1:1025")
STATIC = tuple(StaticMapping(protocol, EXTERNAL, INTERNAL) for protocol in (TCP, UDP))
EVICTS = POLICIES["evict-lru"]

transports = pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])
each_filtering = pytest.mark.parametrize("filtering", Dependence, ids=lambda filtering: filtering.name)


def with_static(**settings: object) -> Bench:
    """Return a NAT with a static mapping of each transport protocol."""
    return Bench(static_mappings=STATIC, **settings)


@transports
@each_filtering
def test_anybody_outside_reaches_the_inside_endpoint(protocol: Protocol, filtering: Dependence) -> None:
    """RFC 5382 REQ-2: that is what an operator orders it for, whatever the filtering of other mappings."""
    bench = with_static(filtering=filtering)

    for remote in (SERVER, MIRROR):
        verdict = bench.inbound(protocol, remote, EXTERNAL, first_packet(protocol))
        assert isinstance(verdict, Translate)
        assert verdict.mapping.internal == INTERNAL


@transports
@each_filtering
def test_what_the_inside_endpoint_sends_has_the_ordered_source(protocol: Protocol, filtering: Dependence) -> None:
    """Toward every destination, and without another mapping."""
    bench = with_static(filtering=filtering)

    for remote in (SERVER, MIRROR):
        assert bench.open(INTERNAL, remote, protocol).external == EXTERNAL
    assert bench.created() == 0


def test_it_takes_connections_only() -> None:
    """A segment that opens nothing and belongs to nothing is dropped here as well."""
    assert with_static().inbound(TCP, SERVER, EXTERNAL, ACK) == Drop(DropReason.NOT_A_SYN)


@transports
def test_it_never_ends(protocol: Protocol) -> None:
    """Neither by time, nor by the end of its sessions, nor by an operator's flush or a refusal of the switch."""
    bench = with_static()
    bench.inbound(protocol, SERVER, EXTERNAL, first_packet(protocol))
    bench.open(INTERNAL, MIRROR, protocol)
    bench.sleep(1000.0)
    assert list(bench.nat.flows()) == []
    mapping = bench.open(INTERNAL, SERVER, protocol)
    bench.nat.flush(bench.now)
    bench.open(INTERNAL, SERVER, protocol)
    bench.roll_back(mapping)

    assert not any(isinstance(event, MappingReleased) for _, event in bench.log)
    assert isinstance(bench.inbound(protocol, MIRROR, EXTERNAL, first_packet(protocol)), Translate)


def test_a_session_lives_as_long_as_any() -> None:
    """A datagram that comes long after the last one has its session for the usual time."""
    bench = with_static()
    bench.sleep(500.0)
    bench.inbound(UDP, SERVER, EXTERNAL)

    bench.sleep(7.9)

    assert len(list(bench.nat.flows())) == 1


@transports
@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_no_other_mapping_gets_its_port(allocator: str, protocol: Protocol) -> None:
    """Of four ports there are three for everybody else, with each allocator, again and again."""
    bench = with_static(ports=4, allocator=ALLOCATORS[allocator], port_set_size=4)
    usage = bench.nat.pool.usage(protocol)
    assert (usage.allocated, usage.free) == (1, 3)

    for _ in range(3):
        mappings = [bench.open(Endpoint(BOB.address, port), SERVER, protocol) for port in (1024, 1025, 1026)]
        refused = bench.outbound(protocol, Endpoint(BOB.address, 1027), SERVER, first_packet(protocol))
        assert refused == Refuse(Limit.PORTS, bench.nat.settings.fallback)
        assert sorted(mapping.external.port for mapping in mappings) == [1024, 1026, 1027]
        usage = bench.nat.pool.usage(protocol)
        assert (usage.allocated, usage.free) == (4, 0)
        for mapping in mappings:
            bench.roll_back(mapping)
        bench.sleep(100.0)


@transports
def test_it_is_never_evicted(protocol: Protocol) -> None:
    """However long ago it was used, another has to go, or the newcomer is refused."""
    bench = with_static(ports=2, on_exhaustion=EVICTS)
    bench.open(INTERNAL, SERVER, protocol)
    bench.sleep(0.5)
    mapping = bench.open(BOB, SERVER, protocol)
    bench.sleep(0.5)
    bench.outbound(protocol, ALICE, SERVER, first_packet(protocol))

    assert not bench.is_live(mapping)
    assert bench.open(INTERNAL, SERVER, protocol).external == EXTERNAL


def test_its_subscriber_keeps_to_its_external_address() -> None:
    """RFC 4787 REQ-2: what else alice sends leaves by the address of her static mapping."""
    static = StaticMapping(TCP, Endpoint.parse("192.0.2.3:1025"), INTERNAL)
    bench = Bench(static_mappings=(static,), addresses=3)
    bench.open(BOB)

    assert {bench.open(Endpoint(ALICE.address, port)).external.address for port in range(1, 4)} == {
        static.external.address
    }


def test_it_counts_for_no_quota() -> None:
    """The operator ordered it, not the subscriber."""
    bench = with_static(port_quota=1, limit_subscribers=1)
    bench.open(INTERNAL)
    assert len(bench.nat.limits.subscribers) == 0

    bench.open(BOB)

    assert isinstance(bench.outbound(TCP, Endpoint(BOB.address, 9), SERVER, SYN), Refuse)
    assert bench.open(INTERNAL, MIRROR).external == EXTERNAL


def test_strangers_leave_it_when_their_time_is_over() -> None:
    """A connection that the inside does not answer ends, and the mapping stays."""
    bench = with_static()
    bench.inbound(TCP, SERVER, EXTERNAL, SYN)
    bench.observe(Side.INSIDE, Packet(TCP, INTERNAL, SERVER, RST))
    bench.sleep(0.9)
    bench.inbound(TCP, MIRROR, EXTERNAL, SYN)

    bench.sleep(0.1)
    assert [flow.peer for flow in bench.nat.flows()] == [MIRROR]
    bench.sleep(4.0)
    assert list(bench.nat.flows()) == []


def test_no_other_port_is_given_in_place_of_ones_own_destination() -> None:
    """The allocator draws the endpoint that a packet goes to, and then must not give the reserved one instead."""
    given = set()
    for seed in range(40):
        ports = Ports(UDP, nat_settings(ports=3, static_mappings=STATIC), random.Random(seed))
        given.add(ports.allocate(EXTERNAL.address, BOB, ANYBODY, Endpoint(EXTERNAL.address, 1024), 0.0))

    assert given == {Endpoint(EXTERNAL.address, 1026)}


def test_a_block_with_a_static_mapping_goes_from_one_subscriber_to_the_next() -> None:
    """Its reserved port is no subscriber's, so that the block is idle when the others are free."""
    bench = with_static(ports=4, allocator=ALLOCATORS["blocks"])
    for subscriber in (BOB, CAROL, BOB, MIRROR):
        opened = [
            isinstance(bench.outbound(UDP, Endpoint(subscriber.address, port), SERVER), Translate)
            for port in range(1, 5)
        ]
        assert opened == [True, True, True, False]
        bench.sleep(60.0)


def test_a_block_of_reserved_ports_alone_is_nobodys() -> None:
    """A subscriber gets a block that has a port for it, and what is free is counted without the reserved ports."""
    others = (1024, 1027)
    static = tuple(
        StaticMapping(UDP, Endpoint(EXTERNAL.address, port), Endpoint(ALICE.address, port))
        for port in (EXTERNAL.port, *others)
    )
    bench = Bench(ports=6, allocator=ALLOCATORS["blocks"], static_mappings=static)
    assert bench.nat.pool.usage(UDP) == Usage(allocated=3, free=3, resting=0, held_down=0)

    ports = {bench.open(Endpoint(BOB.address, port), SERVER, UDP).external.port for port in range(3)}

    assert ports == {1026, 1028, 1029}
    assert bench.nat.pool.usage(UDP) == Usage(allocated=6, free=0, resting=0, held_down=0)
