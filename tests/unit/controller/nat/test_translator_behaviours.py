"""Mapping, filtering and port overlapping (RFC 4787 sections 4 and 5, RFC 7857 section 3), each by itself."""

from __future__ import annotations

import itertools

import pytest

from controller.nat.model import Answer, Dependence, Endpoint, Limit, Protocol
from controller.nat.verdicts import Drop, DropReason, Refuse, Translate
from tests.support.core import ACK, ALICE, BOB, CAROL, ICMP, SERVER, TCP, UDP, Bench, first_packet

NONE, ADDRESS, ENDPOINT = Dependence
OTHER_PORT = Endpoint.parse("198.51.100.1:8")
OTHER_HOST = Endpoint.parse("203.0.113.1:7")
REMOTES = {SERVER: "the same endpoint", OTHER_PORT: "another port", OTHER_HOST: "another address"}
PAIRS = list(itertools.product(Dependence, Dependence))

each_pair = pytest.mark.parametrize(
    ("mapping", "filtering"), PAIRS, ids=[f"{m.name} mapping, {f.name} filtering" for m, f in PAIRS]
)
each_transport = pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])


@each_transport
@each_pair
def test_mappings_depend_on_what_the_setting_names(
    protocol: Protocol, mapping: Dependence, filtering: Dependence
) -> None:
    """RFC 4787 REQ-1 names the three behaviours; filtering does not change them."""
    bench = Bench(mapping=mapping, filtering=filtering)

    external = {remote: bench.open(ALICE, remote, protocol).external for remote in REMOTES}

    assert (external[SERVER] == external[OTHER_PORT]) == (mapping is not ENDPOINT)
    assert (external[SERVER] == external[OTHER_HOST]) == (mapping is NONE)
    assert len(bench.nat) == len(set(external.values()))


@each_transport
@each_pair
def test_filters_depend_on_what_the_setting_names(
    protocol: Protocol, mapping: Dependence, filtering: Dependence
) -> None:
    """RFC 4787 REQ-8: after one packet to the server, who may answer?"""
    bench = Bench(mapping=mapping, filtering=filtering)
    external = bench.open(ALICE, SERVER, protocol).external
    flags = first_packet(protocol)

    passes = {
        remote: isinstance(bench.inbound(protocol, remote, external, flags), Translate) for remote in REMOTES
    }

    assert passes == {SERVER: True, OTHER_PORT: filtering is not ENDPOINT, OTHER_HOST: filtering is NONE}
    assert bench.nat.counters[protocol].dropped_filtered_packets == list(passes.values()).count(False)


@each_pair
def test_a_session_limit_changes_neither_mapping_nor_filtering(mapping: Dependence, filtering: Dependence) -> None:
    """The rules are then one pair for each session, and the behaviour stays (RFC 4787 REQ-11)."""
    bench = Bench(mapping=mapping, filtering=filtering, limit_sessions=100)
    first = bench.open(ALICE, SERVER, UDP)

    passes = [isinstance(bench.inbound(UDP, remote, first.external), Translate) for remote in REMOTES]

    assert passes == [True, filtering is not ENDPOINT, filtering is NONE]
    assert bench.nat.total_sessions == passes.count(True)


def test_a_filter_by_address_closes_with_the_last_session_to_that_address() -> None:
    """RFC 4787 section 5: who was not contacted lately is filtered."""
    bench = Bench(filtering=ADDRESS, limit_sessions=100)
    mapping = bench.open(ALICE, SERVER, UDP)
    bench.open(ALICE, OTHER_HOST, UDP)
    bench.forward(mapping, outbound=1, remote=OTHER_HOST)
    for _ in range(3):
        bench.sleep(5.0)
        bench.forward(mapping, outbound=1, remote=OTHER_HOST)

    assert bench.is_live(mapping)
    assert bench.inbound(UDP, OTHER_PORT, mapping.external) == Drop(DropReason.FILTERED)
    assert isinstance(bench.inbound(UDP, OTHER_HOST, mapping.external), Translate)


