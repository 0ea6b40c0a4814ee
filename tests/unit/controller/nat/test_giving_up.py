"""Clients that wait for a port and give up: what can be known of it, and that the living are served first.

A client's kernel repeats a SYN after 1 s and then at growing intervals; older ones after 3 s. Packets wait for at
most 60 s here.
"""

from __future__ import annotations

import pytest

from controller.nat.events import GaveUp, Resumed
from controller.nat.model import Endpoint, Packet, TcpFlags
from controller.nat.strategies.exhaustion.hold import HoldPolicy
from controller.nat.verdicts import Drop, Hold, Refuse, Translate
from tests.support.core import ACK, ALICE, BOB, CAROL, FIN, MIRROR, REST, RST, SERVER, SYN, TCP, UDP, Bench

DAVE = Endpoint.parse("10.0.0.4:40000")
NEW_LINUX = (1, 2, 3, 4, 6, 10, 18, 34)
OLD_LINUX = (1, 3, 7, 15, 31)
OLD_STACK = (3, 9, 21, 45)
"""When a SYN is repeated, in seconds after the first."""


def full(**settings: object) -> Bench:
    """Return a NAT whose only port alice has; everybody else waits."""
    bench = Bench(ports=1, on_exhaustion=HoldPolicy, hold_timeout=60.0, **settings)
    bench.open(ALICE)
    return bench


def free(bench: Bench) -> None:
    """Let alice's port become free."""
    mapping = bench.mapping(TCP, ALICE)
    assert mapping is not None
    bench.roll_back(mapping)
    bench.sleep(REST)


def keep(bench: Bench, seconds: float) -> None:
    """Let time pass in which alice's connection is used."""
    mapping = bench.mapping(TCP, ALICE)
    assert mapping is not None
    for _ in range(round(seconds / 0.5)):
        bench.forward(mapping, outbound=1, inbound=1)
        bench.sleep(0.5)


def served(bench: Bench) -> list[Endpoint]:
    """Return who got the port, in order."""
    return [
        event.ticket.packet.source
        for _, event in bench.log
        if isinstance(event, Resumed) and isinstance(event.verdict, Translate)
    ]


@pytest.mark.parametrize("flags", [RST, RST | ACK, FIN | ACK, ACK], ids=["RST", "RST/ACK", "FIN", "ACK"])
def test_a_client_that_sends_anything_but_its_syn_no_longer_waits(flags: TcpFlags) -> None:
    """It has left the state in which it waits for an answer; the next one in the queue gets the port."""
    bench = full()
    for host in (BOB, CAROL):
        bench.outbound(TCP, host, SERVER, SYN)
    assert isinstance(bench.outbound(TCP, BOB, SERVER, flags), Drop)

    free(bench)

    assert served(bench) == [CAROL]
    assert bench.nat.counters[TCP].dropped_port_packets == 1


def test_only_the_connection_that_was_reset_leaves() -> None:
    """BOB waits for two servers with one port, of which he gives up one."""
    bench = full()
    for server in (SERVER, MIRROR):
        bench.outbound(TCP, BOB, server, SYN)
    bench.outbound(TCP, BOB, SERVER, RST)

    free(bench)

    assert served(bench) == [BOB]
    assert [flow.peer for flow in bench.nat.flows()] == [MIRROR]


def test_a_reset_for_another_connection_ends_no_waiting() -> None:
    """Another port of the same host, or another server, is another connection."""
    bench = full()
    bench.outbound(TCP, BOB, SERVER, SYN)
    bench.outbound(TCP, Endpoint(BOB.address, 1), SERVER, RST)
    bench.outbound(TCP, BOB, MIRROR, RST)

    free(bench)

    assert served(bench) == [BOB]


def test_an_endpoint_of_which_an_icmp_error_tells_no_longer_waits() -> None:
    """An inside host that says that its port is closed wants nothing for it."""
    bench = full()
    verdict = bench.outbound(TCP, BOB, SERVER, SYN)
    assert isinstance(verdict, Hold)

    bench.nat.gave_up(TCP, BOB, SERVER)

    assert bench.nat.events.pop() == GaveUp(verdict.ticket, 0)
    free(bench)
    assert served(bench) == []


