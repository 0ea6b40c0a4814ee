"""Address pooling, five ways (RFC 4787 section 4.1, RFC 7857 section 4)."""

from __future__ import annotations

import pytest

from controller.nat.events import LimitReached
from controller.nat.model import Answer, Endpoint, Limit
from controller.nat.strategies.pooling import POOLINGS
from controller.nat.verdicts import Refuse, Translate
from tests.support.core import ALICE, BOB, SERVER, TCP, UDP, Bench


def of(host: Endpoint, port: int) -> Endpoint:
    """Return another endpoint of a host."""
    return Endpoint(host.address, port)


def addresses(bench: Bench, host: Endpoint, mappings: int) -> list[int]:
    """Let a host make mappings, and return the last byte of each one's external address."""
    return [bench.open(of(host, port), SERVER, UDP).external.address & 0xFF for port in range(mappings)]


def test_paired_pooling_keeps_a_subscriber_at_one_address() -> None:
    """RFC 4787 REQ-2; the next subscriber gets the next address."""
    bench = Bench(pooling=POOLINGS["paired"], addresses=3)

    assert addresses(bench, ALICE, 4) == [1, 1, 1, 1]
    assert addresses(bench, BOB, 4) == [2, 2, 2, 2]


def test_a_subscriber_that_comes_back_takes_its_turn() -> None:
    """With its last mapping the pairing ends."""
    bench = Bench(pooling=POOLINGS["paired"], addresses=3)
    bench.roll_back(bench.open(ALICE, SERVER, UDP))

    assert bench.open(ALICE, SERVER, UDP).external.address & 0xFF == 2


def test_soft_pairing_spills_over_only_when_the_own_address_is_full() -> None:
    """RFC 7857 section 4, "soft-APP"; then the pool is what runs out."""
    bench = Bench(pooling=POOLINGS["paired-soft"], addresses=3, ports=2)
    addresses(bench, BOB, 1)

    assert addresses(bench, ALICE, 5) == [2, 2, 1, 3, 3]
    assert bench.outbound(UDP, of(ALICE, 9)) == Refuse(Limit.POOL, Answer.NOTHING)
    assert bench.nat.counters[UDP].dropped_address_packets == 1


def test_round_robin_takes_the_addresses_in_turn() -> None:
    """RFC 8512 address-allocation-type; a full one is passed over."""
    bench = Bench(pooling=POOLINGS["roundrobin"], addresses=3, ports=3)

    assert addresses(bench, ALICE, 9) == [1, 2, 3, 1, 2, 3, 1, 2, 3]
    assert bench.outbound(UDP, of(ALICE, 9)) == Refuse(Limit.POOL, Answer.NOTHING)


def test_addresses_in_order_are_filled_one_after_the_other() -> None:
    """A port that comes back at an earlier address is the next to be given."""
    bench = Bench(pooling=POOLINGS["in-order"], addresses=3, ports=2)
    mapping = bench.open(BOB, SERVER, UDP)

    assert addresses(bench, ALICE, 5) == [1, 2, 2, 3, 3]
    assert bench.outbound(UDP, of(ALICE, 9)) == Refuse(Limit.POOL, Answer.NOTHING)

    bench.roll_back(mapping)
    bench.sleep(1.0)
    assert bench.open(of(ALICE, 9), SERVER, UDP).external.address & 0xFF == 1


def test_arbitrary_pooling_may_take_any_address_and_uses_every_port() -> None:
    """RFC 4787 section 4.1: one subscriber has several addresses, in no order."""
    bench = Bench(pooling=POOLINGS["arbitrary"], addresses=3, ports=20)

    taken = addresses(bench, ALICE, 60)

    assert {address: taken.count(address) for address in (1, 2, 3)} == {1: 20, 2: 20, 3: 20}
    assert set(taken[:20]) == {1, 2, 3}
    assert bench.outbound(UDP, of(ALICE, 99)) == Refuse(Limit.POOL, Answer.NOTHING)


@pytest.mark.parametrize("name", POOLINGS)
def test_what_has_run_out_is_named(name: str) -> None:
    """RFC 7857 section 4: the one address of a paired subscriber; else the pool, which is nobody's own."""
    bench = Bench(pooling=POOLINGS[name], addresses=2, ports=1)
    first = bench.open(of(ALICE, 1), SERVER, UDP)
    if name != "paired":
        bench.open(of(ALICE, 2), SERVER, UDP)

    bench.outbound(UDP, of(ALICE, 3))

    (event,) = [event for _, event in bench.log if isinstance(event, LimitReached)]
    expected = (Limit.PORTS, first.external.address) if name == "paired" else (Limit.POOL, None)
    assert (event.limit, event.subject) == expected


@pytest.mark.parametrize("name", POOLINGS)
def test_one_address_serves_every_protocol(name: str) -> None:
    """Ports of one protocol take none of another's."""
    bench = Bench(pooling=POOLINGS[name], addresses=1, ports=1)
    bench.open(ALICE, SERVER, TCP)

    assert isinstance(bench.outbound(UDP, ALICE), Translate)
