"""Deciding about a run with somebody's controller: its network, its walls, and what it is held to."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.registry import found
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.run.strangers import files_among
from topologies.gateways.app import facts
from topologies.gateways.behaviour import WORDS


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An application."""
    path = tmp_path / "nat.py"
    path.write_text("from ryu.base import app_manager\n")
    return path


def resolved(scenario: str, app: Path, *sets: str, topology: str | None = None) -> Run:
    """Return what is decided about a run with the application."""
    return resolve(scenario, "app", Choices(topology=topology, sets=[f"app={app}", *sets]), datapath="userspace")


def test_an_app_runs_in_edge_unless_told_otherwise(app: Path) -> None:
    """Where the scenario would be at home. Its own other topology stays."""
    assert resolved("port-exhaustion", app).topology == "edge"
    assert resolved("port-exhaustion", app, topology="home").topology == "home"
    assert resolved("two-nats", app).topology == "carrier"


def test_the_topology_is_no_choice_of_the_user_s(app: Path) -> None:
    """So the run is named by the app alone."""
    assert resolved("port-exhaustion", app).chosen == {"app": [str(app)]}
    assert resolved("port-exhaustion", app, topology="home").chosen["topology"] == "home"


def test_the_app_s_file_is_walled_in_as_every_file_of_a_user_s_own(app: Path) -> None:
    """The whole run is, and it sees the file's folder."""
    run = resolved("port-exhaustion", app)

    assert run.programs == (str(app),)
    assert files_among(run.names) == [app]


@pytest.mark.parametrize("scenario", ["refusal-signals", "client-exhaustion", "eviction", "hole-punching"])
def test_a_scenario_that_needs_a_promise_which_no_app_makes_is_refused(app: Path, scenario: str) -> None:
    """With a sentence, and without accusing the app."""
    with pytest.raises(ConfigurationError):
        resolved(scenario, app)


@pytest.mark.parametrize(
    "scenario", ["port-exhaustion", "release", "protocols", "churn", "fairness", "loss-curve"]
)
def test_other_scenarios_are_asked_of_an_app(app: Path, scenario: str) -> None:
    """By what it was given."""
    assert resolved(scenario, app).gateway == "app"


def test_a_stranger_s_nat_is_not_held_to_what_the_rfcs_leave_open(app: Path) -> None:
    """And everything that it is held to can be declared."""
    declared = facts.behaviour(resolved("release", app).settings)

    assert declared.filtering.value == declared.icmp_identifiers.value == "unknown"
    assert declared.keeps_source_port.value is None
    assert declared.port_order.value == "undeclared"
    assert declared.ports_exhausted.value.outcome == {}
    assert {"unknown"} <= {*WORDS["filtering"]} & {*WORDS["icmp_identifiers"]}
    assert declared.port_back.value["close"] == (2.0, 3.0)


def test_the_registered_class_is_the_one_that_is_meant() -> None:
    """It is asked for by name only."""
    assert found("topologies.gateways.app.gateway:AppGateway").topology == "edge"


def test_an_app_s_own_configuration_is_seen_behind_the_walls_too(app: Path) -> None:
    """And refused by its name if it is not there."""
    config = app.with_name("nat.ini")
    with pytest.raises(ConfigurationError, match=r"nat\.ini: No such file"):
        resolved("release", app, f"app_config={config}")
    config.write_text("")

    assert resolved("release", app, f"app_config={config}").programs == (str(app), str(config))
