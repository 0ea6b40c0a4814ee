"""The cap of each external address and destination: what it counts, what it leaves alone, and what frees it."""

from __future__ import annotations

import pytest

from controller.nat.events import Resumed
from controller.nat.model import Answer, Dependence, Endpoint, Limit, Side
from controller.nat.strategies.exhaustion import POLICIES
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.verdicts import Hold, Refuse, Translate
from tests.support.core import ALICE, BOB, CAROL, MIRROR, RST, SERVER, SYN, TCP, UDP, Bench

FULL = Refuse(Limit.DESTINATION, Answer.NOTHING)


def test_ports_are_left_and_other_destinations_are_open_when_one_is_full() -> None:
    """The limit is that of the destination: its address, its port and the protocol."""
    bench = Bench(ports=9, limit_sessions_per_destination=2)
    bench.open(ALICE, SERVER)
    bench.open(BOB, SERVER)

    assert bench.outbound(TCP, CAROL, SERVER, SYN) == FULL
    bench.open(CAROL, MIRROR)
    bench.open(CAROL, Endpoint(SERVER.address, 8))
    bench.open(CAROL, SERVER, UDP)
    assert bench.nat.counters[TCP].dropped_destination_limit_packets == 1
    assert bench.nat.counters[TCP].dropped_port_packets == 0


def test_a_mapping_that_is_there_gets_no_further_session_with_a_full_destination() -> None:
    """An endpoint-independent mapping has sessions with several destinations, and each counts for its own."""
    bench = Bench(ports=9, limit_sessions_per_destination=1)
    bench.open(ALICE, SERVER)
    bench.open(BOB, MIRROR)

    assert bench.outbound(TCP, BOB, SERVER, SYN) == FULL


def test_each_external_address_has_sessions_of_its_own() -> None:
    """Where a subscriber may use any address, the next one is taken; so two addresses carry twice the sessions."""
    bench = Bench(ports=9, addresses=2, pooling=POOLINGS["arbitrary"], limit_sessions_per_destination=2)

    given = {bench.open(Endpoint(ALICE.address, port), SERVER).external.address for port in range(1, 5)}

    assert len(given) == 2
    assert bench.outbound(TCP, BOB, SERVER, SYN) == FULL


@pytest.mark.parametrize("mapping", [Dependence.INDEPENDENT, Dependence.ADDRESS_AND_PORT])
def test_a_packet_that_waits_goes_on_when_a_session_with_its_destination_ends(mapping: Dependence) -> None:
    """A free port or the end of another session is of no use to it."""
    bench = Bench(ports=9, mapping=mapping, on_exhaustion=POLICIES["hold"], limit_sessions_per_destination=1)
    held = bench.open(ALICE, SERVER)
    other = bench.open(BOB, MIRROR)
    assert isinstance(bench.outbound(TCP, CAROL, SERVER, SYN), Hold)

    bench.roll_back(other)
    bench.sleep(0.6)
    assert not [event for _, event in bench.log if isinstance(event, Resumed)]
    bench.roll_back(held)
    bench.sleep(0.1)

    (resumed,) = [event for _, event in bench.log if isinstance(event, Resumed)]
    assert isinstance(resumed.verdict, Translate)


def test_a_session_of_that_destination_is_evicted_for_it_where_mappings_have_one_destination() -> None:
    """The port of a session with another destination would not help."""
    bench = Bench(
        ports=9,
        mapping=Dependence.ADDRESS_AND_PORT,
        on_exhaustion=POLICIES["evict-lru"],
        limit_sessions_per_destination=1,
    )
    other = bench.open(BOB, MIRROR)
    victim = bench.open(ALICE, SERVER)

    bench.outbound(TCP, CAROL, SERVER, SYN)
    bench.sleep(1.0)

    assert bench.is_live(other)
    assert not bench.is_live(victim)
    assert bench.mapping(TCP, CAROL) is not None


def test_strangers_take_nothing_until_they_are_answered() -> None:
    """A flood in a server's name must not keep inside hosts from that server."""
    bench = Bench(ports=9, limit_sessions_per_destination=1)
    mapping = bench.open(ALICE, SERVER)
    assert isinstance(bench.inbound(TCP, MIRROR, mapping.external, SYN), Translate)

    bench.open(CAROL, MIRROR)

    assert bench.outbound(TCP, BOB, MIRROR, SYN) == FULL


def test_the_limit_holds_for_what_was_there_before_it_was_set() -> None:
    """An operator sets it while the NAT works."""
    bench = Bench(ports=9)
    first = bench.open(ALICE, SERVER)
    bench.open(BOB, SERVER)
    bench.change(ports=9, limit_sessions_per_destination=2)

    assert bench.outbound(TCP, CAROL, SERVER, SYN) == FULL
    bench.copy(first, Side.INSIDE, RST)
    bench.sleep(3.0)
    bench.open(CAROL, SERVER)
