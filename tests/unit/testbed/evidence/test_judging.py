"""What servers and the wire saw: sharing and intrusion in time, and SYNs that were held or sent again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.settings import Settings
from testbed.evidence.judging import heard, held, intruded, keeps, lasting, sent_again, shared, waits
from testbed.traffic.records import Sighting
from testbed.traffic.wire import Endpoint
from tests.support.evidence import EXTERNAL, MIRROR, SERVER, on_wire, seen, waiting
from topologies.gateways.openflow.gateway import OpenFlowGateway

# Sharing


@pytest.mark.parametrize("last", [2.0, 3.0, 9.0], ids=["once", "a while", "longer than the other"])
def test_two_attempts_on_one_endpoint_at_the_same_time_share_it(last: float) -> None:
    """RFC 4787 REQ-3, RFC 5382 REQ-7: the second came before the first was done; both are named."""
    assert shared([seen(1, 1.0, 5.0), seen(2, 2.0, last)]) == {1, 2}


@pytest.mark.parametrize("first", [3.0, 4.0], ids=["at that moment", "a while after"])
def test_one_attempt_after_the_other_is_no_sharing(first: float) -> None:
    """A port is there to be used again."""
    assert shared([seen(1, 1.0, 3.0), seen(2, first, 9.0)]) == set()


def test_different_endpoints_are_not_shared() -> None:
    """Another port or another address is another endpoint."""
    sightings = [seen(1, 1.0, 9.0), seen(2, 2.0, 9.0, port=1025), seen(3, 3.0, 9.0, address="192.0.2.2")]

    assert shared(sightings) == set()


def test_protocols_have_ports_of_their_own() -> None:
    """TCP port 1024 and UDP port 1024 are two different things."""
    assert shared([seen(1, 1.0, 9.0), seen(2, 2.0, 9.0, protocol="udp")]) == set()


def test_a_port_may_be_in_use_toward_two_destinations() -> None:
    """RFC 7857 section 3: such port overlapping is no sharing."""
    assert shared([seen(1, 1.0, 9.0), seen(2, 2.0, 9.0, target=MIRROR)]) == set()


def test_a_long_attempt_shares_with_every_attempt_that_comes_meanwhile() -> None:
    """An attempt that comes after another has gone counts as well."""
    assert shared([seen(1, 1.0, 10.0), seen(2, 2.0, 3.0), seen(3, 4.0, 5.0), seen(4, 11.0, 12.0)]) == {1, 2, 3}


def test_without_sightings_nothing_is_shared() -> None:
    """A run may be without traffic."""
    assert shared([]) == set()


@given(
    spans=st.lists(
        st.tuples(st.integers(1, 2), st.integers(0, 12), st.integers(0, 6)),
        max_size=8,
        unique_by=lambda span: span[1],
    )
)
def test_sharing_is_overlap_in_time_of_any_two(spans: list[tuple[int, int, int]]) -> None:
    """In any order of the sightings the result is that of comparing every pair."""
    sightings = [
        seen(nonce, float(first), float(first + length), port=port)
        for nonce, (port, first, length) in enumerate(spans)
    ]

    expected = set()
    for one, other in itertools.combinations(sorted(sightings, key=lambda each: each.first), 2):
        if one.port == other.port and other.first < one.last:
            expected |= {one.nonce, other.nonce}
    assert shared(sightings) == expected


# Sharing that no server can see: its kernel holds one connection with one remote endpoint

OWN, OTHER = 11, 22
"""Initial sequence numbers."""


@pytest.mark.parametrize(
    ("syns", "found"),
    [
        ([(OWN, 0.9), (OTHER, 3.0)], {1}),
        ([(OWN, 0.9), (OWN, 3.0)], set()),
        ([(OTHER, 0.5), (OWN, 0.9), (OTHER, 3.0)], set()),
        ([(OWN, 0.9), (OTHER, 5.0)], set()),
        ([(OWN, 0.9), (OTHER, 6.0)], set()),
        ([(OTHER, 3.0)], {1}),
        ([], set()),
    ],
    ids=[
        "another's, in the middle",
        "its own, sent again",
        "one that was there before, sent again",
        "another's, at the end",
        "another's, afterwards",
        "its own was not read",
        "none",
    ],
)
def test_a_strange_syn_on_a_connection_in_use_is_an_intrusion(
    syns: list[tuple[int, float]], found: set[int]
) -> None:
    """A client is seen from 1 to 5: a SYN with a sequence number that was not there before intrudes."""
    assert intruded([seen(1, 1.0, 5.0)], {(EXTERNAL, SERVER): syns}) == found


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=8),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_an_intrusion_is_any_strange_syn_strictly_within_the_time_of_use(
    syns: list[tuple[int, int]], first: int, last: int
) -> None:
    """Among any SYNs of a port, in the order of their times."""
    on_wire = sorted(((number, float(at)) for number, at in syns), key=lambda syn: syn[1])
    own = {number for number, at in on_wire if at <= first}
    is_strange = any(first < at < last and number not in own for number, at in on_wire)

    assert bool(intruded([seen(1, first, last)], {(EXTERNAL, SERVER): on_wire})) == is_strange


@pytest.mark.parametrize(
    "other",
    [
        seen(1, 1.0, 5.0, target=MIRROR),
        seen(1, 1.0, 5.0, port=1025),
        seen(1, 1.0, 5.0, address="192.0.2.2"),
        seen(1, 1.0, 5.0, protocol="udp"),
    ],
    ids=["destination", "port", "address", "protocol"],
)
def test_a_syn_for_something_else_is_no_intrusion(other: Sighting) -> None:
    """It has to be for the same external endpoint, toward the same destination, over TCP."""
    assert intruded([other], {(EXTERNAL, SERVER): [(OTHER, 3.0)]}) == set()


def test_traffic_that_only_the_wire_sees_counts_as_use() -> None:
    """A second client's kernel has reset a connection; its first client goes on sending on the wire."""
    first, second = seen(1, 1.0, 1.0), seen(2, 3.0, 3.0)
    wire = {(EXTERNAL, SERVER): {1: 5.0, 2: 3.0}}

    assert shared([first, second]) == set()
    assert shared(heard([first, second], wire)) == {1, 2}
    assert intruded(heard([first], wire), {(EXTERNAL, SERVER): [(OWN, 0.9), (OTHER, 3.0)]}) == {1}


