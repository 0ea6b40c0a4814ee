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

pytestmark = pytest.mark.usefixtures("usual_machine")


class Counting:
    """A gateway that drops one packet more each time that it is asked, and has taken ports back."""

    asked = 0

    def __init__(self, most: int = 1 << 30) -> None:
        self.most = most

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return its counters."""
        self.asked += 1
        return {
            "dropped_port_packets": min(self.asked, self.most),
            "dropped_rate_packets": None,
            "ports_allocated": max(4, 9 - self.asked),
        }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the clock by one that only a sleep advances."""
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(counters, "time", clock)


def settle(most: int = 1 << 30, **until: Any) -> int | None:
    """Return the packets, `most` at most, that a gateway has dropped when its counters have settled."""
    return settled(Counting(most), "tcp", **until)["dropped_port_packets"]  # type: ignore[arg-type] # it only counts


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
    """A gateway that drops packets for ever is not waited for."""
    looks = counters.MOVING_WITHIN_S / counters.LOOK_EVERY_S

    assert settle(dropping=100_000) == pytest.approx(looks + 1, abs=1)


@pytest.mark.usefixtures("clock")
def test_a_slow_gateway_is_waited_for_as_long_as_its_counters_move() -> None:
    """Its last packet comes three seconds after the first."""
    looks = round(3 * counters.SETTLED_WITHIN_S / counters.LOOK_EVERY_S)

    assert settle(dropping=looks) == looks


@pytest.mark.usefixtures("clock")
def test_what_is_missing_when_nothing_moves_any_more_will_not_come() -> None:
    """A second after the last packet the counters are taken as they are."""
    gateway = Counting(most=3)
    settled(gateway, "tcp", dropping=4)  # type: ignore[arg-type] # it only counts

    assert gateway.asked == pytest.approx(3 + counters.SETTLED_WITHIN_S / counters.LOOK_EVERY_S, abs=2)


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
