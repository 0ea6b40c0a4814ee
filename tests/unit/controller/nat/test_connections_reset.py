"""After a RST, and after idleness: RFC 7857 section 2.2, and what the counts tell of it.

Timers here: 1 s after a RST, looked at four times; 16 s idle; 4 s for the answer to a SYN.
"""

from __future__ import annotations

import pytest

from controller.nat.model import Mapping, Side
from controller.nat.tcp import TcpState
from tests.support.core import ALICE, FIN, MIRROR, RST, SERVER, SYN, TCP, Bench, connections

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE


def reset(bench: Bench) -> Mapping:
    """Let alice's connection be established and reset; return its mapping."""
    mapping = bench.open()
    bench.forward(mapping, inbound=1)
    bench.sleep(4.0)
    bench.copy(mapping, OUTSIDE, RST)
    return mapping


@pytest.mark.parametrize(("outbound", "inbound"), [(1, 0), (0, 1)], ids=["outbound", "inbound"])
def test_data_after_a_rst_brings_the_connection_back(outbound: int, inbound: int) -> None:
    """RFC 7857 section 2.2: a forged RST must end nothing."""
    bench = Bench()
    mapping = reset(bench)

    bench.sleep(0.5)
    bench.forward(mapping, outbound=outbound, inbound=inbound)
    bench.sleep(0.25)
    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED

    bench.sleep(10.0)
    assert bench.is_live(mapping)


def test_what_passed_before_a_rst_was_noticed_is_no_data_after_it() -> None:
    """The first look at the counts only tells where to count from."""
    bench = Bench()
    mapping = reset(bench)
    bench.forward(mapping, inbound=3)

    bench.sleep(1.0)

    assert bench.releases() == [(5.0, "CLOSED")]


@pytest.mark.parametrize("every", [0.125, 0.375], ids=["between two looks", "between others"])
def test_a_rst_again_neither_prolongs_nor_brings_back(every: float) -> None:
    """Hosts send one for each segment that still comes: it is no data."""
    bench = Bench()
    mapping = reset(bench)

    for _ in range(int(0.9 / every)):
        bench.sleep(every)
        bench.copy(mapping, OUTSIDE, RST)
    bench.sleep(5.0 - bench.now)

    assert bench.releases() == [(5.0, "CLOSED")]


def test_another_connections_data_does_not_bring_a_reset_one_back() -> None:
    """Each connection of a mapping has rules, and counts, of its own."""
    bench = Bench()
    mapping = reset(bench)
    bench.open(ALICE, MIRROR)
    for _ in range(8):
        bench.forward(mapping, outbound=1, inbound=1, remote=MIRROR)
        bench.sleep(0.25)

    assert list(connections(mapping)) == [MIRROR]


def test_an_idle_connection_that_goes_on_comes_back_as_well() -> None:
    """RFC 7857 Figure 1: from TRANS a data packet leads back, however it came there."""
    bench = Bench()
    mapping = bench.open()
    bench.forward(mapping, inbound=1)
    bench.sleep(20.0)
    assert connections(mapping)[SERVER].state is TcpState.TRANS

    bench.sleep(0.5)
    bench.forward(mapping, outbound=1)
    bench.sleep(5.0)

    assert connections(mapping)[SERVER].state is TcpState.ESTABLISHED


def test_a_syn_after_a_rst_opens_a_new_connection_with_its_own_timer() -> None:
    """RFC 9293 section 3.6.1: what the RST began does not end it."""
    bench = Bench()
    mapping = reset(bench)
    bench.sleep(0.75)
    bench.outbound(TCP, ALICE, SERVER, SYN)

    bench.sleep(3.75)
    assert connections(mapping)[SERVER].state is TcpState.INIT
    bench.sleep(0.25)
    assert bench.releases() == [(8.75, "IDLE")]


def test_counts_that_begin_anew_bring_nothing_back() -> None:
    """After a reconnect of the switch there is nothing to compare with, until the next look."""
    bench = Bench()
    mapping = reset(bench)
    bench.sleep(0.25)
    bench.reconnect()
    bench.forward(mapping, outbound=1)

    bench.sleep(0.75)

    assert bench.releases() == [(5.0, "CLOSED")]


def test_a_fin_that_is_sent_again_starts_the_close_timer_again() -> None:
    """RFC 5382 REQ-5: the close timer is an idle timeout, for a host that did not receive the last segment."""
    bench = Bench()
    mapping = bench.open()
    bench.copy(mapping, INSIDE, FIN)
    bench.copy(mapping, OUTSIDE, FIN)
    bench.sleep(1.0)
    bench.copy(mapping, OUTSIDE, FIN)

    bench.sleep(10.0)

    assert bench.releases() == [(3.0, "CLOSED")]
