"""What `release` grants on a slow machine, and what it blames a NAT for there."""

from __future__ import annotations

import pytest

from scenarios.release import ENDINGS, _bears
from testbed.evidence.busy import Busy, Failure
from testbed.sandbox import slowness

EMULATED = Busy(late_s=0.68, packet_in_s=0.66, waited_s=2.1, slowness=13.2)
"""What was measured in a virtual machine without hardware virtualisation, on busy processors."""


def excuse_of(ending: str, monkeypatch: pytest.MonkeyPatch, *, slow: float, is_early: bool = False) -> str:
    """Return what excuses there that a port does not come back after an ending, or comes back too early."""
    monkeypatch.setattr(slowness, "slowness", lambda: slow)
    return EMULATED.excuse(Failure("port-back", _bears(ending, is_early=is_early)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_slow_machine_that_is_granted_more_time_bears_more_lateness(
    ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a NAT that keeps a port for ever would never be blamed there."""
    assert excuse_of(ending, monkeypatch, slow=13.2) == ""
    assert excuse_of(ending, monkeypatch, slow=1.0) == "the run's programs were late by 0.68 s"


def test_a_close_between_two_timers_may_be_late_for_the_first_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timers are no slower there, so there is as little room between them."""
    told = excuse_of("late close", monkeypatch, slow=13.2, is_early=True)
    assert told == "the run's programs were late by 0.68 s"
