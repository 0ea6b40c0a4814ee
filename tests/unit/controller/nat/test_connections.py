"""How long a TCP mapping lives (RFC 5382 REQ-5, RFC 7857 section 2).

Timers here: 4 s for the answer to a SYN, 16 s idle, 2 s after both FINs, 1 s after a RST.
"""

from __future__ import annotations

import pytest

from controller.nat.model import Endpoint, Mapping, Protocol, Side, TcpFlags
from controller.nat.tcp import TcpState
from controller.nat.verdicts import Drop, DropReason, Translate
from tests.support.core import ACK, ALICE, FIN, MIRROR, RST, SERVER, SYN, TCP, UDP, Bench, connections

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE


def flags_id(flags: TcpFlags) -> str:
    """Name flags in a test's name."""
    return flags.name or "none"


both_orders = pytest.mark.parametrize(
    ("first", "last"), [(INSIDE, OUTSIDE), (OUTSIDE, INSIDE)], ids=["client first", "server first"]
)
each_side = pytest.mark.parametrize("side", [INSIDE, OUTSIDE], ids=["client", "server"])


def established(bench: Bench) -> Mapping:
    """Let alice open a connection that is answered, and let the NAT notice; return its mapping."""
    mapping = bench.open()
    bench.forward(mapping, inbound=1)
    bench.sleep(4.0)
    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED
    return mapping


# Opening


def test_an_opening_that_is_never_answered_ends_at_the_open_timeout() -> None:
    """RFC 5382 REQ-5: the mapping does not end earlier, and at the timeout its port comes back."""
    bench = Bench()
    mapping = bench.open()

    bench.sleep(3.999)
    assert bench.is_live(mapping)

    bench.sleep(0.001)
    assert bench.releases() == [(4.0, "IDLE")]


def test_an_answered_opening_counts_as_established() -> None:
    """That packets came back, by the rules' counts, is how the NAT learns of the server's SYN."""
    bench = Bench()
    mapping = bench.open()
    bench.forward(mapping, inbound=1)

    bench.sleep(4.0)

    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED
    assert bench.releases() == []


def test_what_was_counted_before_a_connection_opened_is_no_answer_to_it() -> None:
    """A second connection of the same mapping must get packets of its own time."""
    bench = Bench()
    mapping = established(bench)
    bench.open(ALICE, MIRROR)

    bench.sleep(4.0)

    assert list(connections(mapping)) == [SERVER]


def test_a_syn_that_is_sent_again_opens_no_second_connection() -> None:
    """A retransmission belongs to the session that is there, and starts its timer again (RFC 5382 REQ-5)."""
    bench = Bench()
    mapping = bench.open()
    bench.sleep(1.0)

    assert bench.open() is mapping
    assert len(connections(mapping)) == 1
    bench.sleep(4.0)
    assert bench.releases() == [(5.0, "IDLE")]


@pytest.mark.parametrize("flags", [TcpFlags.NONE, ACK, FIN, FIN | ACK, RST, RST | ACK, SYN | ACK], ids=flags_id)
def test_a_segment_without_syn_opens_nothing(flags: TcpFlags) -> None:
    """A TCP packet that does not open a connection, without a mapping, is dropped and counted."""
    bench = Bench()

    assert bench.outbound(TCP, ALICE, SERVER, flags) == Drop(DropReason.NOT_A_SYN)
    assert len(bench.nat) == 0
    assert bench.nat.counters[TCP].dropped_unmapped_packets == 1
    assert bench.nat.counters[TCP].port_mapping_creations == 0


@pytest.mark.parametrize("flags", [SYN | FIN, SYN | RST, SYN | FIN | RST], ids=flags_id)
def test_a_syn_that_also_ends_a_connection_takes_no_port_for_ever(flags: TcpFlags) -> None:
    """No sane host sends it; whatever becomes of it, in the end its port is free."""
    bench = Bench()
    bench.outbound(TCP, ALICE, SERVER, flags)

    bench.sleep(1000.0)

    assert len(bench.nat) == 0
    assert bench.nat.pool.usage(TCP).free == 4


