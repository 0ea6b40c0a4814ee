"""How long UDP mappings (RFC 4787) and ICMP query mappings (RFC 5508) live.

Timers here: 8 s for UDP, 4 s for ICMP; each is examined four times within its timeout.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.nat.model import Endpoint, Protocol
from controller.nat.verdicts import Translate
from tests.support.core import ALICE, BOB, ICMP, MIRROR, SERVER, SYN, TCP, UDP, Bench

TIMEOUTS = {UDP: 8.0, ICMP: 4.0}
both = pytest.mark.parametrize("protocol", TIMEOUTS, ids=["udp", "icmp"])


@both
def test_a_mapping_that_is_not_used_ends_at_its_timeout_and_at_most_a_quarter_later(protocol: Protocol) -> None:
    """RFC 4787 REQ-5, RFC 5508 REQ-2: a mapping never ends sooner than its timeout."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, protocol)

    bench.sleep(TIMEOUTS[protocol] - 0.001)
    assert bench.is_live(mapping)

    bench.sleep(TIMEOUTS[protocol] / 4 + 0.001)
    assert [reason for _, reason in bench.releases()] == ["IDLE"]


@given(gaps=st.lists(st.floats(0.0, 7.75), max_size=12))
def test_outbound_packets_refresh_a_udp_mapping_whenever_they_come(gaps: list[float]) -> None:
    """RFC 4787 REQ-6: from the last outbound packet on it lives its timeout, and at most a quarter more."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, UDP)
    for gap in gaps:
        bench.sleep(gap)
        assert bench.is_live(mapping)
        bench.forward(mapping, outbound=1)
    last = bench.now

    bench.sleep(30.0)

    ((ended, reason),) = bench.releases()
    assert reason == "IDLE"
    assert 8.0 <= ended - last <= 10.0


@given(gaps=st.lists(st.floats(0.0, 3.75), max_size=12))
@example(gaps=[1.05])  # shortly after an examination
def test_queries_refresh_an_icmp_mapping_whenever_they_come(gaps: list[float]) -> None:
    """RFC 5508 REQ-2: from the last query on it lives its timeout, and at most a quarter more."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, ICMP)
    for gap in gaps:
        bench.sleep(gap)
        assert bench.open(ALICE, MIRROR, ICMP) is mapping
    last = bench.now

    bench.sleep(30.0)

    ((ended, reason),) = bench.releases()
    assert reason == "IDLE"
    assert 4.0 <= ended - last <= 5.0


def test_inbound_packets_alone_do_not_refresh_a_udp_mapping() -> None:
    """RFC 4787 REQ-6a would allow it, and then outsiders could keep a port for ever."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, UDP)

    for _ in range(10):
        bench.forward(mapping, inbound=1)
        bench.sleep(1.0)

    assert not bench.is_live(mapping)


def test_inbound_packets_that_the_controller_forwards_do_not_refresh() -> None:
    """What refreshes a mapping does not depend on the way that a packet takes."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, UDP)

    for _ in range(10):
        bench.inbound(UDP, SERVER, mapping.external)
        bench.sleep(1.0)

    assert not bench.is_live(mapping)


@both
def test_outbound_packets_that_the_controller_forwards_refresh(protocol: Protocol) -> None:
    """Each ICMP query passes the controller; a UDP packet may while the switch's cache is old."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, protocol)

    for _ in range(10):
        bench.sleep(TIMEOUTS[protocol] - 0.25)
        assert bench.open(ALICE, SERVER, protocol) is mapping


def test_replies_do_not_refresh_an_icmp_mapping() -> None:
    """RFC 5508 REQ-2: a mapping is idle when its host sends no query."""
    bench = Bench()
    mapping = bench.open(ALICE, SERVER, ICMP)

    for _ in range(10):
        bench.inbound(ICMP, Endpoint(SERVER.address, 0), mapping.external)
        bench.sleep(0.5)

    assert not bench.is_live(mapping)


@both
def test_a_mapping_is_the_same_toward_every_destination(protocol: Protocol) -> None:
    """RFC 4787 REQ-1, RFC 5508 REQ-1a: endpoint-independent mapping."""
    bench = Bench()
    first = bench.open(ALICE, SERVER, protocol)

    assert bench.open(ALICE, MIRROR, protocol) is first
    assert bench.open(ALICE, Endpoint(SERVER.address, 9), protocol) is first
    assert len(bench.nat) == 1


@both
def test_equal_ports_of_two_hosts_get_two_mappings(protocol: Protocol) -> None:
    """RFC 4787 REQ-3, RFC 5508 REQ-1a: two internal endpoints never share an external one."""
    bench = Bench()

    assert bench.open(ALICE, SERVER, protocol).external != bench.open(BOB, SERVER, protocol).external


def test_the_protocols_have_mappings_of_their_own() -> None:
    """RFC 7857 section 5: one endpoint's TCP, UDP and ICMP mappings come and go without one another."""
    bench = Bench(ports=1)
    mappings = {protocol: bench.open(ALICE, SERVER, protocol) for protocol in Protocol}

    assert len(bench.nat) == 3
    assert {mapping.external.port for mapping in mappings.values()} == {1024}

    bench.roll_back(mappings[UDP])
    assert bench.is_live(mappings[TCP])
    assert bench.is_live(mappings[ICMP])
    assert not isinstance(bench.inbound(UDP, SERVER, mappings[TCP].external), Translate)
    assert isinstance(bench.inbound(TCP, SERVER, mappings[TCP].external, SYN), Translate)
