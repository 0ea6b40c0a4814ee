"""What becomes of a packet for which something ran short, policy by policy."""

from __future__ import annotations

from typing import Any

import pytest

from controller.nat.events import LimitReached, MappingReleased, ReleaseReason, Resumed
from controller.nat.model import Answer, Dependence, Endpoint, Limit, Mapping, Packet, Protocol
from controller.nat.strategies.allocators import ALLOCATORS
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.verdicts import Hold, Refuse, Translate, Verdict
from tests.support.core import (
    ALICE,
    BOB,
    CAROL,
    HOLD,
    ICMP,
    MIRROR,
    REST,
    SERVER,
    SYN,
    TCP,
    UDP,
    Bench,
    first_packet,
)

HOLDS, EVICTS = POLICIES["hold"], POLICIES["evict-lru"]
ENDPOINT = Dependence.ADDRESS_AND_PORT
DAVE = Endpoint.parse("10.0.0.4:40000")

transports = pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])


def of(host: Endpoint, port: int) -> Endpoint:
    """Return another endpoint of a host."""
    return Endpoint(host.address, port)


def resumed(bench: Bench) -> list[tuple[float, Endpoint, bool]]:
    """Return when held packets were decided, whose they were, and whether they may go on."""
    return [
        (at, event.ticket.packet.source, isinstance(event.verdict, Translate))
        for at, event in bench.log
        if isinstance(event, Resumed)
    ]


def evicted(bench: Bench) -> list[Endpoint]:
    """Return whose mappings had to go."""
    return [
        event.mapping.internal
        for _, event in bench.log
        if isinstance(event, MappingReleased) and event.reason is ReleaseReason.EVICTED
    ]


def held(verdict: Verdict | None) -> Hold:
    """Return a verdict that must be to hold."""
    assert isinstance(verdict, Hold), verdict
    return verdict


# Answers


@pytest.mark.parametrize(
    ("policy", "protocol", "answer"),
    [
        ("drop", TCP, Answer.NOTHING),
        ("drop", UDP, Answer.NOTHING),
        ("icmp", TCP, Answer.ICMP),
        ("icmp", UDP, Answer.ICMP),
        ("reset", TCP, Answer.RESET),
        ("reset", UDP, Answer.ICMP),
        ("reset", ICMP, Answer.ICMP),
    ],
)
def test_each_policy_has_its_answer(policy: str, protocol: Protocol, answer: Answer) -> None:
    """Only TCP can be reset."""
    bench = Bench(ports=1, on_exhaustion=POLICIES[policy])
    bench.open(ALICE, SERVER, protocol)

    assert bench.outbound(protocol, BOB, SERVER, first_packet(protocol)) == Refuse(Limit.PORTS, answer)
    assert bench.releases() == []


# Hold


@transports
def test_a_held_packet_goes_on_when_there_is_a_port(protocol: Protocol) -> None:
    """The port that was given back rests first; then the held packet makes its mapping."""
    bench = Bench(ports=1, on_exhaustion=HOLDS)
    mapping = bench.open(ALICE, SERVER, protocol)
    verdict = held(bench.outbound(protocol, BOB, SERVER, first_packet(protocol)))
    assert verdict.is_new

    bench.sleep(1.0)
    bench.roll_back(mapping)
    bench.sleep(REST)

    new = bench.mapping(protocol, BOB)
    assert new is not None
    assert bench.log[-1] == (1.5, Resumed(verdict.ticket, Translate(new.flows[0], created=True)))
    assert bench.nat.counters[protocol].held_packets == 1
    assert bench.nat.counters[protocol].dropped_port_packets == 0


@pytest.mark.parametrize("fallback", Answer, ids=lambda answer: answer.value)
def test_a_held_packet_gets_the_fallback_when_patience_is_over(fallback: Answer) -> None:
    """The fallback comes at `hold_timeout`, not before, and is counted by the limit that the packet waited for."""
    bench = Bench(ports=1, on_exhaustion=HOLDS, fallback=fallback)
    mapping = bench.open(ALICE)
    bench.forward(mapping, inbound=1)
    verdict = held(bench.outbound(TCP, BOB, SERVER, SYN))

    bench.sleep(HOLD - 0.001)
    assert resumed(bench) == []
    bench.sleep(0.001)

    assert bench.log[-1] == (HOLD, Resumed(verdict.ticket, Refuse(Limit.PORTS, fallback)))
    assert bench.nat.counters[TCP].dropped_port_packets == 1
    assert bench.nat.counters[TCP].held_packets == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"ports": 1},
        {"limit_port_mappings": 1},
        {"limit_sessions": 1},
        {"limit_subscribers": 1},
        {"ports": 1, "pooling": POOLINGS["arbitrary"]},
        {"ports": 1, "allocator": ALLOCATORS["blocks"], "port_set_size": 1, "port_set_timeout": 0.0},
    ],
    ids=["ports", "mappings", "sessions", "subscribers", "pool", "blocks"],
)
def test_the_end_of_any_shortage_lets_the_next_packet_go_on(settings: dict[str, Any]) -> None:
    """One policy decides whichever limit was hit, and each limit wakes the packets that wait for it."""
    bench = Bench(on_exhaustion=HOLDS, **settings)
    mapping = bench.open(ALICE, SERVER, UDP)
    held(bench.outbound(UDP, BOB))

    bench.roll_back(mapping)
    bench.sleep(REST)

    assert [source for _, source, goes_on in resumed(bench) if goes_on] == [BOB]