def test_a_client_whose_syn_does_not_come_again_is_passed_over() -> None:
    """BOB closed his socket without a word, as Linux does: his SYN is overdue after 4 s."""
    bench = full()
    bench.outbound(TCP, BOB, SERVER, SYN)
    bench.sleep(0.5)
    bench.outbound(TCP, CAROL, SERVER, SYN)
    for _ in range(4):
        keep(bench, 1.0)
        bench.outbound(TCP, CAROL, SERVER, SYN)

    free(bench)

    assert served(bench) == [CAROL]
    assert bench.nat.counters[TCP].dropped_port_packets == 1


@pytest.mark.parametrize("repetitions", [NEW_LINUX, OLD_LINUX, OLD_STACK], ids=["1 1 1 1 2 4", "1 2 4", "3 6 12"])
def test_no_client_that_repeats_its_syn_is_passed_over(repetitions: tuple[int, ...]) -> None:
    """Whenever the port becomes free, the one that waits first and still repeats gets it."""
    for freed_at in range(1, 50):
        bench = full()
        bench.outbound(TCP, BOB, SERVER, SYN)
        bench.sleep(0.25)
        bench.outbound(UDP, DAVE, SERVER)
        now = 0
        for at in (*(each for each in repetitions if each < freed_at), freed_at):
            keep(bench, at - now)
            now = at
            if at in repetitions:
                bench.outbound(TCP, BOB, SERVER, SYN)
        free(bench)
        assert served(bench) == [BOB], freed_at


def test_of_several_connections_of_an_endpoint_those_that_are_repeated_go_on() -> None:
    """BOB gave up the first silently; the second still waits in its place."""
    bench = full()
    bench.outbound(TCP, BOB, SERVER, SYN)
    bench.sleep(0.25)
    bench.outbound(TCP, CAROL, SERVER, SYN)
    bench.outbound(TCP, BOB, MIRROR, SYN)
    for _ in range(5):
        keep(bench, 1.0)
        bench.outbound(TCP, BOB, MIRROR, SYN)
        bench.outbound(TCP, CAROL, SERVER, SYN)

    free(bench)

    assert served(bench) == [BOB]
    assert [flow.peer for flow in bench.nat.flows()] == [MIRROR]


def test_datagrams_wait_for_their_whole_time() -> None:
    """No rule says that one is repeated, so that nothing can be known of who sent it."""
    bench = Bench(ports=1, on_exhaustion=HoldPolicy, hold_timeout=60.0, udp_timeout=30.0)
    bench.open(ALICE, SERVER, UDP)
    bench.outbound(UDP, BOB)

    bench.sleep(40.0)

    assert served(bench) == [BOB]


def test_those_who_gave_up_free_their_places_in_the_queue() -> None:
    """A packet that is wanted no more keeps nobody out."""
    bench = full(hold_queue=1)
    bench.outbound(TCP, BOB, SERVER, SYN)
    assert isinstance(bench.outbound(TCP, CAROL, SERVER, SYN), Refuse)
    bench.outbound(TCP, BOB, SERVER, RST)

    assert isinstance(bench.outbound(TCP, CAROL, SERVER, SYN), Hold)
    assert bench.nat.next_deadline is not None


def test_of_a_subscribers_packets_only_the_wanted_go_on_together() -> None:
    """Where the limit is one of subscribers, all that one sent goes on at once."""
    bench = Bench(on_exhaustion=HoldPolicy, hold_timeout=60.0, limit_subscribers=1)
    alice = bench.open(ALICE)
    ports = [Endpoint(BOB.address, port) for port in (1, 2, 3)]
    for port in ports:
        bench.outbound(TCP, port, SERVER, SYN)
    for _ in range(5):
        bench.forward(alice, outbound=1, inbound=1)
        bench.sleep(1.0)
        bench.outbound(TCP, ports[0], SERVER, SYN)
        bench.outbound(TCP, ports[2], SERVER, SYN)

    bench.roll_back(alice)

    assert served(bench) == [ports[0], ports[2]]


def test_a_repeated_syn_is_the_same_packet() -> None:
    """It is held once, however often it comes."""
    bench = full()
    first = bench.outbound(TCP, BOB, SERVER, SYN)
    assert isinstance(first, Hold)

    assert bench.outbound(TCP, BOB, SERVER, SYN) == Hold(first.ticket, is_new=False)
    assert first.ticket.held == [Packet(TCP, BOB, SERVER, SYN)]
