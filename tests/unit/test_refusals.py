"""What refused attempts must have in common, and what a gateway must have counted of them."""

from __future__ import annotations

import json
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from controller.settings import Settings
from testbed.experiment import promise as refusals
from testbed.experiment.promise import Promise, check_refused, packets_refused, settled
from testbed.experiment.report import Report
from testbed.sandbox.records import Channel
from testbed.traffic.records import Attempt
from topologies.gateways.base import Gateway
from topologies.gateways.openflow.gateway import OpenFlowGateway


def attempt(outcome: str, retransmissions: int = 0) -> Attempt:
    """One that ended so."""
    nowhere = ("", 0)
    return Attempt(1, 1, outcome, "", nowhere, nowhere, nowhere, 0.0, 1.0, retransmissions)


def promise(**settings: Any) -> Promise:
    """What our gateway promises under these settings."""
    chosen = Settings(**settings)
    behaviour = OpenFlowGateway.declare(chosen, OpenFlowGateway.Options())
    return Promise.of(behaviour, chosen, protocol="tcp", clients=1)


def checked(*attempts: Attempt, **settings: Any) -> list[dict[str, Any]]:
    """Return the checks that are made of them."""
    ours, theirs = socket.socketpair()
    check_refused(attempts, promise(**settings), Report(Channel(theirs)))
    theirs.close()
    with ours, ours.makefile() as lines:
        return [json.loads(line)["check"] for line in lines]


def test_the_refused_end_as_promised() -> None:
    """One that ends otherwise turns it red."""
    assert [check["ok"] for check in checked(attempt("established"), attempt("icmp"), on_exhaustion="icmp")] == [
        True
    ]
    assert [check["ok"] for check in checked(attempt("icmp"), attempt("timeout"), on_exhaustion="icmp")] == [False]


def test_of_a_policy_that_declares_nothing_nothing_is_expected() -> None:
    """A student's own may tell what it likes."""
    assert checked(attempt("icmp"), on_exhaustion="tests/emulation/files/own_strategies.py:Polite") == []


@pytest.mark.parametrize(("policy", "packets"), [("drop", 5), ("hold", 2)])
def test_every_packet_of_the_refused_counts(policy: str, packets: int) -> None:
    """But for those that joined one that was held."""
    attempts = [attempt("established", 7), attempt("timeout", 1), attempt("timeout", 2)]

    assert packets_refused(attempts, promise(on_exhaustion=policy)) == packets


class Counting(Gateway):
    """Drops one packet more each time that it is asked, and has taken its port back."""

    asked = 0

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Count."""
        self.asked += 1
        return {
            "dropped_port_packets": self.asked,
            "dropped_rate_packets": None,
            "ports_allocated": max(4, 9 - self.asked),
        }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only a sleep advances."""
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(refusals, "time", clock)


@pytest.mark.usefixtures("clock")
def test_counters_are_waited_for_until_the_last_packet_is_in_them() -> None:
    """And no longer."""
    assert settled(Counting(), "tcp", dropping=3)["dropped_port_packets"] == 3


@pytest.mark.usefixtures("clock")
def test_ports_are_waited_for_until_they_are_taken_back() -> None:
    """Though all packets were dropped long before."""
    assert settled(Counting(), "tcp", dropping=1, allocated=4)["dropped_port_packets"] == 5


@pytest.mark.usefixtures("clock")
def test_nobody_waits_for_ever() -> None:
    """Counters that never come to what was sent are returned as they are, after a second of looks."""
    counters = settled(Counting(), "tcp", dropping=1000)

    looks = refusals.SETTLED_WITHIN_S / refusals.LOOK_EVERY_S
    assert counters["dropped_port_packets"] == pytest.approx(looks + 1, abs=1)