@pytest.mark.parametrize(
    "settings",
    [{"port_quota": 1}, {"port_quotas": {**dict.fromkeys(Protocol), UDP: 1}}],
    ids=["in all", "of the protocol"],
)
def test_a_subscriber_at_its_quota_goes_on_when_it_gives_a_port_back(settings: dict[str, Any]) -> None:
    """A port that another subscriber gives back does not help."""
    bench = Bench(on_exhaustion=HOLDS, **settings)
    mapping, others = bench.open(ALICE, SERVER, UDP), bench.open(BOB, SERVER, UDP)
    held(bench.outbound(UDP, of(ALICE, 1)))

    bench.roll_back(others)
    assert resumed(bench) == []
    bench.roll_back(mapping)
    assert [source for _, source, _ in resumed(bench)] == [of(ALICE, 1)]


def test_a_packet_that_waits_goes_on_as_soon_as_counts_have_ended_a_mapping() -> None:
    """It does not wait until the next timer runs out."""
    bench = Bench(on_exhaustion=HOLDS, limit_port_mappings=1)
    bench.open(ALICE, SERVER, UDP)
    bench.sleep(9.0)
    held(bench.outbound(UDP, BOB))

    bench.sleep(1.25)

    assert bench.releases() == [(10.0, "IDLE")]
    assert resumed(bench) == [(10.0, BOB, True)]


def test_packets_that_wait_for_a_rate_go_on_at_that_rate() -> None:
    """They go on in order, one for each token."""
    bench = Bench(on_exhaustion=HOLDS, new_mapping_rate_per_subscriber=2.0)
    for port in range(4):
        bench.outbound(UDP, of(ALICE, port))

    bench.sleep(2.0)

    assert resumed(bench) == [(0.5, of(ALICE, 2), True), (1.0, of(ALICE, 3), True)]


def test_a_session_that_waits_goes_on_when_another_ends() -> None:
    """No mapping has to end for it."""
    bench = Bench(on_exhaustion=HOLDS, limit_sessions=2)
    mapping = bench.open(ALICE, SERVER, UDP)
    second = bench.outbound(UDP, ALICE, MIRROR)
    assert isinstance(second, Translate)
    held(bench.outbound(UDP, BOB))

    bench.refuse(second.flow)

    assert bench.is_live(mapping)
    assert [source for _, source, goes_on in resumed(bench) if goes_on] == [BOB]


def test_packets_go_on_in_the_order_in_which_they_came() -> None:
    """One packet goes on for each port that is free again."""
    bench = Bench(ports=2, on_exhaustion=HOLDS)
    mappings = [bench.open(of(ALICE, port), SERVER, UDP) for port in range(2)]
    for newcomer in (CAROL, BOB, DAVE):
        held(bench.outbound(UDP, newcomer))

    for mapping in mappings:
        bench.roll_back(mapping)
        bench.sleep(REST)

    assert resumed(bench) == [(0.5, CAROL, True), (1.0, BOB, True)]


def test_packets_for_the_same_mapping_wait_together_and_in_order() -> None:
    """The first one makes the mapping, and the others are then treated as if they had only now come."""
    bench = Bench(ports=1, on_exhaustion=HOLDS)
    bench.open(ALICE, SERVER, UDP)
    first = held(bench.outbound(UDP, BOB, SERVER))

    again, elsewhere = held(bench.outbound(UDP, BOB, SERVER)), held(bench.outbound(UDP, BOB, MIRROR))

    assert again == elsewhere == Hold(first.ticket, is_new=True)
    assert first.ticket.held == [Packet(UDP, BOB, to) for to in (SERVER, SERVER, MIRROR)]
    bench.sleep(HOLD)
    assert bench.nat.counters[UDP].held_packets == bench.nat.counters[UDP].dropped_port_packets == 3


def test_packets_that_waited_together_leave_their_places_together() -> None:
    """Afterwards the queue has as much room as before."""
    bench = Bench(ports=1, on_exhaustion=HOLDS, hold_queue=2)
    bench.open(ALICE, SERVER, UDP)

    for _ in range(3):
        held(bench.outbound(UDP, BOB, SERVER))
        held(bench.outbound(UDP, BOB, MIRROR))
        bench.sleep(HOLD)


