"""What a stranger sends is no answer, no use and no data (RFC 7857 sections 7 and 7.1, RFC 5382 REQ-5).

A stranger is an outside endpoint that no inside host has sent to. Endpoint-independent filtering lets its SYN in.

Timers here: 4 s for the answer to a SYN, 16 s idle, 2 s after both FINs, 1 s after a RST, 8 s for UDP.
"""

from __future__ import annotations

import pytest

from controller.nat.model import Dependence, Endpoint, Mapping, Packet, Protocol, Side, TcpFlags
from controller.nat.strategies.exhaustion.evict_lru import EvictLruPolicy
from controller.nat.tcp import TcpState
from controller.nat.verdicts import Drop, DropReason, Translate
from tests.support.core import (
    ACK,
    ALICE,
    BOB,
    FIN,
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
SYN_ACK = SYN | ACK
PING = Endpoint(SERVER.address, 0)


def established(bench: Bench) -> Mapping:
    """Let alice open a connection that is answered, and let the NAT notice; return its mapping."""
    mapping = bench.open()
    bench.forward(mapping, inbound=1)
    bench.sleep(4.0)
    return mapping


@pytest.mark.parametrize(
    "flags",
    [ACK, SYN_ACK, TcpFlags.NONE, FIN | ACK, RST, RST | ACK, SYN | FIN, SYN | RST],
    ids=["bare ACK", "SYN/ACK", "data", "FIN", "RST", "RST/ACK", "SYN and FIN", "SYN and RST"],
)
@pytest.mark.parametrize("filtering", Dependence, ids=lambda filtering: filtering.name)
def test_a_strangers_segment_that_opens_nothing_is_dropped_and_counted(
    filtering: Dependence, flags: TcpFlags
) -> None:
    """A segment that belongs to no connection is nobody's, whatever the filtering behaviour."""
    bench = Bench(filtering=filtering)
    mapping = bench.open()

    assert isinstance(bench.inbound(TCP, MIRROR, mapping.external, flags), Drop)
    counters = bench.nat.counters[TCP]
    assert counters.dropped_unmapped_packets + counters.dropped_filtered_packets == 1
    assert list(connections(mapping)) == [SERVER]


def test_a_strangers_segments_keep_no_idle_mapping() -> None:
    """One bare ACK each 0.7 s, for longer than the idle timer and the one after it."""
    bench = Bench()
    mapping = established(bench)

    for _ in range(30):
        bench.inbound(TCP, MIRROR, mapping.external, ACK)
        bench.sleep(0.7)

    assert bench.releases() == [(21.0, "CLOSED")]


def test_a_strangers_segments_do_not_revive_a_mapping_after_its_own_rst() -> None:
    """RFC 7857 section 2.2: only data of the connection's own ends brings it back."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, INSIDE, RST)

    for _ in range(5):
        bench.inbound(TCP, MIRROR, mapping.external, ACK)
        bench.sleep(0.25)

    assert bench.releases() == [(5.0, "CLOSED")]


@pytest.mark.parametrize("flags", [ACK, SYN_ACK, SYN], ids=["ACK", "SYN/ACK", "SYN"])
def test_a_strangers_segment_is_no_answer_to_a_syn(flags: TcpFlags) -> None:
    """The time for the answer stays 4 s, and does not become the idle timer."""
    bench = Bench()
    mapping = bench.open()
    bench.sleep(1.0)
    bench.inbound(TCP, MIRROR, mapping.external, flags)

    bench.sleep(30.0)

    assert bench.releases() == [(4.0, "IDLE")]


# Connections that the outside opens


def test_strangers_who_open_connections_that_nobody_answers_keep_no_mapping() -> None:
    """Each SYN makes a session, which ends with the mapping's own last one."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, INSIDE, FIN)
    bench.copy(mapping, OUTSIDE, FIN)
    bench.sleep(1.5)
    for port in range(5):
        bench.inbound(TCP, Endpoint(MIRROR.address, port), mapping.external, SYN)

    bench.sleep(0.5)

    assert bench.releases() == [(6.0, "CLOSED")]
    assert bench.nat.limits.sessions == 0
    assert list(bench.nat.flows()) == []


def test_a_stranger_whom_the_inside_answers_keeps_the_mapping() -> None:
    """RFC 5382 REQ-5: it is an established connection, of which the inside's SYN/ACK is the sign."""
    bench = Bench()
    mapping = established(bench)
    bench.inbound(TCP, MIRROR, mapping.external, SYN)
    bench.copy(mapping, INSIDE, SYN_ACK, MIRROR)
    bench.copy(mapping, INSIDE, RST)

    bench.sleep(14.0)

    assert list(connections(mapping)) == [MIRROR]
    assert connections(mapping)[MIRROR].state is TcpState.ESTABLISHED
    assert connections(mapping)[MIRROR].client is OUTSIDE


def test_an_answer_whose_copy_was_lost_is_noticed_by_the_counts() -> None:
    """A flood may cost the controller a copy; the connection must not end for that."""
    bench = Bench()
    mapping = established(bench)
    bench.inbound(TCP, MIRROR, mapping.external, SYN)
    bench.forward(mapping, outbound=1, remote=MIRROR)
    bench.sleep(4.0)
    bench.copy(mapping, INSIDE, RST)

    bench.sleep(5.0)

    assert list(connections(mapping)) == [MIRROR]


def test_a_connection_that_the_counts_show_answered_is_idle_only_from_then_on() -> None:
    """RFC 5382 REQ-5: the time before, in which the mapping may have been idle for long, does not count."""
    bench = Bench()
    mapping = established(bench)
    bench.sleep(12.0)
    bench.inbound(TCP, MIRROR, mapping.external, SYN)
    bench.forward(mapping, outbound=1, remote=MIRROR)

    bench.sleep(4.0 + 15.9)

    assert connections(mapping)[MIRROR].state is TcpState.ESTABLISHED


def test_a_connection_that_nobody_answers_ends_in_time_whatever_the_outside_sends() -> None:
    """The time runs from the first SYN, and no other segment of its sender starts it again."""
    bench = Bench()
    mapping = established(bench)
    bench.inbound(TCP, MIRROR, mapping.external, SYN)
    for flags in (SYN, ACK, FIN, SYN):
        bench.sleep(0.9)
        bench.forward(mapping, outbound=1)
        if flags == SYN:
            bench.inbound(TCP, MIRROR, mapping.external, flags)
        else:
            bench.copy(mapping, OUTSIDE, flags, MIRROR)

    bench.sleep(0.4)

    assert list(connections(mapping)) == [SERVER]


def test_a_reset_from_inside_gives_a_stranger_no_time() -> None:
    """RFC 7857 section 7.1: the 1 s after a RST has passed since the SYN, when the counts are looked at next."""
    bench = Bench()
    mapping = established(bench)
    bench.inbound(TCP, MIRROR, mapping.external, SYN)
    bench.sleep(3.0)
    bench.copy(mapping, INSIDE, RST | ACK, MIRROR)

    bench.sleep(0.25)

    assert list(connections(mapping)) == [SERVER]


def test_resets_that_answer_a_stranger_keep_no_mapping() -> None:
    """RFC 7857 section 7.1: alice has gone, and her kernel resets what still comes."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, INSIDE, RST)
    for _ in range(20):
        if not bench.is_live(mapping):
            break
        bench.inbound(TCP, MIRROR, mapping.external, SYN)
        bench.copy(mapping, INSIDE, RST | ACK, MIRROR)
        bench.sleep(0.2)

    assert bench.releases() == [(5.0, "CLOSED")]


def test_the_peer_of_a_closed_connection_cannot_keep_its_port_by_opening_it_again() -> None:
    """It may open it again (RFC 9293 section 3.6.1), but only the inside's answer gives it time."""
    bench = Bench()
    mapping = established(bench)
    for side in (INSIDE, OUTSIDE):
        bench.copy(mapping, side, FIN | ACK)

    for _ in range(20):
        bench.inbound(TCP, SERVER, mapping.external, SYN)
        bench.sleep(0.5)

    assert bench.releases() == [(6.0, "CLOSED")]


def test_nor_by_sending_data_after_the_insides_reset() -> None:
    """It asked for a new connection, so that its data is none of the old one."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, INSIDE, RST)
    bench.inbound(TCP, SERVER, mapping.external, SYN)

    for _ in range(8):
        bench.forward(mapping, inbound=1)
        bench.sleep(0.25)

    assert bench.releases() == [(5.0, "CLOSED")]


def test_a_forged_syn_after_a_forged_rst_ends_nothing() -> None:
    """RFC 7857 section 2.2: data of the inside brings the connection back."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, OUTSIDE, RST)
    bench.inbound(TCP, SERVER, mapping.external, SYN)
    for _ in range(8):
        bench.sleep(0.25)
        bench.forward(mapping, outbound=1)

    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED


def test_a_reconnect_of_the_switch_answers_no_stranger() -> None:
    """What the rules had counted is lost, and the connections of the inside are taken for answered; no others."""
    bench = Bench()
    mapping = established(bench)
    bench.inbound(TCP, MIRROR, mapping.external, SYN)
    bench.sleep(3.0)
    bench.reconnect()

    bench.sleep(1.0)

    assert list(connections(mapping)) == [SERVER]


def test_both_sides_may_open_at_once_where_the_stranger_was_first() -> None:
    """RFC 5382 REQ-2a: the inside's own SYN is an answer as well."""
    bench = Bench()
    mapping = established(bench)
    bench.inbound(TCP, MIRROR, mapping.external, SYN)

    assert bench.open(ALICE, MIRROR) is mapping
    bench.copy(mapping, INSIDE, RST)
    bench.sleep(10.0)

    assert connections(mapping)[MIRROR].state is TcpState.ESTABLISHED


def test_a_filter_by_address_is_opened_by_the_inside_alone() -> None:
    """RFC 4787 section 5: an address counts that the inside has sent to, not one that has sent to the inside."""
    bench = Bench(filtering=Dependence.ADDRESS)
    mapping = bench.open(ALICE, SERVER)
    bench.open(ALICE, MIRROR)
    bench.forward(mapping, inbound=1, remote=MIRROR)
    other, third = Endpoint(SERVER.address, 8), Endpoint(SERVER.address, 9)
    bench.inbound(TCP, other, mapping.external, SYN)
    bench.sleep(3.9)
    assert isinstance(bench.inbound(TCP, third, mapping.external, SYN), Translate)

    bench.sleep(0.1)

    assert SERVER not in connections(mapping)
    assert bench.inbound(TCP, Endpoint(SERVER.address, 10), mapping.external, SYN) == Drop(DropReason.FILTERED)


def test_a_stranger_whom_the_inside_answered_opens_a_filter_by_address() -> None:
    """It is then an address that the inside has sent to."""
    bench = Bench(filtering=Dependence.ADDRESS)
    mapping = bench.open(ALICE, SERVER)
    other = Endpoint(SERVER.address, 8)
    bench.inbound(TCP, other, mapping.external, SYN)
    bench.copy(mapping, INSIDE, SYN_ACK, other)

    bench.sleep(4.0)

    assert list(connections(mapping)) == [other]
    assert isinstance(bench.inbound(TCP, Endpoint(SERVER.address, 9), mapping.external, SYN), Translate)


# UDP and queries, where inbound packets refresh


@pytest.mark.parametrize(("protocol", "peer"), [(UDP, SERVER), (ICMP, PING)], ids=["udp", "icmp"])
def test_a_stranger_refreshes_nothing_where_the_peers_packets_do(protocol: Protocol, peer: Endpoint) -> None:
    """RFC 4787 REQ-6A, with RFC 7857 section 7: the mapping is kept by those whom the inside has sent to."""
    bench = Bench(refresh_inbound=True)
    mapping, other = bench.open(ALICE, peer, protocol), bench.open(BOB, peer, protocol)

    for _ in range(20):
        bench.inbound(protocol, Endpoint(MIRROR.address, peer.port), mapping.external)
        bench.inbound(protocol, peer, other.external)
        bench.sleep(1.0)

    assert not bench.is_live(mapping)
    assert bench.is_live(other)


def test_a_stranger_whom_the_inside_answers_refreshes() -> None:
    """From the inside's first datagram on it is a peer like any other."""
    bench = Bench(refresh_inbound=True)
    mapping = bench.open(ALICE, SERVER, UDP)
    bench.inbound(UDP, MIRROR, mapping.external)
    bench.forward(mapping, outbound=1, remote=MIRROR)

    for _ in range(20):
        bench.sleep(1.0)
        bench.forward(mapping, inbound=1, remote=MIRROR)

    assert bench.is_live(mapping)


@pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])
def test_a_stranger_does_not_save_a_mapping_from_eviction(protocol: Protocol) -> None:
    """What it sends is no use: alice's mapping was used least recently all the same."""
    bench = Bench(ports=2, on_exhaustion=EvictLruPolicy)
    mapping = bench.open(ALICE, SERVER, protocol)
    bench.sleep(0.5)
    other = bench.open(BOB, SERVER, protocol)
    bench.sleep(0.5)
    for _ in range(3):
        bench.inbound(protocol, MIRROR, mapping.external, first_packet(protocol))
        bench.pass_by_rules(mapping.flows[-1], inbound=1)
        bench.sleep(0.5)

    bench.outbound(protocol, Endpoint.parse("10.0.0.9:1"), SERVER, first_packet(protocol))

    assert not bench.is_live(mapping)
    assert bench.is_live(other)


def test_a_copied_answer_to_nobody_makes_nothing() -> None:
    """A SYN/ACK of an inside host is copied to the NAT before any rule translates it."""
    bench = Bench()
    bench.observe(INSIDE, Packet(TCP, ALICE, SERVER, SYN_ACK))

    assert not len(bench.nat)