@each_transport
@pytest.mark.parametrize("mapping", [ADDRESS, ENDPOINT], ids=lambda dependence: dependence.name)
def test_what_a_stranger_opened_is_answered_from_the_endpoint_that_it_reached(
    protocol: Protocol, mapping: Dependence
) -> None:
    """RFC 4787 REQ-8: the stranger would not know another endpoint; no second mapping is made for it."""
    bench = Bench(mapping=mapping, filtering=NONE)
    reached = bench.open(ALICE, SERVER, protocol)
    flags = first_packet(protocol)
    bench.inbound(protocol, OTHER_HOST, reached.external, flags)

    assert bench.open(ALICE, OTHER_HOST, protocol) is reached
    assert len(bench.nat) == 1


def test_a_stranger_does_not_move_the_flow_that_was_there_first() -> None:
    """Where two mappings could carry what alice sends to a stranger, the older flow does."""
    bench = Bench(mapping=ENDPOINT, filtering=NONE)
    to_server, to_other = bench.open(ALICE, SERVER, UDP), bench.open(ALICE, OTHER_HOST, UDP)

    verdict = bench.inbound(UDP, OTHER_HOST, to_server.external)

    assert isinstance(verdict, Translate)
    assert verdict.flow.is_inbound_only
    assert bench.open(ALICE, OTHER_HOST, UDP) is to_other
    bench.roll_back(to_server)
    assert bench.open(ALICE, OTHER_HOST, UDP) is to_other


@pytest.mark.parametrize("refresh_inbound", [False, True], ids=["outbound refresh", "inbound refresh as well"])
def test_strangers_keep_no_mapping(*, refresh_inbound: bool) -> None:
    """RFC 7857 section 7: each of many strangers has a session of its own, and none of them counts."""
    bench = Bench(mapping=ENDPOINT, filtering=NONE, refresh_inbound=refresh_inbound)
    mapping = bench.open(ALICE, SERVER, UDP)

    for port in range(1000, 1012):
        bench.inbound(UDP, Endpoint(OTHER_HOST.address, port), mapping.external)
        bench.sleep(1.0)

    assert not bench.is_live(mapping)


def test_inbound_packets_by_the_rules_refresh_under_refresh_inbound() -> None:
    """RFC 4787 REQ-6A: a NAT may refresh a mapping by inbound packets."""
    bench = Bench(refresh_inbound=True)
    mapping = bench.open(ALICE, SERVER, UDP)

    for _ in range(10):
        bench.forward(mapping, inbound=1)
        bench.sleep(5.0)

    assert bench.is_live(mapping)


def test_replies_to_queries_refresh_where_inbound_packets_do() -> None:
    """No rule counts ICMP: each packet passes the controller."""
    bench = Bench(refresh_inbound=True)
    server = Endpoint(SERVER.address, 0)
    mapping = bench.open(ALICE, server, ICMP)

    for _ in range(10):
        bench.sleep(3.0)
        bench.inbound(ICMP, server, mapping.external)

    assert bench.is_live(mapping)


def test_a_segment_without_syn_opens_nothing_from_outside() -> None:
    """Without a session, only a SYN makes one; endpoint-independent filtering does not change that."""
    bench = Bench(mapping=ENDPOINT, filtering=NONE)
    mapping = bench.open(ALICE, SERVER)

    assert bench.inbound(TCP, OTHER_HOST, mapping.external, ACK) == Drop(DropReason.NOT_A_SYN)
    assert bench.nat.counters[TCP].dropped_unmapped_packets == 1


# Port overlapping


def fill(bench: Bench, remotes: list[Endpoint]) -> int:
    """Let alice and bob open what they can, and return how much that was."""
    sources = [Endpoint(host.address, port) for host in (ALICE, BOB) for port in range(20)]
    verdicts = [bench.outbound(UDP, source, remote) for source in sources for remote in remotes]
    return sum(isinstance(verdict, Translate) for verdict in verdicts)


@pytest.mark.parametrize(
    ("overlapping", "connections"),
    [(NONE, 4), (ADDRESS, 8), (ENDPOINT, 12)],
    ids=["off", "by address", "by endpoint"],
)
def test_p_ports_carry_p_connections_to_each_of_d_destinations(overlapping: Dependence, connections: int) -> None:
    """RFC 7857 section 3: 4 ports, 2 addresses, 3 endpoints."""
    bench = Bench(mapping=ENDPOINT, filtering=ENDPOINT, overlapping=overlapping, ports=4)

    assert fill(bench, list(REMOTES)) == connections
    assert bench.nat.pool.usage(UDP).allocated == connections
    assert bench.nat.pool.usage(UDP).free == 0


