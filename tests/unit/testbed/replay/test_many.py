"""What a replay of many protocols leaves out, what it tells apart, and what is the machine's lateness."""

from __future__ import annotations

from typing import Any

import pytest

from controller.nat.model import Endpoint, Packet, Protocol, TcpFlags
from controller.settings import Settings
from controller.settings.declared import Question, ask_by, known, told
from testbed.plan.arrivals import Arrival, Ending
from testbed.replay.figures import TooFewError
from testbed.replay.many import (
    MOST_ADDRESSES,
    MOST_ENDPOINTS,
    first_of_each,
    is_counted,
    lateness,
    most_destinations,
)
from testbed.replay.places import places
from testbed.replay.trace import OfTrace, ReplayTrace
from testbed.traffic.records import Attempt
from tests.support.experiments import experiment
from tests.support.paths import ROOT


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
    nobody = ("", 0)
    return Attempt(1, 1, outcome, "", nobody, nobody, nobody, sent, done, 0)


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
