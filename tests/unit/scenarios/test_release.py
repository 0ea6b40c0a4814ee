"""What `release` grants on a slow machine, and what it blames a NAT for there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from scenarios.release import _check_back
from testbed.api import Entry, Experiment
from testbed.evidence.busy import Busy, Failure
from testbed.sandbox import slowness

EMULATED = Busy(late_s=0.68, packet_in_s=0.66, waited_s=2.1, slowness=13.2)
"""What was measured in a virtual machine without hardware virtualisation, on busy processors."""


def excuse_of(ending: str, monkeypatch: pytest.MonkeyPatch, *, slow: float) -> str:
    """Return what excuses there that a port never comes back after an ending."""
    monkeypatch.setattr(slowness, "slowness", lambda: slow)
    bears: list[float] = []
    x = SimpleNamespace(
        behaviour=SimpleNamespace(port_back=Entry({ending: (2.0, 3.0)}, "a test", "1")),
        check=lambda *_, **given: bears.append(given["bears"]),
    )
    _check_back(cast("Experiment[Any]", x), ending, [None])
    (borne,) = bears
    return EMULATED.excuse(Failure("port-back", borne))


@pytest.mark.parametrize("ending", ["close", "half-close", "reset", "silence", "udp"])
def test_a_slow_machine_that_is_granted_more_time_bears_more_lateness(
    ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a NAT that keeps a port for ever would never be blamed there."""
    assert excuse_of(ending, monkeypatch, slow=13.2) == ""
    assert excuse_of(ending, monkeypatch, slow=1.0) == "the run's programs were late by 0.68 s"


def test_a_close_between_two_timers_bears_no_more_on_a_slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timers are no slower there, so there is as little room between them."""
    assert excuse_of("late close", monkeypatch, slow=13.2) == "the run's programs were late by 0.68 s"