def test_packets_for_different_mappings_wait_apart() -> None:
    """Where mappings depend on the remote endpoint, so does the waiting."""
    bench = Bench(ports=1, on_exhaustion=HOLDS, mapping=ENDPOINT, filtering=ENDPOINT)
    bench.open(ALICE, SERVER, UDP)

    assert held(bench.outbound(UDP, BOB, SERVER)).ticket is not held(bench.outbound(UDP, BOB, MIRROR)).ticket


def test_a_held_syn_that_is_sent_again_is_not_held_twice() -> None:
    """The server would otherwise get two SYNs."""
    bench = Bench(ports=1, on_exhaustion=HOLDS, hold_queue=1)
    bench.open(ALICE)
    first = held(bench.outbound(TCP, BOB, SERVER, SYN))

    assert bench.outbound(TCP, BOB, SERVER, SYN) == Hold(first.ticket, is_new=False)
    assert len(first.ticket.held) == 1
    assert bench.nat.counters[TCP].held_packets == 1


@pytest.mark.parametrize("newcomer", [BOB, CAROL], ids=["of the same mapping", "of another"])
def test_a_packet_that_finds_the_queue_full_gets_the_fallback(newcomer: Endpoint) -> None:
    """The queue has a counter and an announcement of its own; once it has room, the next packet is held."""
    bench = Bench(ports=1, on_exhaustion=HOLDS, hold_queue=1, fallback=Answer.ICMP)
    bench.open(ALICE, SERVER, UDP)
    held(bench.outbound(UDP, BOB))

    for _ in range(2):
        assert bench.outbound(UDP, newcomer, MIRROR) == Refuse(Limit.HOLD_QUEUE, Answer.ICMP)
    assert bench.nat.counters[UDP].dropped_hold_packets == 2
    queue_full = LimitReached(Limit.HOLD_QUEUE, UDP, None)
    assert [event for _, event in bench.log if event == queue_full] == [queue_full]

    bench.sleep(HOLD)
    held(bench.outbound(UDP, newcomer))
    bench.outbound(UDP, DAVE)
    assert [event for _, event in bench.log if event == queue_full] == [queue_full] * 2


def test_a_packet_that_goes_on_may_find_the_next_limit() -> None:
    """The packet then waits for that limit, and its patience does not begin anew."""
    bench = Bench(ports=1, on_exhaustion=HOLDS, new_mapping_rate_per_subscriber=1.0)
    mapping = bench.open(ALICE, SERVER, UDP)
    ticket = held(bench.outbound(UDP, of(ALICE, 1))).ticket
    waits_for = [ticket.scope.limit]
    bench.sleep(1.0)
    waits_for.append(ticket.scope.limit)

    assert waits_for == [Limit.RATE, Limit.PORTS]
    assert LimitReached(Limit.PORTS, UDP, mapping.external.address) in [event for _, event in bench.log]
    bench.sleep(1.0)
    assert resumed(bench) == [(2.0, of(ALICE, 1), False)]


def test_a_packet_that_waits_for_its_rate_may_find_at_any_time_that_another_took_its_place() -> None:
    """The limit is announced then, and nothing else happens before the packet is due."""
    bench = Bench(on_exhaustion=HOLDS, limit_subscribers=1, new_mapping_rate_per_subscriber=0.5)
    bench.roll_back(bench.open(ALICE, SERVER, UDP))
    ticket = held(bench.outbound(UDP, ALICE)).ticket
    waits_for = [ticket.scope.limit]
    bench.open(BOB, SERVER, UDP)

    bench.sleep(0.5)

    waits_for.append(ticket.scope.limit)
    assert waits_for == [Limit.RATE, Limit.SUBSCRIBERS]
    assert resumed(bench) == []


def test_a_place_that_one_client_cannot_use_goes_to_the_next() -> None:
    """Alice's address is full: the mapping that ended makes room for carol, who came after her."""
    bench = Bench(ports=1, addresses=2, on_exhaustion=HOLDS, limit_port_mappings=2, limit_sessions=2)
    mappings = [bench.open(host, SERVER, UDP) for host in (ALICE, BOB)]
    held(bench.outbound(UDP, of(ALICE, 1)))
    held(bench.outbound(TCP, CAROL, SERVER, SYN))

    bench.roll_back(mappings[1])

    assert [source for _, source, goes_on in resumed(bench) if goes_on] == [CAROL]


def test_a_subscriber_that_is_let_in_goes_on_with_all_its_packets() -> None:
    """The limit was one of subscribers, and none of its packets makes another one."""
    bench = Bench(on_exhaustion=HOLDS, limit_subscribers=1)
    mapping = bench.open(ALICE, SERVER, UDP)
    for source in (BOB, CAROL, of(BOB, 1), of(BOB, 2)):
        held(bench.outbound(UDP, source))

    bench.roll_back(mapping)

    assert [source for _, source, _ in resumed(bench)] == [BOB, of(BOB, 1), of(BOB, 2)]