@pytest.mark.parametrize("flags", [SYN | FIN, SYN | RST], ids=flags_id)
@each_side
def test_a_syn_that_also_ends_a_connection_does_not_keep_a_mapping(side: Side, flags: TcpFlags) -> None:
    """Sent through a mapping that is there, it must not outlive that mapping's connections."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, side, flags, MIRROR)
    bench.copy(mapping, INSIDE, RST)

    bench.sleep(1000.0)

    assert len(bench.nat) == 0


def test_a_mapping_with_an_odd_syn_can_be_rolled_back() -> None:
    """The switch may refuse the rules of any mapping."""
    bench = Bench()
    bench.outbound(TCP, ALICE, SERVER, SYN | RST)

    for mapping in list(bench.nat.mappings()):
        bench.roll_back(mapping)

    assert len(bench.nat) == 0


# Established


def test_an_idle_connection_ends_by_way_of_trans() -> None:
    """RFC 7857 Figure 1: idle for the established timeout, then the transitory one."""
    bench = Bench()
    mapping = established(bench)

    bench.sleep(16.0)
    assert connections(mapping)[SERVER].state is TcpState.TRANS
    assert bench.is_live(mapping)

    bench.sleep(1.0)
    assert bench.releases() == [(21.0, "CLOSED")]


@each_side
def test_an_idle_half_closed_connection_ends_by_way_of_trans(side: Side) -> None:
    """RFC 5382 REQ-5: the other side's FIN may never come. That this one passed is noticed 4 s later."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, side, FIN)

    bench.sleep(20.0)
    assert connections(mapping)[SERVER].state is TcpState.TRANS

    bench.sleep(1.0)
    assert bench.releases() == [(25.0, "CLOSED")]


@each_side
def test_packets_of_either_side_keep_a_connection(side: Side) -> None:
    """RFC 5382 REQ-5: idle means that no packet passes in either direction."""
    bench = Bench()
    mapping = established(bench)

    for _ in range(20):
        bench.forward(mapping, outbound=side is INSIDE, inbound=side is OUTSIDE)
        bench.sleep(12.0)

    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED


# Closing


@both_orders
def test_after_both_fins_the_close_timer_runs_and_the_port_comes_back(first: Side, last: Side) -> None:
    """RFC 5382 REQ-5: the mapping is kept for the transitory timeout, for segments that are sent again."""
    bench = Bench()
    mapping = established(bench)

    bench.copy(mapping, first, FIN)
    bench.copy(mapping, last, FIN)
    bench.sleep(1.999)
    assert bench.is_live(mapping)

    bench.sleep(0.001)
    assert bench.releases() == [(6.0, "CLOSED")]


