"""The lab's places for a plan's subscribers and destinations."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags
from testbed.plan.arrivals import Arrival, Ending
from testbed.replay.places import Map, Places, destination_of, places, shared_out

SUBSCRIBERS, SERVERS = 0x64400001, 0xC6120000
HOSTS, ADDRESSES = 3, 4
LAB = [[0x0A400000 + (host << 8) + place for place in range(ADDRESSES)] for host in range(HOSTS)]
ANSWERING = [Endpoint(0xC6336401 + number % 4, 4433 + number // 4) for number in range(50)]
SILENT = [Endpoint(0xC6336401 + number % 4, 20_000 + number // 4) for number in range(50)]

ATTEMPTS = st.lists(
    st.builds(
        lambda at, subscriber, port, server, ending: (
            at,
            Packet(
                Protocol.TCP,
                Endpoint(SUBSCRIBERS + subscriber, 1024 + port),
                Endpoint(SERVERS + server, 443),
                TcpFlags.SYN,
            ),
            at + 1.0,
            ending,
            0,
            server,
        ),
        st.floats(0, 100),
        st.integers(0, HOSTS * ADDRESSES - 1),
        st.integers(0, 1000),
        st.integers(0, 60),
        st.sampled_from(Ending),
    ),
    min_size=1,
    max_size=80,
)


def lab(found: Places) -> Map:
    """Return the lab's addresses for these places."""
    return Map(found, LAB, ANSWERING, SILENT)


@given(ATTEMPTS, st.integers(2, 50))
def test_distinct_destinations_are_distinct_endpoints_as_far_as_there_are_enough(
    attempts: list[Arrival], most: int
) -> None:
    """The most popular ones always; and one that never answers is apart from all that do."""
    found = places(attempts, most)
    moved = [lab(found).moved(each) for each in attempts]
    theirs: dict[Endpoint, set[Endpoint]] = {}
    for before, after in zip(attempts, moved, strict=True):
        theirs.setdefault(after[1].destination, set()).add(before[1].destination)
        assert (after[1].destination in SILENT) == (before[3] is Ending.UNANSWERED)
    destinations = Counter(destination_of(each) for each in attempts)
    if max(Counter(silent for _, silent in destinations).values()) <= most:
        assert all(len(each) == 1 for each in theirs.values())
        assert found.sharing == 0
    assert len({endpoint for endpoint in theirs if endpoint not in SILENT}) == found.count(silent=False) <= most


@given(ATTEMPTS)
def test_subscribers_have_an_address_each_and_nothing_else_changes(attempts: list[Arrival]) -> None:
    """Neither the times nor their order, nor the source ports, nor the ends."""
    moved = [lab(places(attempts, 50)).moved(each) for each in attempts]
    pairs = {(a[1].source.address, b[1].source.address) for a, b in zip(attempts, moved, strict=True)}

    assert len(pairs) == len({before for before, _ in pairs}) == len({after for _, after in pairs})
    for before, after in zip(attempts, moved, strict=True):
        assert (before[0], *before[2:]) == (after[0], *after[2:])
        assert before[1].source.port == after[1].source.port


def test_what_has_no_endpoint_of_its_own_shares_those_of_the_less_popular() -> None:
    """The first half, to which most goes, is never shared."""
    assert [shared_out(rank, 4) for rank in range(8)] == [0, 1, 2, 3, 2, 3, 2, 3]