def test_a_session_from_outside_takes_along_a_packet_that_waits_for_the_same() -> None:
    """The held packet leaves by the session that the other side has opened, and makes no second mapping."""
    bench = Bench(on_exhaustion=HOLDS, mapping=ENDPOINT, port_quota=1)
    mapping = bench.open(ALICE, SERVER, UDP)
    held(bench.outbound(UDP, ALICE, MIRROR))

    bench.inbound(UDP, MIRROR, mapping.external)

    assert resumed(bench) == [(0.0, ALICE, True)]
    assert bench.mapping(UDP, ALICE, MIRROR) is mapping
    bench.sleep(HOLD)
    assert len(resumed(bench)) == 1


# Eviction


def aged(bench: Bench, protocol: Protocol = UDP, mappings: int = 4) -> list[Mapping]:
    """Let hosts 10.0.0.10, .11 and so on make a mapping each, a second apart."""
    made = []
    for number in range(mappings):
        made.append(bench.open(Endpoint(ALICE.address + 9 + number, 5), SERVER, protocol))
        bench.forward(made[-1], inbound=1)
        bench.sleep(1.0)
    return made


@transports
def test_the_oldest_mapping_goes_and_the_newcomer_gets_its_port_after_its_rest(protocol: Protocol) -> None:
    """One mapping is evicted; after the rest no packet of the victim can pass under the new owner."""
    bench = Bench(ports=3, on_exhaustion=EVICTS)
    oldest, *others = aged(bench, protocol, 3)

    assert held(bench.outbound(protocol, ALICE, SERVER, first_packet(protocol))).is_new
    assert evicted(bench) == [oldest.internal]
    assert bench.nat.pool.usage(protocol).resting == 1
    bench.sleep(REST - 0.001)
    assert resumed(bench) == []
    bench.sleep(0.001)

    new = bench.mapping(protocol, ALICE)
    assert new is not None
    assert new.external == oldest.external
    assert all(bench.is_live(other) for other in others)
    assert bench.nat.counters[protocol].evicted_mappings == 1
    assert bench.nat.counters[protocol].dropped_port_packets == 0


@transports
def test_each_newcomer_costs_one_mapping(protocol: Protocol) -> None:
    """Several newcomers at once evict one mapping each."""
    bench = Bench(ports=4, on_exhaustion=EVICTS)
    mappings = aged(bench, protocol, 4)

    for host in (ALICE, BOB, CAROL):
        bench.outbound(protocol, host, SERVER, first_packet(protocol))
    bench.sleep(REST)

    assert evicted(bench) == [mapping.internal for mapping in mappings[:3]]
    assert [source for _, source, goes_on in resumed(bench) if goes_on] == [ALICE, BOB, CAROL]


def test_no_mapping_is_evicted_for_a_port_that_is_on_its_way() -> None:
    """A port that already rests will do for one newcomer."""
    bench = Bench(ports=2, on_exhaustion=EVICTS)
    mapping, _ = bench.open(ALICE, SERVER, UDP), bench.open(BOB, SERVER, UDP)
    bench.roll_back(mapping)

    bench.outbound(UDP, CAROL)
    assert evicted(bench) == []
    bench.outbound(UDP, DAVE)
    assert evicted(bench) == [BOB]
    bench.sleep(REST)
    assert [source for _, source, _ in resumed(bench)] == [CAROL, DAVE]


def test_of_mappings_used_at_the_same_time_the_first_made_is_evicted() -> None:
    """Uses within a tenth of a second count as one time."""
    bench = Bench(ports=3, on_exhaustion=EVICTS)
    for host in (CAROL, BOB, DAVE):
        bench.open(host, SERVER, UDP)

    bench.outbound(UDP, ALICE)

    assert evicted(bench) == [CAROL]


@pytest.mark.parametrize(("outbound", "inbound"), [(1, 0), (0, 1)], ids=["outbound", "inbound"])
@transports
def test_what_the_rules_carry_counts_as_use(protocol: Protocol, outbound: int, inbound: int) -> None:
    """Packets of either direction count, by the counts that are read every second."""
    bench = Bench(ports=3, on_exhaustion=EVICTS)
    mappings = aged(bench, protocol, 3)

    bench.forward(mappings[0], outbound=outbound, inbound=inbound)
    bench.sleep(2.0)
    bench.outbound(protocol, ALICE, SERVER, first_packet(protocol))

    assert evicted(bench) == [mappings[1].internal]


def test_what_the_controller_forwards_counts_as_use() -> None:
    """A peer's packet refreshes nothing, and yet the mapping is in use."""
    bench = Bench(ports=3, on_exhaustion=EVICTS)
    mappings = aged(bench, UDP, 3)
    bench.inbound(UDP, SERVER, mappings[0].external)
    bench.open(mappings[1].internal, MIRROR, UDP)

    bench.outbound(UDP, ALICE)

    assert evicted(bench) == [mappings[2].internal]