@each_side
def test_a_half_closed_connection_keeps_the_established_timer(side: Side) -> None:
    """RFC 5382 REQ-5: one FIN alone ends nothing; the other side may go on sending for ever."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, side, FIN)

    for _ in range(20):
        bench.forward(mapping, outbound=side is OUTSIDE, inbound=side is INSIDE)
        bench.sleep(12.0)

    assert bench.is_live(mapping)


@each_side
def test_a_fin_that_is_sent_again_is_still_only_one(side: Side) -> None:
    """Both FINs must have been seen, one of each side."""
    bench = Bench()
    mapping = established(bench)

    bench.copy(mapping, side, FIN)
    bench.copy(mapping, side, FIN)
    bench.sleep(10.0)

    assert bench.is_live(mapping)


@both_orders
def test_a_connection_may_close_before_its_answer_was_noticed(first: Side, last: Side) -> None:
    """Short connections end within the opening timeout, and then the close timer decides."""
    bench = Bench()
    mapping = bench.open()
    bench.forward(mapping, inbound=1)

    bench.copy(mapping, first, FIN)
    bench.copy(mapping, last, FIN)
    bench.sleep(10.0)

    assert bench.releases() == [(2.0, "CLOSED")]


@each_side
def test_after_a_rst_the_reset_timer_runs_and_the_port_comes_back(side: Side) -> None:
    """RFC 7857 section 2.2: a RST does not end the session at once, but after its timer."""
    bench = Bench()
    mapping = established(bench)

    bench.copy(mapping, side, RST)
    bench.sleep(0.999)
    assert bench.is_live(mapping)

    bench.sleep(0.001)
    assert bench.releases() == [(5.0, "CLOSED")]


def test_a_refused_connection_ends_by_the_reset_timer() -> None:
    """A closed port answers the SYN with a RST."""
    bench = Bench()
    mapping = bench.open()

    bench.copy(mapping, OUTSIDE, RST | ACK)
    bench.sleep(10.0)

    assert bench.releases() == [(1.0, "CLOSED")]


@pytest.mark.parametrize("flags", [FIN, RST], ids=["FIN", "RST"])
def test_a_stranger_ends_no_connection(flags: TcpFlags) -> None:
    """A FIN or RST from an endpoint without a session belongs to nothing."""
    bench = Bench()
    mapping = established(bench)

    bench.copy(mapping, OUTSIDE, flags, MIRROR)
    bench.copy(mapping, OUTSIDE, flags, Endpoint.parse("198.51.100.1:8"))
    bench.sleep(10.0)

    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED


# Opening again


@pytest.mark.parametrize("ending", ["FINs", "RST"])
def test_a_connection_that_ended_may_be_opened_again(ending: str) -> None:
    """RFC 9293 section 3.6.1: the same endpoints may connect anew; the old timers end nothing then."""
    bench = Bench()
    mapping = established(bench)
    if ending == "FINs":
        bench.copy(mapping, INSIDE, FIN)
        bench.copy(mapping, OUTSIDE, FIN)
    else:
        bench.copy(mapping, OUTSIDE, RST)
    bench.sleep(0.5)

    assert bench.open() is mapping
    bench.forward(mapping, inbound=1)
    bench.sleep(10.0)

    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED


def test_an_opening_again_that_is_never_answered_ends_at_the_open_timeout() -> None:
    """The answers to the connection before are none to this one."""
    bench = Bench()
    mapping = established(bench)
    bench.forward(mapping, inbound=5)
    bench.sleep(4.0)
    bench.copy(mapping, INSIDE, RST)
    bench.open()

    bench.sleep(100.0)

    assert bench.releases() == [(12.0, "IDLE")]


# Several connections


def test_a_mapping_lives_until_its_last_connection_has_ended() -> None:
    """RFC 4787 REQ-1: one mapping for all of an endpoint's connections, kept as long as one of them needs it."""
    bench = Bench()
    mapping = established(bench)
    bench.open(ALICE, MIRROR)
    bench.copy(mapping, INSIDE, RST, SERVER)

    bench.sleep(3.0)
    assert bench.is_live(mapping)
    assert list(connections(mapping)) == [MIRROR]

    bench.copy(mapping, INSIDE, RST, MIRROR)
    bench.sleep(1.0)
    assert bench.releases() == [(8.0, "CLOSED")]


def test_connections_of_one_endpoint_are_told_apart_by_their_remote_port() -> None:
    """A session is a mapping and a remote endpoint, address and port."""
    bench = Bench()
    other = Endpoint.parse("198.51.100.1:8")
    mapping = bench.open(ALICE, SERVER)
    bench.open(ALICE, other)

    bench.copy(mapping, OUTSIDE, RST, SERVER)

    assert connections(mapping)[SERVER].state is TcpState.TRANS
    assert connections(mapping)[other].state is TcpState.INIT


def test_an_outside_host_may_open_a_connection_through_a_mapping() -> None:
    """RFC 5382 REQ-3, endpoint-independent filtering: the connection is followed with the roles exchanged."""
    bench = Bench()
    mapping = bench.open()
    bench.copy(mapping, INSIDE, RST)

    assert isinstance(bench.inbound(TCP, MIRROR, mapping.external, SYN), Translate)
    assert connections(mapping)[MIRROR].client is OUTSIDE
    bench.copy(mapping, INSIDE, SYN | ACK, MIRROR)
    bench.sleep(3.0)
    assert list(connections(mapping)) == [MIRROR]

    bench.copy(mapping, OUTSIDE, FIN, MIRROR)
    assert connections(mapping)[MIRROR].state is TcpState.C_FIN_RCV
    bench.copy(mapping, INSIDE, FIN, MIRROR)
    bench.sleep(2.0)
    assert bench.releases() == [(5.0, "CLOSED")]


