"""What a replay of many protocols leaves out, what it tells apart, and what is the machine's lateness."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags
from controller.settings import Settings
from controller.settings.declared import Question, ask_by, known, told
from testbed.plan.arrivals import Arrival, Ending
from testbed.plan.traces.record import Record
from testbed.replay.alike import refused_alike
from testbed.replay.course import foreseen, of_trace
from testbed.replay.figures import TooFewError
from testbed.replay.many import (
    MOST_ADDRESSES,
    MOST_ENDPOINTS,
    _both,
    first_of_each,
    is_counted,
    lateness,
    most_destinations,
)
from testbed.replay.places import places
from testbed.replay.trace import OfTrace, ReplayTrace
from testbed.traffic.records import Attempt, Sighting
from tests.support.experiments import experiment
from tests.support.paths import ROOT

NOBODY = ("", 0)
SERVER = Endpoint(0xC6336401, 443)


def arrival(
    at: float,
    *,
    port: int = 1024,
    protocol: Protocol = Protocol.TCP,
    server: int = 0,
    ending: Ending = Ending.FIN,
) -> Arrival:
    """Return an attempt of the only host."""
    packet = Packet(protocol, Endpoint(0x0A000001, port), Endpoint(0xC6336401 + server, 443), TcpFlags.SYN)
    return at, packet, at + 1, ending, 0, server


def attempt(sent: float, done: float, outcome: str = "established") -> Attempt:
    """Return what became of it."""
    return Attempt(1, 1, outcome, "", NOBODY, NOBODY, NOBODY, sent, done, 0)


def test_a_second_connection_of_the_same_two_endpoints_is_left_out() -> None:
    """A kernel keeps the endpoints of the first one for a minute, which no pace divides."""
    every = [arrival(0.0), arrival(1.0, port=1025), arrival(2.0), arrival(3.0, protocol=Protocol.UDP)]

    assert [each[0] for each in first_of_each(every, places(every, MOST_ENDPOINTS))] == [0.0, 1.0, 3.0]


@pytest.mark.parametrize("protocol", Protocol)
def test_one_source_port_has_a_connection_to_each_endpoint_of_the_lab(protocol: Protocol) -> None:
    """Toward two destinations that share an endpoint the second one is the first again, for any protocol."""
    every = [arrival(float(server), port=123, protocol=protocol, server=server) for server in range(8)]

    assert [each[0] for each in first_of_each(every, places(every, 4))] == [0.0, 1.0, 2.0, 3.0]
    assert [*first_of_each(every, places(every, 8))] == every


def test_an_endpoint_that_stays_silent_is_another_than_the_one_that_answers() -> None:
    """A plan's destination may be both."""
    every = [arrival(0.0, ending=Ending.UNANSWERED), arrival(1.0), arrival(2.0, ending=Ending.UNANSWERED)]

    assert [each[0] for each in first_of_each(every, places(every, 4))] == [0.0, 1.0]


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({}, MOST_ENDPOINTS),
        ({"port_overlapping": "endpoint", "mapping_type": "edm", "filtering_type": "edf"}, MOST_ENDPOINTS),
        ({"port_overlapping": "address", "mapping_type": "adm", "filtering_type": "adf"}, MOST_ADDRESSES),
    ],
)
def test_destinations_are_told_apart_as_the_nat_does(settings: dict[str, Any], most: int) -> None:
    """By address, a lab has fewer of them."""
    assert most_destinations(Settings(**settings).for_nat()) == most


def test_a_late_start_and_a_late_answer_are_lateness_and_a_refusal_is_none() -> None:
    """Two hundred attempts begin 7 s after the plan's time, as the most punctual one does; a few are later."""
    arrivals = [arrival(float(number)) for number in range(200)]
    punctual = [attempt(7.0 + number, 7.01 + number) for number in range(200)]

    assert lateness(arrivals, punctual) == pytest.approx(0.01)
    refused = [attempt(7.0 + number, 8.0 + number, "timeout") for number in range(100)]
    assert lateness(arrivals, [*refused, *punctual[100:]]) == pytest.approx(0.01)
    late = [attempt(7.3 + number, 7.3 + number) for number in range(5)]
    assert lateness(arrivals, [*late, *punctual[5:]]) == pytest.approx(0.3)
    slow = [attempt(7.0 + number, 7.4 + number) for number in range(5)]
    assert lateness(arrivals, [*slow, *punctual[5:]]) == pytest.approx(0.4)
    assert lateness(arrivals, [late[0], *punctual[1:]]) == pytest.approx(0.01)


def test_what_is_counted_was_answered_by_its_server_when_the_nat_was_full() -> None:
    """Of the rest nobody can tell whether it was refused."""
    assert is_counted(arrival(5.0), 5.0)
    assert not is_counted(arrival(4.9), 5.0)
    assert not is_counted(arrival(5.0, ending=Ending.UNANSWERED), 5.0)


def test_a_part_with_too_few_attempts_is_not_replayed_and_a_class_of_one_s_own_is_asked_itself() -> None:
    """Before there is a server: this lab has none."""
    file = ROOT / "docs" / "examples" / "traces" / "conn.json"
    x, _ = experiment(parameters=OfTrace(trace=str(file), attempts=9))
    ask_by(known({}))
    try:
        with pytest.raises(TooFewError, match=r"attempts would be counted, .*; take a plan"):
            ReplayTrace().run(x)
        assert told(Question("mine.py:Mine")) is None
    finally:
        ask_by(None)


def test_an_attempt_that_a_server_saw_was_not_refused_although_its_answer_was_late() -> None:
    """And what is not counted has no share."""
    arrivals = [arrival(float(number), port=1024 + number) for number in range(4)]
    seen = Sighting(7, "192.0.2.1", 1024, 2.0, 2.0, NOBODY)
    attempts = [
        attempt(0.0, 0.8, "timeout"),
        attempt(1.0, 1.0),
        replace(attempt(2.0, 2.8, "timeout"), nonce=seen.nonce),
        attempt(3.0, 3.8, "timeout"),
    ]
    x, _ = experiment(sightings=[seen])

    both = _both(x, Settings().for_nat(), arrivals, attempts, [False, True, True, True])

    assert both.wire == [False, False, True]
    assert (both.core, both.groups) == ([False] * 3, [0] * 3)


def test_the_core_reads_the_counts_of_flows_together_as_it_did_before_the_run() -> None:
    """So the same attempts at their own times are refused alike."""
    nat = Settings(ports=150, udp_timeout=5.0, hold_down_timeout=0.0).for_nat()
    drawn = random.Random(3)
    times = sorted(drawn.uniform(0, 100) for _ in range(1500))
    sources = [Endpoint(0x0A000001, 1024 + number) for number in range(1500)]
    records = [
        Record(at, at + 20 * drawn.random(), Protocol.UDP, source, SERVER, Ending.SILENCE)
        for at, source in zip(times, sources, strict=True)
    ]
    course = of_trace(records, 1.0)
    arrivals = course.until(999.0)
    lives = [each[2] - each[0] for each in arrivals]
    punctual = [attempt(each[0], each[0]) for each in arrivals]

    refused = sum(refused_alike(nat, arrivals, lives, punctual))

    assert refused == foreseen(course, nat, 1, warm_up=0.0, until=999.0).means.refused > 100