@transports
def test_no_mapping_in_use_is_evicted_where_only_idle_ones_may_be(protocol: Protocol) -> None:
    """RFC 6888 REQ-11D in spirit: with every flow busy, the newcomer is refused; an idle one would go."""
    bench = Bench(ports=3, on_exhaustion=EVICTS, evict_only_idle_for=3.0, fallback=Answer.ICMP)
    mappings = aged(bench, protocol, 3)
    for _ in range(8):
        for mapping in mappings:
            bench.forward(mapping, outbound=1)
        bench.sleep(0.5)
    verdict = bench.outbound(protocol, ALICE, SERVER, first_packet(protocol))
    assert verdict == Refuse(Limit.PORTS, Answer.ICMP)

    for _ in range(12):
        for mapping in (mappings[0], mappings[2]):
            bench.forward(mapping, outbound=1)
        bench.sleep(0.5)
    held(bench.outbound(protocol, ALICE, SERVER, first_packet(protocol)))

    assert evicted(bench) == [mappings[1].internal]


@pytest.mark.parametrize("every", [0.25, 1.0, 2.75])
def test_a_mapping_that_is_used_often_enough_is_never_evicted(every: float) -> None:
    """Whenever the newcomer comes: counts are read once a second, and a use is never older than they show."""
    bench = Bench(ports=1, on_exhaustion=EVICTS, evict_only_idle_for=3.0)
    mapping = bench.open(BOB, SERVER, UDP)
    for number in range(80):
        bench.forward(mapping, outbound=(number * 0.25) % every == 0)
        assert isinstance(bench.outbound(UDP, ALICE), Refuse)
        bench.sleep(0.25)

    bench.sleep(5.5)

    assert isinstance(bench.outbound(UDP, ALICE), Hold)


def test_a_mapping_in_use_is_spared_behind_an_idle_one_that_does_not_help() -> None:
    """The end of one of two mappings frees no place for a subscriber."""
    bench = Bench(on_exhaustion=EVICTS, evict_only_idle_for=4.0, limit_subscribers=2)
    for port in (1, 2):
        bench.open(of(BOB, port), SERVER, UDP)
    bench.sleep(7.0)
    bench.open(CAROL, SERVER, UDP)

    assert isinstance(bench.outbound(UDP, ALICE), Refuse)


def test_idleness_decides_for_every_limit() -> None:
    """Where any mapping would do, the least recently used one decides as well."""
    bench = Bench(on_exhaustion=EVICTS, evict_only_idle_for=4.0, limit_port_mappings=2)
    mappings = aged(bench, UDP, 2)

    assert isinstance(bench.outbound(UDP, ALICE), Refuse)
    bench.sleep(5.0)
    bench.forward(mappings[0], outbound=1)
    bench.sleep(1.0)
    assert isinstance(bench.outbound(UDP, ALICE), Hold)
    assert evicted(bench) == [mappings[1].internal]


@pytest.mark.parametrize(
    ("settings", "victim"),
    [
        ({"limit_port_mappings": 4}, 0),
        ({"limit_sessions": 4}, 0),
        ({"limit_subscribers": 3}, 1),
        ({"ports": 3}, 1),
    ],
    ids=["mappings", "sessions", "subscribers", "ports"],
)
def test_the_oldest_mapping_whose_end_would_help_is_evicted(settings: dict[str, Any], victim: int) -> None:
    """It has to be a subscriber's only mapping, or one with a port of the same protocol."""
    bench = Bench(on_exhaustion=EVICTS, ports=settings.pop("ports", 8), **settings)
    owners = [(ALICE, TCP), (BOB, UDP), (ALICE, UDP), (CAROL, UDP)]
    for source, protocol in owners:
        mapping = bench.open(source, SERVER, protocol)
        bench.forward(mapping, inbound=1)
        bench.sleep(0.5)

    bench.outbound(UDP, DAVE)
    bench.sleep(REST)

    assert evicted(bench) == [owners[victim][0]]
    assert bench.mapping(UDP, DAVE) is not None


@pytest.mark.parametrize(
    ("settings", "victim"),
    [({"port_quota": 2}, TCP), ({"port_quotas": {**dict.fromkeys(Protocol), UDP: 1}}, UDP)],
    ids=["in all", "of the protocol"],
)
def test_a_subscriber_at_its_quota_loses_a_mapping_of_its_own(settings: dict[str, Any], victim: Protocol) -> None:
    """No other subscriber's mapping is evicted, however old; a protocol's quota costs one of that protocol."""
    bench = Bench(on_exhaustion=EVICTS, **settings)
    bench.open(BOB, SERVER, UDP)
    bench.sleep(0.5)
    mappings = {TCP: bench.open(ALICE, SERVER, TCP)}
    bench.sleep(0.5)
    mappings[UDP] = bench.open(ALICE, SERVER, UDP)
    bench.sleep(0.5)

    bench.outbound(UDP, of(ALICE, 1))

    assert [protocol for protocol, mapping in mappings.items() if not bench.is_live(mapping)] == [victim]
    assert resumed(bench) == [(1.5, of(ALICE, 1), True)]