def test_both_sides_may_open_at_once() -> None:
    """RFC 5382 REQ-2a, simultaneous open: the other side's SYN is the answer."""
    bench = Bench()
    mapping = bench.open()

    bench.inbound(TCP, SERVER, mapping.external, SYN)

    assert connections(mapping)[SERVER].client is INSIDE
    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED


# Counts that come late, or begin anew


@pytest.mark.parametrize("protocol", [TCP, UDP], ids=["tcp", "udp"])
def test_counts_that_begin_anew_end_nothing(protocol: Protocol) -> None:
    """After a reconnect of the switch, what its rules had seen is unknown: everything counts as in use."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, protocol)
    bench.sleep(3.0)

    bench.reconnect()
    bench.sleep(7.9)

    assert bench.is_live(mapping)


def test_counts_of_a_mapping_that_has_ended_are_ignored() -> None:
    """They were under way when it ended; its internal endpoint may have a new mapping by then."""
    bench = Bench()
    old = bench.open()
    (flow,) = old.flows
    bench.roll_back(old)
    new = bench.open()

    bench.nat.examined([(flow, 7, 7)], bench.now)

    assert (new.flows[0].outbound_packets, new.flows[0].inbound_packets) == (0, 0)
    assert bench.is_live(new)


def test_a_connection_that_ended_may_be_opened_again_by_the_other_side() -> None:
    """The server becomes the client; once answered, the connection has the established timer."""
    bench = Bench()
    mapping = bench.open()
    bench.forward(mapping, inbound=1)
    for side in (INSIDE, OUTSIDE):
        bench.copy(mapping, side, FIN | ACK)

    bench.inbound(TCP, SERVER, mapping.external, SYN)
    bench.copy(mapping, INSIDE, SYN | ACK)
    bench.sleep(5.0)

    assert connections(mapping)[SERVER].client is OUTSIDE
    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED


# Opened again


@pytest.mark.parametrize("is_reset", [False, True], ids=["after both FINs", "after a RST"])
def test_what_came_before_a_connection_was_opened_again_is_no_answer(is_reset: bool) -> None:
    """RFC 9293 section 3.6.1: its rules still count the old packets, which nobody has read since."""
    bench = Bench()
    mapping = bench.open()
    bench.forward(mapping, inbound=5, outbound=5)
    if is_reset:
        bench.copy(mapping, OUTSIDE, RST)
    else:
        bench.copy(mapping, INSIDE, FIN | ACK)
        bench.copy(mapping, OUTSIDE, FIN | ACK)
    bench.sleep(0.2)
    bench.outbound(TCP, ALICE, SERVER, SYN)

    bench.sleep(4.0)

    assert bench.releases() == [(4.2, "IDLE")]


def test_an_answer_to_a_connection_that_was_opened_again_is_noticed() -> None:
    """It is one packet more than there were when the SYN came."""
    bench = Bench()
    mapping = established(bench)
    bench.copy(mapping, INSIDE, FIN | ACK)
    bench.copy(mapping, OUTSIDE, FIN | ACK)
    bench.outbound(TCP, ALICE, SERVER, SYN)
    bench.forward(mapping, inbound=1)

    bench.sleep(15.0)

    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED


# To oneself


def test_a_syn_to_ones_own_external_endpoint_is_not_its_own_answer() -> None:
    """It comes back as it went, and is no other host's; its own SYN/ACK would be an answer."""
    bench = Bench()
    mapping = bench.open()
    own = mapping.external
    for _ in range(2):
        bench.outbound(TCP, ALICE, own, SYN)
        bench.inbound(TCP, own, own, SYN)
    assert connections(mapping)[own].state is TcpState.INIT

    bench.sleep(4.0)
    assert bench.releases() == [(4.0, "IDLE")]


def test_a_connection_to_oneself_is_answered_by_ones_own_syn_ack() -> None:
    """A simultaneous open with oneself (RFC 9293 section 3.5)."""
    bench = Bench()
    mapping = bench.open()
    own = mapping.external
    bench.outbound(TCP, ALICE, own, SYN)
    bench.inbound(TCP, own, own, SYN)
    for side in (INSIDE, OUTSIDE):
        bench.copy(mapping, side, SYN | ACK, own)

    assert connections(mapping)[own].state is TcpState.ESTABLISHED