def test_a_server_that_hears_late_is_corrected_by_the_wire() -> None:
    """When the port was another's, it was no longer used; where the wire knows nothing, the server does."""
    late = seen(1, 1.0, 5.0)
    corrected = heard([late], {(EXTERNAL, SERVER): {1: 3.0, 2: 9.0}})

    assert not intruded(corrected, {(EXTERNAL, SERVER): [(OWN, 0.9), (OTHER, 4.0)]})
    assert heard([late], {(EXTERNAL, MIRROR): {1: 9.0}}) == [late]
    assert heard([late], {}) == [late]


# Held


def test_a_syn_that_passed_late_was_held() -> None:
    """Its kernel sent it once, and the wire outside saw it a third of a second later."""
    assert held([waiting(seconds=0.4)], on_wire(10.35)) == {1}


def test_a_syn_that_passed_at_once_was_not_held() -> None:
    """It does not matter how late the answer came."""
    assert held([waiting(seconds=0.4)], on_wire(10.01)) == set()


def test_the_time_on_the_client_s_own_link_is_not_the_nat_s() -> None:
    """A link of a third of a second holds the SYN, and no NAT does; beyond it a NAT has held it."""
    assert held([waiting(seconds=0.4)], on_wire(10.35), under_way=0.3) == set()
    assert held([waiting(seconds=0.6)], on_wire(10.45), under_way=0.3) == {1}


def test_a_port_that_another_used_before_says_nothing() -> None:
    """Ports are used again: only a SYN of the attempt's own time counts."""
    assert held([waiting(seconds=0.4)], on_wire(5.0, 10.35, 20.0)) == {1}
    assert held([waiting(seconds=0.4)], on_wire(5.0, 20.0)) == set()