def test_a_session_too_many_does_not_cost_its_own_mapping() -> None:
    """A session without its mapping would have no use for the place."""
    bench = Bench(on_exhaustion=EVICTS, limit_sessions=2)
    own = bench.open(ALICE, SERVER, UDP)
    bench.sleep(0.5)
    bench.open(BOB, SERVER, UDP)

    bench.outbound(UDP, ALICE, MIRROR)

    assert evicted(bench) == [BOB]
    assert bench.open(ALICE, MIRROR, UDP) is own


def test_another_mapping_of_the_same_endpoint_may_be_evicted() -> None:
    """Where mappings depend on the remote endpoint, it is a victim like any other."""
    bench = Bench(on_exhaustion=EVICTS, mapping=ENDPOINT, filtering=ENDPOINT, limit_port_mappings=1)
    bench.open(ALICE, SERVER, UDP)

    bench.outbound(UDP, ALICE, MIRROR)

    assert evicted(bench) == [ALICE]
    assert resumed(bench) == [(0.0, ALICE, True)]


def test_in_a_full_block_the_subscriber_s_own_mapping_is_evicted() -> None:
    """A port in another subscriber's block would be of no use."""
    bench = Bench(on_exhaustion=EVICTS, ports=2, allocator=ALLOCATORS["blocks"], port_set_size=1)
    bench.open(BOB, SERVER, UDP)
    bench.sleep(0.5)
    bench.open(ALICE, SERVER, UDP)

    bench.outbound(UDP, of(ALICE, 1))
    bench.sleep(REST)

    assert evicted(bench) == [ALICE]
    assert resumed(bench) == [(1.0, of(ALICE, 1), True)]


@pytest.mark.parametrize(
    ("settings", "newcomer", "limit"),
    [
        ({"new_mapping_rate_per_subscriber": 0.5}, of(ALICE, 1), Limit.RATE),
        ({"limit_sessions": 1}, ALICE, Limit.SESSIONS),
        ({"ports": 1, "allocator": ALLOCATORS["blocks"]}, BOB, Limit.PORTS),
    ],
    ids=["rate", "only its own", "no port in a block of its own"],
)
def test_where_no_eviction_would_help_the_packet_gets_the_fallback(
    settings: dict[str, Any], newcomer: Endpoint, limit: Limit
) -> None:
    """No mapping is evicted in vain."""
    bench = Bench(on_exhaustion=EVICTS, fallback=Answer.ICMP, **settings)
    bench.open(ALICE, SERVER, UDP)

    assert bench.outbound(UDP, newcomer, MIRROR) == Refuse(limit, Answer.ICMP)
    assert evicted(bench) == []


def test_with_no_room_to_wait_no_mapping_is_evicted() -> None:
    """The packet could not be held until the port has rested."""
    bench = Bench(on_exhaustion=EVICTS, ports=1, hold_queue=0)
    bench.open(ALICE, SERVER, UDP)

    assert bench.outbound(UDP, BOB) == Refuse(Limit.HOLD_QUEUE, Answer.NOTHING)
    assert evicted(bench) == []


def test_the_newcomer_does_not_lose_patience_while_its_port_rests() -> None:
    """However short `hold_timeout` is, a mapping has already been evicted for it."""
    bench = Bench(on_exhaustion=EVICTS, ports=1, hold_timeout=0.125)
    bench.open(ALICE, SERVER, UDP)

    bench.outbound(UDP, BOB)
    bench.sleep(REST)

    assert resumed(bench) == [(REST, BOB, True)]


def test_a_newcomer_stays_with_the_address_at_which_a_mapping_was_evicted_for_it() -> None:
    """Paired pooling: a newcomer has no address yet, and must not take another turn when it goes on."""
    bench = Bench(on_exhaustion=EVICTS, ports=1, addresses=2)
    victim = bench.open(ALICE, SERVER, UDP)
    bench.sleep(0.5)
    bench.open(BOB, SERVER, UDP)

    bench.outbound(UDP, CAROL)
    bench.sleep(REST)

    assert evicted(bench) == [ALICE]
    assert bench.open(CAROL, SERVER, UDP).external == victim.external


def test_two_limits_at_once_cost_one_mapping() -> None:
    """The place of the victim is free at once, and the newcomer waits for its port to rest."""
    bench = Bench(on_exhaustion=EVICTS, ports=2, limit_port_mappings=2)
    mappings = aged(bench, UDP, 2)

    bench.outbound(UDP, ALICE)
    bench.sleep(REST)

    assert evicted(bench) == [mappings[0].internal]
    assert resumed(bench) == [(2.5, ALICE, True)]


# A switch without room


