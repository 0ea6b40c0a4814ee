"""The hold-down by the way in which a mapping ended: its port comes back in time, and never before."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.model import Answer, Dependence, EndedBy, Endpoint, Limit, Mapping, Protocol, Side
from controller.nat.pool import Pool
from controller.nat.subscribers import Subscriber
from controller.nat.verdicts import Refuse
from controller.settings import PORT_REST_S, Settings
from tests.support.core import (
    ALICE,
    BOB,
    CLOSING,
    ESTABLISHED,
    FIN,
    MIRROR,
    OPENING,
    RESET,
    RST,
    SERVER,
    SYN,
    TCP,
    UDP,
    UDP_TIMEOUT,
    Bench,
    first_packet,
)

EACH = {EndedBy.FIN: 65.0, EndedBy.RST: 16.0, EndedBy.IDLE: 33.0}
OWN_PER_DESTINATION = {
    "mapping": Dependence.ADDRESS_AND_PORT,
    "filtering": Dependence.ADDRESS_AND_PORT,
    "overlapping": Dependence.ADDRESS_AND_PORT,
}


def closes(bench: Bench, mapping: Mapping) -> None:
    """Let both sides end a connection."""
    bench.copy(mapping, Side.INSIDE, FIN)
    bench.copy(mapping, Side.OUTSIDE, FIN)


def is_reset(bench: Bench, mapping: Mapping) -> None:
    """Let the inside reset a connection."""
    bench.copy(mapping, Side.INSIDE, RST)


def is_answered(bench: Bench, mapping: Mapping) -> None:
    """Let the outside answer, and nothing else happen."""
    bench.forward(mapping, inbound=1)


def is_left(bench: Bench, mapping: Mapping) -> None:
    """Let nothing happen."""


@pytest.mark.parametrize("settings", [{}, OWN_PER_DESTINATION], ids=["no overlap", "overlap"])
@pytest.mark.parametrize(
    ("protocol", "ends", "kept", "held_down"),
    [
        (TCP, closes, CLOSING, 65.0),
        (TCP, is_reset, RESET, 16.0),
        (TCP, is_left, OPENING, 33.0),
        (TCP, is_answered, OPENING + ESTABLISHED + 2 * RESET, 33.0),
        (UDP, is_left, UDP_TIMEOUT * 1.25, 33.0),
    ],
    ids=["FIN", "RST", "unanswered", "idle", "UDP"],
)
def test_a_port_comes_back_after_the_time_for_its_ending(
    settings: dict[str, Any],
    protocol: Protocol,
    ends: Callable[[Bench, Mapping], None],
    kept: float,
    held_down: float,
) -> None:
    """For each ending another time, and also where RFC 6888 REQ-8 asks for none: TCP, or no strangers."""
    bench = Bench(ports=1, hold_down_by_end=EACH, **settings)
    mapping = bench.open(ALICE, SERVER, protocol)
    ends(bench, mapping)
    while bench.is_live(mapping):
        bench.sleep(0.25)
    assert bench.now <= kept + 1

    bench.sleep(held_down - 0.5)
    refused = bench.outbound(protocol, BOB, SERVER, first_packet(protocol))
    bench.sleep(0.75)

    assert refused == Refuse(Limit.PORTS, Answer.NOTHING)
    bench.open(BOB, SERVER, protocol)


def test_toward_another_destination_the_port_is_free_where_ports_overlap() -> None:
    """The time is that of the port and the destination."""
    bench = Bench(ports=1, hold_down_by_end=EACH, **OWN_PER_DESTINATION)
    closes(bench, bench.open(ALICE, SERVER))
    bench.sleep(CLOSING + 1)

    bench.open(BOB, MIRROR)

    assert bench.outbound(TCP, BOB, SERVER, SYN) == Refuse(Limit.PORTS, Answer.NOTHING)


def test_a_rst_after_the_idle_timer_counts_as_the_ending() -> None:
    """A host that is asked about a connection that it has forgotten answers so."""
    bench = Bench(ports=1, hold_down_by_end={EndedBy.RST: 1.0, EndedBy.IDLE: 99.0})
    mapping = bench.open(ALICE, SERVER)
    bench.forward(mapping, inbound=1)
    while not _is_idle(mapping):
        bench.sleep(0.25)
    is_reset(bench, mapping)
    bench.sleep(RESET * 2 + 1.0)

    bench.open(BOB, SERVER)


def _is_idle(mapping: Mapping) -> bool:
    (flow,) = mapping.flows
    return flow.connection is not None and flow.connection.state.name == "TRANS"


def test_what_is_not_set_stays_as_the_rfc_has_it() -> None:
    """UDP through an open filter is held down for hold_down_timeout; TCP is not."""
    nat = Bench(hold_down=9.0, hold_down_by_end={EndedBy.RST: 2.0, EndedBy.FIN: None}).nat.settings

    assert {by.name: nat.hold_down(UDP, by) + nat.rest for by in EndedBy} == {
        "FIN": 9.0,
        "RST": 2.0,
        "IDLE": 9.0,
        "OTHER": 9.0,
    }
    assert [nat.hold_down(TCP, by) for by in EndedBy] == [0.0, 1.5, 0.0, 0.0]


def test_the_settings_reach_the_core_and_are_scaled() -> None:
    """All times are multiplied by time_scale."""
    keys = {"hold_down_fin_timeout": 65, "hold_down_rst_timeout": 16, "hold_down_idle_timeout": 65}
    nat = Settings(**keys, time_scale=0.5).for_nat()

    assert nat.hold_down_by_end == {EndedBy.FIN: 32.5, EndedBy.RST: 8, EndedBy.IDLE: 32.5}
    assert set(Settings().for_nat().hold_down_by_end.values()) == {None}


@given(
    steps=st.lists(st.sampled_from(["give", "give", *EndedBy, "wait"]), max_size=50),
    most=st.none() | st.integers(0, 3),
)
def test_no_port_is_given_before_its_time_and_all_come_back(steps: list[Any], most: int | None) -> None:
    """In any order of endings; with too many held down, the one that is due first leaves early."""
    keys = {"hold_down_fin_timeout": 5, "hold_down_rst_timeout": 2, "hold_down_idle_timeout": 3}
    settings = Settings.model_validate({"ports": 6, "hold_down_max": most, **keys}).for_nat()
    pool, now, remote = Pool(settings, random.Random(1)), 0.0, Endpoint(99, 7)
    in_use: list[Endpoint] = []
    ready: dict[Endpoint, float] = {}
    for place, step in enumerate(steps):
        now += 0.3
        if step == "give":
            external = pool.allocate(TCP, Subscriber(10), Endpoint(10, place), remote, now)
            if isinstance(external, Endpoint):
                assert most is not None or ready.pop(external, 0.0) <= now + 1e-9
                in_use.append(external)
        elif step == "wait":
            list(pool.reclaim(now))
        elif in_use:
            gone = in_use.pop(place % len(in_use))
            pool.release(TCP, gone, remote, now, ended_by=step)
            ready[gone] = now + PORT_REST_S + settings.hold_down(TCP, step)
        usage = pool.usage(TCP)
        assert usage.allocated + usage.free + usage.resting + usage.held_down == 6
        if step == "wait" and most is not None:
            assert usage.held_down <= most
    list(pool.reclaim(now + 100))
    assert pool.usage(TCP).free == 6 - len(in_use)
    assert pool.next_deadline is None