def test_an_attempt_that_was_sent_again_was_not_held() -> None:
    """The second SYN of its kernel may have established it."""
    assert held([waiting(seconds=1.1, retransmissions=1)], on_wire(11.0)) == set()


def test_a_hello_that_is_sent_again_is_no_second_syn() -> None:
    """A kernel counts both; the wire outside saw one SYN, and that before a second one was due."""
    assert sent_again([waiting(seconds=0.3, retransmissions=1)], on_wire(10.01)) == set()
    assert sent_again([waiting(seconds=1.2, retransmissions=2)], on_wire(10.35)) == set()
    assert held([waiting(seconds=1.2, retransmissions=2)], on_wire(10.35)) == {1}


def test_a_second_syn_is_one_whether_or_not_the_first_passed() -> None:
    """An attempt was sent again even if none of its SYNs passed."""
    twice = {(EXTERNAL, SERVER): [(7, 10.01), (7, 11.02)]}

    assert sent_again([waiting(seconds=1.1, retransmissions=1)], on_wire(11.02)) == {1}
    assert sent_again([waiting(seconds=1.1, retransmissions=1)], twice) == {1}
    assert sent_again([waiting(seconds=4.0, outcome="timeout", retransmissions=2)], {}) == {1}
    assert sent_again([waiting(seconds=1.1)], on_wire(11.02)) == set()


def test_a_wait_lasts_until_the_wire_outside_sees_the_syn() -> None:
    """The client may notice later; a SYN of the port's previous user does not count."""
    assert waits([waiting(seconds=1.5)], on_wire(10.01, 10.35)) == {1: pytest.approx(0.35)}
    assert waits([waiting(seconds=1.5, outcome="timeout")], on_wire(10.35)) == {}


def test_a_refused_attempt_was_not_held() -> None:
    """Only an established attempt can have been held."""
    assert held([waiting(seconds=0.8, outcome="timeout")], on_wire(10.5)) == set()


# How long an endpoint had to be kept

KEPT = {"tcp": 10.0, "udp": 5.0}
TCP_ENDS = {(EXTERNAL, SERVER): [0.5, 4.0, 7.0]}


@pytest.mark.parametrize(
    ("protocol", "ends", "until"),
    [("tcp", {}, 13.0), ("tcp", TCP_ENDS, 4.0), ("udp", TCP_ENDS, 8.0), ("icmp", {}, 3.0)],
    ids=["never ended", "ended", "datagrams have no end", "nothing is promised"],
)
def test_an_endpoint_is_kept_until_the_end_or_as_long_as_promised(
    protocol: str, ends: dict[tuple[Endpoint, Endpoint], list[float]], until: float
) -> None:
    """An end before the last sighting belongs to another connection."""
    (lasted,) = lasting([seen(1, 1.0, 3.0, protocol=protocol)], ends, KEPT)

    assert lasted == seen(1, 1.0, until, protocol=protocol)


def test_an_endpoint_that_was_seen_once_is_not_to_be_shared() -> None:
    """Two attempts are each seen for a moment; the second comes while the first one's endpoint had to be kept."""
    sightings = [seen(1, 1.0, 1.0, protocol="udp"), seen(2, 4.0, 4.0, protocol="udp")]

    assert shared(sightings) == set()
    assert shared(lasting(sightings, {}, KEPT)) == {1, 2}


def test_the_declaration_of_a_gateway_says_how_long_it_keeps_an_endpoint() -> None:
    """It is a little less than the shortest time of all gateways; where one evicts, there is none."""
    plain, hasty, thief = (
        OpenFlowGateway.declare(Settings.model_validate(settings), None)
        for settings in ({"udp_timeout": 200}, {"udp_timeout": 120}, {"on_exhaustion": "evict-lru"})
    )

    assert keeps([plain, hasty])["udp"] == pytest.approx(0.9 * (120 + 120))
    assert keeps([plain])["tcp"] == pytest.approx(0.9 * (7440 + 240 + 0.5))
    assert keeps([plain, thief]) == {}