@pytest.mark.parametrize(
    ("policy", "answer"), [("drop", Answer.NOTHING), ("icmp", Answer.ICMP), ("reset", Answer.RESET)]
)
def test_a_packet_that_finds_the_switch_full_is_answered(policy: str, answer: Answer) -> None:
    """The policy for a full switch is that for any other limit."""
    bench = Bench(on_exhaustion=POLICIES[policy])
    (flow,) = bench.open().flows

    verdict = bench.refuse(flow, Packet(TCP, ALICE, SERVER, SYN))

    assert verdict == Refuse(Limit.FLOW_TABLE, answer)
    assert bench.nat.counters[TCP].dropped_flow_table_packets == 1
    assert bench.releases() == [(0.0, "ROLLED_BACK")]
    assert [event for _, event in bench.log if isinstance(event, LimitReached)] == [
        LimitReached(Limit.FLOW_TABLE, TCP, None)
    ]


def test_a_full_switch_is_announced_again_once_rules_have_ended() -> None:
    """Rules that the switch refused do not count as ended ones."""
    bench = Bench()
    other = bench.open(BOB, SERVER, UDP)
    packet = Packet(TCP, ALICE, SERVER, SYN)
    for _ in range(2):
        bench.refuse(bench.open().flows[0], packet)
    full = LimitReached(Limit.FLOW_TABLE, TCP, None)
    assert [event for _, event in bench.log if isinstance(event, LimitReached)] == [full]

    bench.sleep(12.0)
    assert not bench.is_live(other)
    bench.refuse(bench.open().flows[0], packet)

    assert [event for _, event in bench.log if isinstance(event, LimitReached)] == [full, full]


def test_a_flow_that_was_undone_is_not_undone_again() -> None:
    """The switch may refuse each rule of one flow."""
    bench = Bench(on_exhaustion=POLICIES["icmp"])
    (flow,) = bench.open().flows
    packet = Packet(TCP, ALICE, SERVER, SYN)
    bench.refuse(flow, packet)
    new = bench.open()

    assert bench.refuse(flow, packet) is None
    assert bench.is_live(new)
    assert bench.nat.counters[TCP].dropped_flow_table_packets == 1


def test_a_packet_that_waits_for_the_switch_goes_on_when_rules_end() -> None:
    """Rules that the switch refused leave no room behind; rules that it had do."""
    bench = Bench(on_exhaustion=HOLDS)
    other = bench.open(BOB, SERVER, TCP)
    (flow,) = bench.open(ALICE, SERVER, UDP).flows
    held(bench.refuse(flow, Packet(UDP, ALICE, SERVER)))
    assert resumed(bench) == []

    bench.sleep(4.0 - 2.5)
    assert not resumed(bench)
    (refused,) = bench.open(CAROL, SERVER, UDP).flows
    bench.refuse(refused)
    assert not resumed(bench)
    bench.nat.end(other, ReleaseReason.EVICTED, bench.now)
    bench.sleep(0.25)
    assert [source for _, source, goes_on in resumed(bench)] == [ALICE]


def test_a_mapping_that_the_switch_refused_lets_go_on_packets_that_wait_for_its_place() -> None:
    """A mapping that was undone does not count toward `limit_port_mappings`."""
    bench = Bench(on_exhaustion=HOLDS, limit_port_mappings=1)
    (flow,) = bench.open(ALICE, SERVER, UDP).flows
    held(bench.outbound(UDP, BOB))

    held(bench.refuse(flow, Packet(UDP, ALICE, SERVER)))

    assert [source for _, source, goes_on in resumed(bench) if goes_on] == [BOB]


def test_a_packet_waits_together_with_one_of_the_same_mapping_that_waits_already() -> None:
    """One session was refused by the switch, the other waits for a limit; both are of one mapping."""
    bench = Bench(on_exhaustion=HOLDS, limit_sessions=1)
    (flow,) = bench.open(ALICE, SERVER, UDP).flows
    held(bench.outbound(UDP, BOB))
    ticket = held(bench.outbound(UDP, ALICE, MIRROR)).ticket

    assert bench.refuse(flow, Packet(UDP, ALICE, SERVER)) == Hold(ticket, is_new=True)
    assert ticket.held == [Packet(UDP, ALICE, MIRROR), Packet(UDP, ALICE, SERVER)]
    bench.sleep(HOLD)
    assert resumed(bench) == [(0.0, BOB, True), (HOLD, ALICE, False)]
    assert bench.nat.counters[UDP].dropped_state_limit_packets == 2


