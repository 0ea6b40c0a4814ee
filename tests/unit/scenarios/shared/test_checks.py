"""Checks that several questions make of a fill."""

from __future__ import annotations

import pytest

from scenarios.shared.checks import check_endpoints, check_established, check_refused, check_refused_packets
from tests.support.experiments import attempt, experiment


def test_as_many_as_there_are_ports_are_established() -> None:
    """One too few turns it red."""
    x, told = experiment(ports=2)

    check_established([attempt("established"), attempt("timeout"), attempt("timeout")], x)

    assert (told.check["key"], told.check["expected"], told.check["ok"]) == ("established", 2, False)


def test_one_key_whatever_is_declared() -> None:
    """A NAT that may miss the last ports has other words for it."""
    exact, told = experiment(ports=200)
    loose, also_told = experiment(ports=200, port_allocation_type="linux-like")
    for x in (exact, loose):
        check_established([attempt("established")] * 250, x)

    assert told.check["claim"] == "exactly 200 attempts are established"
    assert also_told.check["claim"] == "nearly 200 attempts are established"
    assert told.check["key"] == also_told.check["key"]


@pytest.mark.parametrize(("outcomes", "ok"), [(("established", "icmp"), True), (("icmp", "timeout"), False)])
def test_the_refused_end_as_promised(outcomes: tuple[str, ...], ok: bool) -> None:
    """One that ends otherwise turns it red."""
    x, told = experiment(on_exhaustion="icmp")

    check_refused([attempt(outcome) for outcome in outcomes], x)

    assert told.check["ok"] is ok


def test_of_a_policy_that_declares_nothing_nothing_is_expected() -> None:
    """A student's own may answer as it likes."""
    x, told = experiment(on_exhaustion="tests/emulation/files/own_strategies.py:Polite")

    check_refused([attempt("icmp")], x)

    assert told.checks == []


@pytest.mark.parametrize(("counted", "ok"), [(3, False), (4, True), (9, True)])
def test_every_packet_of_a_refused_attempt_was_dropped(counted: int, ok: bool) -> None:
    """More may have been, by what came late."""
    x, told = experiment(ports=1)

    check_refused_packets([attempt("timeout", retransmissions=3)], {"dropped_port_packets": counted}, x)

    assert told.check["ok"] is ok


@pytest.mark.parametrize(("counted", "ok"), [(0, True), (1, False)])
def test_a_nat_that_refused_nothing_has_dropped_nothing(counted: int, ok: bool) -> None:
    """Where it finds every port."""
    x, told = experiment(ports=1)

    check_refused_packets([attempt("established")], {"dropped_port_packets": counted}, x)

    assert told.check["ok"] is ok


def test_endpoints_are_distinct_and_of_the_pool() -> None:
    """A port beyond the range, or another address, is not."""
    x, told = experiment(ports=16)
    seen = [("192.0.2.1", 1024), ("192.0.2.1", 1024), ("192.0.2.1", 1040), ("192.0.2.9", 1025)]

    check_endpoints(seen, 4, x)

    assert [(check["observed"], check["ok"]) for check in told.checks] == [(3, False), (2, False)]
