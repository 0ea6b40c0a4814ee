"""A gateway's counters: each has a source, and the last packet is waited for."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from controller.nat.counters import Counters as NatCounters
from controller.nat.model import Limit
from testbed.experiment import counters
from testbed.experiment.counters import DROPPED, SOURCES, dropped, settled


class Counting:
    """A gateway that drops one packet more each time that it is asked, and has taken ports back."""

    asked = 0

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return its counters."""
        self.asked += 1
        return {
            "dropped_port_packets": self.asked,
            "dropped_rate_packets": None,
            "ports_allocated": max(4, 9 - self.asked),
        }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the clock by one that only a sleep advances."""
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(counters, "time", clock)


def settle(**until: Any) -> int | None:
    """Return the packets that a gateway has dropped when its counters have settled."""
    return settled(Counting(), "tcp", **until)["dropped_port_packets"]  # type: ignore[arg-type] # it only counts


@pytest.mark.usefixtures("clock")
def test_counters_are_waited_for_until_the_last_packet_is_in_them() -> None:
    """They are not asked for once more."""
    assert settle(dropping=3) == 3


@pytest.mark.usefixtures("clock")
def test_ports_are_waited_for_until_they_are_taken_back() -> None:
    """Though all packets were dropped long before."""
    assert settle(dropping=1, allocated=4) == 5


@pytest.mark.usefixtures("clock")
def test_counters_that_never_settle_are_returned_as_they_are() -> None:
    """After a second of looks."""
    looks = counters.SETTLED_WITHIN_S / counters.LOOK_EVERY_S

    assert settle(dropping=1000) == pytest.approx(looks + 1, abs=1)


def test_drops_are_added_as_far_as_they_are_known() -> None:
    """A gateway may count by some reasons only, or not at all."""
    assert dropped({"dropped_port_packets": 3, "dropped_hold_packets": None}) == 3
    assert dropped({}) == 0


def test_every_counter_of_our_nat_has_a_source() -> None:
    """Else a scenario that asks for it fails."""
    assert {each.name for each in fields(NatCounters)} <= SOURCES.keys()


def test_every_limit_s_counter_is_one_of_a_drop() -> None:
    """A limit that is added later is in none of the checks until it stands here."""
    assert {limit.value for limit in Limit} == set(DROPPED)
