"""The course of a plan in a lab: the plan's own attempts, in less time."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.nat.model import Endpoint, Protocol
from controller.settings import Settings
from testbed.plan.arrivals import Ending
from testbed.plan.parameters import PlanParameters
from testbed.plan.traces.record import Record
from testbed.plan.workload import Workload, populations
from testbed.replay.course import Course, foreseen, of_subscribers, of_trace
from testbed.replay.rows import rows
from testbed.replay.trace import OfTrace
from tests.unit.testbed.plan.traces.test_pcap import frame, pcap

PARAMETERS = PlanParameters(subscribers=12, light=0.5, heavy=0)
CLIENT, SERVER = Endpoint.parse("10.0.0.1:4000"), Endpoint.parse("198.51.100.1:443")


def course(pace: float) -> Course:
    """Return what a dozen subscribers do."""
    return of_subscribers(PARAMETERS, populations(PARAMETERS), pace, seed=5)


@given(st.floats(0.01, 1))
def test_the_attempts_are_those_of_the_plan_at_another_pace(pace: float) -> None:
    """In the same order, with the same packets and endings; all times are multiplied."""
    workload = Workload(PARAMETERS, random.Random("5 arrivals"))
    planned = [each for _, batch in itertools.islice(workload.seconds(), 40) for each in batch]
    lab = course(pace).until(30 * pace)

    assert lab
    for before, after in zip(planned, lab, strict=False):
        assert (after[0], after[2]) == (before[0] * pace, before[2] * pace)
        assert (after[1], after[3]) == (before[1], before[3])
    assert [each[0] for each in lab] == sorted(each[0] for each in lab)


def test_attempts_are_told_apart_by_class_and_protocol() -> None:
    """The number of a class in an attempt becomes that of both."""
    made = course(0.5)
    for _, packet, _, _, group, _ in made.until(20.0):
        assert made.groups[group].protocol == packet.protocol.name.lower()
    assert {each.of for each in made.groups} == {"light", "typical"}


def test_a_course_without_a_pace_is_refused_what_the_plan_is() -> None:
    """But for the reading of counts, which a gateway does for many flows at once."""
    nat = Settings(ports=1500).for_nat()
    seen = foreseen(course(1.0), nat, 5, warm_up=0.0, until=600.0)

    assert seen.means.offered == sum(seen.offered) == pytest.approx(len(course(1.0).until(600.0)), abs=30)
    assert 0 < seen.means.refused == sum(seen.refused) < seen.means.offered


def test_of_a_trace_every_attempt_has_its_time_since_the_first() -> None:
    """And the two protocols are told apart."""
    records = [
        Record(100.0, 101.0, Protocol.TCP, CLIENT, SERVER, Ending.FIN),
        Record(104.0, 109.0, Protocol.UDP, CLIENT, SERVER, Ending.SILENCE),
    ]
    made = of_trace(records, 0.5)

    assert [(each[0], each[2], each[4]) for each in made.until(90.0)] == [(0.0, 0.5, 0), (2.0, 4.5, 1)]


def test_attempts_without_an_answer_take_ports_and_are_not_counted() -> None:
    """Nobody could tell on the wire what became of them."""
    servers = [Endpoint.parse(f"198.51.100.{number}:443") for number in range(1, 5)]
    sources = [Endpoint.parse(f"10.0.0.1:{4000 + number}") for number in range(4)]
    endings = (Ending.UNANSWERED, Ending.FIN, Ending.FIN, Ending.UNANSWERED)
    made = of_trace(
        [Record(1.0, 9.0, Protocol.TCP, *each) for each in zip(sources, servers, endings, strict=True)], 1.0
    )
    seen = foreseen(made, Settings(ports=2).for_nat(), 5, warm_up=0.0, until=99.0)

    assert (seen.means.offered, seen.means.refused) == (2, 1)


def test_shares_are_counted_by_class_and_by_protocol() -> None:
    """A group without attempts has no row."""
    made = course(0.5)
    seen = foreseen(made, Settings().for_nat(), 5, warm_up=0.0, until=5.0)
    by_class, by_protocol = rows(made.groups, seen, [0, 0, 1], [True, False, False], [True, True, False])

    assert [(row.name, row.attempts, row.core, row.wire) for row in by_class] == [
        ("light", 3, pytest.approx(1 / 3), pytest.approx(2 / 3))
    ]
    assert [(row.name, row.core, row.wire) for row in by_protocol] == [("tcp", 0.5, 1.0), ("udp", 0.0, 0.0)]


def test_a_trace_has_the_lives_that_it_has_with_the_plan_s_own_timers(tmp_path: Path) -> None:
    """Two datagrams with 30 s between them are one attempt for a timer of 40 s, whatever the lab's pace is."""
    file = tmp_path / "two.pcap"
    file.write_bytes(pcap(*((at, frame(CLIENT, SERVER)) for at in (100.0, 130.0))))
    quicker = Settings(udp_timeout=40.0, time_scale=0.25).for_nat()

    (record,) = OfTrace(trace=str(file), pace=0.25).records(quicker)

    assert (record.at, record.ends) == (100.0, 130.0)
