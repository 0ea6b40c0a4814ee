"""A plan's load for a lab: the same erlangs while a machine carries them, in less time."""

from __future__ import annotations

from typing import Any

import pytest

from controller.settings import PORT_REST_S, ConfigurationError, Settings
from testbed.plan.chosen import chosen_from
from testbed.plan.scaled import LEAST_HOLDING_S, MOST_ERLANGS, MOST_PER_S, Scaled, scaled


def of(erlangs: float, profile: str = "plain", **given: Any) -> Scaled:
    """Return the load for a lab of a plan with these keys."""
    return scaled(chosen_from(given, profile, 1), erlangs)


def holding(load: Scaled, **given: Any) -> float:
    """Return the mean time for which a port is taken in the lab."""
    settings = Settings.model_validate({**given, **load.settings})
    close = settings.in_force("tcp_trans_close_timeout")
    return load.life + close + max(PORT_REST_S, settings.in_force("hold_down_fin_timeout") or 0.0)


@pytest.mark.parametrize("erlangs", [2.0, 60.0])
def test_a_small_load_stays_and_only_its_times_are_shorter(erlangs: float) -> None:
    """The formulas say the same of it; a port is taken for long enough that milliseconds hardly count."""
    load = of(erlangs, ports=64)

    assert (load.erlangs, load.size) == (erlangs, 1.0)
    assert "ports" not in load.settings
    assert load.pace < 1
    assert holding(load) == pytest.approx(LEAST_HOLDING_S)


def test_a_large_load_is_divided_with_its_ports_and_limits() -> None:
    """The machine makes so many connections at once and in a second, and no more."""
    load = of(15_000.0, ports=20_000, limit_sessions_per_destination=16_000)

    assert load.erlangs == MOST_ERLANGS
    assert (load.settings["ports"], load.settings["limit_sessions_per_destination"]) == (200, 160)
    assert load.erlangs / holding(load) <= MOST_PER_S


def test_the_timers_of_the_plan_are_as_much_shorter_as_lives_are() -> None:
    """A port that is held down for 30 s after a connection of 60 s is so for half of its life on the wire, too."""
    given = {"hold_down_fin_timeout": 30, "tcp_trans_close_timeout": 6}
    load = of(20.0, ports=32, **given)
    settings = Settings.model_validate({**given, **load.settings})

    assert settings.in_force("hold_down_fin_timeout") == pytest.approx(load.life / 2)
    assert settings.in_force("tcp_trans_close_timeout") == pytest.approx(load.life / 10)


def test_sources_are_hosts_of_their_own() -> None:
    """Up to the number that a lab has."""
    assert (of(12.0, ports=16, sources=20).clients, of(12.0, ports=16, sources=20).sources) == (20, 20)
    assert of(12.0, ports=16, subscribers=1).clients == 1


@pytest.mark.parametrize(
    ("given", "way_out"),
    [({"ports": ["2000-9999"]}, "take a number of ports"), ({"sources": 9000}, "take 150 erlangs or fewer")],
)
def test_what_cannot_be_divided_is_refused(given: dict[str, Any], way_out: str) -> None:
    """With the way out."""
    with pytest.raises(ConfigurationError, match=way_out):
        of(5000.0, **given)