def test_overlapping_ports_lead_to_the_host_that_talks_to_that_remote_endpoint() -> None:
    """The whole tuple decides which mapping a packet belongs to."""
    bench = Bench(mapping=ENDPOINT, filtering=ENDPOINT, overlapping=ENDPOINT, ports=1)
    to_server, to_other = bench.open(ALICE, SERVER, UDP), bench.open(BOB, OTHER_PORT, UDP)
    assert to_server.external == to_other.external

    assert bench.inbound(UDP, SERVER, to_server.external) == Translate(to_server.flows[0], created=False)
    assert bench.inbound(UDP, OTHER_PORT, to_server.external) == Translate(to_other.flows[0], created=False)
    assert bench.inbound(UDP, OTHER_HOST, to_server.external) == Drop(DropReason.NO_MAPPING)


def test_a_full_destination_does_not_touch_the_others() -> None:
    """The refusal is for that destination; its port rests toward it alone."""
    bench = Bench(mapping=ENDPOINT, filtering=ENDPOINT, overlapping=ADDRESS, ports=1)
    mapping = bench.open(ALICE, SERVER, UDP)

    assert bench.outbound(UDP, BOB, OTHER_PORT) == Refuse(Limit.PORTS, Answer.NOTHING)
    bench.roll_back(mapping)
    assert bench.outbound(UDP, BOB, SERVER) == Refuse(Limit.PORTS, Answer.NOTHING)
    assert isinstance(bench.outbound(UDP, CAROL, OTHER_HOST), Translate)


def test_destinations_that_are_no_longer_used_are_forgotten() -> None:
    """The table of free ports has the ports of each destination in use, and no others."""
    bench = Bench(mapping=ENDPOINT, filtering=ENDPOINT, overlapping=ENDPOINT, ports=4)
    mappings = [bench.open(ALICE, remote, UDP) for remote in REMOTES]
    assert bench.nat.pool.usage(UDP).free == 9

    for mapping in mappings:
        bench.roll_back(mapping)
    bench.sleep(0.5)

    assert bench.nat.pool.usage(UDP).free == 4


# Hold-down


@pytest.mark.parametrize(
    ("protocol", "filtering", "wait"),
    [(TCP, NONE, 0.5), (UDP, NONE, 3.0), (UDP, ADDRESS, 0.5), (UDP, ENDPOINT, 0.5)],
    ids=["tcp is followed", "udp", "filtered by address", "filtered by endpoint"],
)
def test_hold_down_has_its_exceptions(protocol: Protocol, filtering: Dependence, wait: float) -> None:
    """RFC 6888 REQ-8 (a) and (c): the ports of these mappings rest, and are not held down."""
    bench = Bench(ports=1, filtering=filtering, hold_down=3.0)
    bench.roll_back(bench.open(ALICE, SERVER, protocol))
    flags = first_packet(protocol)

    bench.sleep(wait - 0.25)
    assert isinstance(bench.outbound(protocol, BOB, SERVER, flags), Refuse)
    bench.sleep(0.25)
    assert isinstance(bench.outbound(protocol, BOB, SERVER, flags), Translate)


def test_of_too_many_ports_held_down_the_oldest_leaves_early() -> None:
    """`hold_down_max`: one is held down at most, and the first that came goes."""
    bench = Bench(ports=2, hold_down=100.0, hold_down_max=1)
    first, second = bench.open(ALICE, SERVER, UDP), bench.open(BOB, SERVER, UDP)
    bench.roll_back(first)
    bench.sleep(0.25)
    bench.roll_back(second)

    bench.sleep(0.25)
    assert bench.nat.pool.usage(UDP).held_down == 1
    assert isinstance(bench.outbound(UDP, CAROL), Refuse)
    bench.sleep(0.25)
    assert bench.open(CAROL, SERVER, UDP).external == first.external
    assert bench.nat.pool.usage(UDP).held_down == 1
