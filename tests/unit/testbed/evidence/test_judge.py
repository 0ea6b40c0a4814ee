"""Attempts that a NAT let through after they had been given up: by the wire, and by the servers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from testbed.evidence.judge import Judge
from testbed.traffic.records import Sighting
from tests.support.evidence import attempt, seen


def judge(*sightings: Sighting, connections: int = 0) -> Judge:
    """Return a judge whose servers saw these clients, and whose wire saw this number of connections."""
    tcp: Any = SimpleNamespace(connections=lambda: connections)
    others: Any = SimpleNamespace()
    return Judge([], tcp, lambda: list(sightings), {}, strays=others, oddities=others, knowing=others)


@pytest.mark.parametrize(("connections", "late"), [(0, 0), (2, 0), (3, 1), (4, 2), (9, 2)])
def test_over_tcp_the_wire_shows_how_many_got_through_late(connections: int, late: int) -> None:
    """Two were established, and two were given up: no more of these than that."""
    made = [attempt(1), attempt(2), attempt(3, "timeout"), attempt(4, "timeout")]

    assert judge(connections=connections).let_through_late(made) == late


def test_a_datagram_of_one_that_was_given_up_is_seen_by_a_server() -> None:
    """There is no SYN on the wire."""
    made = [attempt(1), attempt(2, "timeout"), attempt(3, "timeout")]

    assert judge(seen(1, 1.0, 2.0), seen(3, 1.0, 2.0)).let_through_late(made) == 1


def test_where_none_was_given_up_none_is_late() -> None:
    """A further connection is another question."""
    assert judge(connections=2).let_through_late([attempt(1)]) == 0