def test_a_switch_with_less_room_evicts_for_the_newcomer() -> None:
    """The victim has rules: it is not a query mapping, and not the newcomer's own."""
    bench = Bench(on_exhaustion=EVICTS)
    bench.open(CAROL, SERVER, ICMP)
    bench.sleep(0.5)
    bench.open(BOB, SERVER, UDP)
    bench.sleep(0.5)
    (flow,) = bench.open(ALICE, SERVER, UDP).flows

    held(bench.refuse(flow, Packet(UDP, ALICE, SERVER)))

    assert evicted(bench) == [BOB]
    assert [source for _, source, goes_on in resumed(bench) if goes_on] == [ALICE]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_switch_that_always_refuses_comes_to_an_end(policy: str) -> None:
    """Under every policy each refusal is answered or waits, and nothing goes round for ever."""
    bench = Bench(on_exhaustion=POLICIES[policy], ports=8)
    for host in (BOB, CAROL, DAVE):
        bench.open(host, SERVER, UDP)
    refusals = 0

    bench.outbound(UDP, ALICE)
    while (mapping := bench.mapping(UDP, ALICE)) is not None and refusals < 100:
        refusals += 1
        bench.refuse(mapping.flows[0], Packet(UDP, ALICE, SERVER))
        bench.sleep(0.25)
    bench.sleep(30.0)

    assert refusals <= 4
    assert len(bench.nat) == 0
    assert bench.nat.next_deadline is None


def test_an_evicted_port_is_not_held_down() -> None:
    """The newcomer would lose patience during a hold-down, and the eviction would have been in vain."""
    bench = Bench(ports=1, hold_down=60.0, on_exhaustion=POLICIES["evict-lru"])
    bench.open(ALICE, SERVER, UDP)

    assert isinstance(bench.outbound(UDP, BOB), Hold)
    bench.sleep(REST)

    assert bench.mapping(UDP, BOB) is not None
    assert bench.nat.counters[UDP].evicted_mappings == 1


def test_no_packet_waits_for_a_port_that_is_held_down_where_an_eviction_would_do() -> None:
    """A port that comes back by itself counts only if it comes soon."""
    bench = Bench(ports=2, hold_down=60.0, on_exhaustion=POLICIES["evict-lru"])
    bench.roll_back(bench.open(ALICE, SERVER, UDP))
    bench.open(CAROL, SERVER, UDP)

    assert isinstance(bench.outbound(UDP, BOB), Hold)
    bench.sleep(REST)

    assert bench.mapping(UDP, BOB) is not None


def test_a_switch_that_refuses_whatever_room_is_made_costs_one_mapping() -> None:
    """It may refuse for another reason than being full, and then an eviction was one too many already."""
    bench = Bench(ports=8, on_exhaustion=POLICIES["evict-lru"])
    for port in range(4):
        bench.open(Endpoint(ALICE.address, port), SERVER, UDP)
    packet = Packet(UDP, BOB, SERVER)
    first = bench.nat.outbound(packet, bench.now)
    assert isinstance(first, Translate)

    assert isinstance(bench.nat.roll_back(first.flow, packet, bench.now), Hold)
    (again,) = [event.verdict for event in bench.nat.events if isinstance(event, Resumed)]
    assert isinstance(again, Translate)

    assert bench.nat.roll_back(again.flow, packet, bench.now) == Refuse(Limit.FLOW_TABLE, Answer.NOTHING)
    assert bench.nat.counters[UDP].evicted_mappings == 1
    assert len(bench.nat) == 3


def test_a_new_subscriber_that_waits_at_one_address_is_not_overtaken_at_another() -> None:
    """Packets of one client keep their order before its first mapping gives it an address."""
    bench = Bench(ports=1, addresses=2, on_exhaustion=POLICIES["hold"])
    first, _ = bench.open(ALICE, SERVER, UDP), bench.open(CAROL, SERVER, UDP)
    assert isinstance(bench.outbound(UDP, BOB), Hold)
    bench.roll_back(first)
    bench.sleep(REST)

    later = Endpoint(BOB.address, 7)

    assert bench.mapping(UDP, BOB) is not None
    assert isinstance(bench.outbound(UDP, later), Hold)


def test_what_a_waiting_subscriber_sends_next_waits_at_the_same_address() -> None:
    """It waits there although the other address has a port by then."""
    bench = Bench(ports=1, addresses=2, on_exhaustion=POLICIES["hold"])
    _, second = bench.open(ALICE, SERVER, UDP), bench.open(CAROL, SERVER, UDP)
    assert isinstance(bench.outbound(UDP, BOB), Hold)  # at the first address
    bench.roll_back(second)
    bench.sleep(REST)

    assert isinstance(bench.outbound(UDP, Endpoint(BOB.address, 7)), Hold)


@pytest.mark.parametrize("limits", [{"ports": 2}, {"limit_port_mappings": 2}], ids=["ports", "mappings"])
def test_the_mapping_that_a_packet_is_on_its_way_to_is_not_evicted_for_it(limits: dict[str, int]) -> None:
    """Hairpinning: bob's is the least recently used, and alice sends to bob. Carol's ends."""
    bench = Bench(on_exhaustion=EVICTS, **limits)
    of_bob = bench.open(BOB, SERVER, UDP)
    bench.sleep(0.3)
    of_carol = bench.open(CAROL, SERVER, UDP)
    bench.sleep(0.3)

    bench.outbound(UDP, ALICE, of_bob.external)

    assert bench.is_live(of_bob)
    assert not bench.is_live(of_carol)
