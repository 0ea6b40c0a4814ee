"""Deciding about a run with somebody's controller: its network, its walls, and what it is held to."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.registry import SCENARIOS, found
from testbed.run.choices import Choices
from testbed.run.resolve import CannotError, resolve
from testbed.run.strangers import files_among
from tests.support.paths import ROOT
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


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        (
            "refusal-signals",
            "refusal-signals: nobody knows .*; take --set on_exhaustion=drop, icmp or reset, if",
        ),
        (
            "client-exhaustion",
            "client-exhaustion: nobody knows .*; take --set on_exhaustion=drop, icmp or reset",
        ),
        ("hold-and-retry", "hold-and-retry: nobody knows how .*; take --set on_exhaustion=drop, if the NAT does"),
        (
            "hole-punching",
            "hole-punching: nobody knows how this NAT filters .*; take --set filtering_type=eif",
        ),
        (
            "port-overlap",
            "take --set mapping_type=edm --set filtering_type=edf --set port_overlapping=endpoint if it does so",
        ),
        ("eviction", "how somebody else's NAT refuses is its own affair; take another --gateway"),
        ("state-exhaustion", "where the scenario sets limit_sessions=64: .*; take another --gateway"),
    ],
)
def test_a_scenario_that_needs_a_promise_is_refused_with_it(app: Path, scenario: str, words: str) -> None:
    """Or with another gateway, where nothing can be promised. No setting is named that nobody has chosen."""
    with pytest.raises(ConfigurationError, match=words):
        resolved(scenario, app)


def test_an_app_whose_rules_have_whole_seconds_is_in_time(app: Path) -> None:
    """Of 3.5 s it makes 4, and the switch looks a second later; of 0.4 s it makes 1."""
    run = resolved("release", app, "udp_timeout=3.5", "tcp_trans_close_timeout=0.4")
    back = facts.behaviour(run.settings).port_back.value

    assert back["udp"] == (3.5, 5.0)
    assert back["close"] == (0.4, 2.0)


@pytest.mark.parametrize(
    "scenario", ["port-exhaustion", "release", "protocols", "churn", "fairness", "loss-curve"]
)
def test_other_scenarios_are_asked_of_an_app(app: Path, scenario: str) -> None:
    """By what it was given."""
    assert resolved(scenario, app).gateway == "app"


def test_a_stranger_s_nat_is_not_held_to_what_the_rfcs_leave_open(app: Path) -> None:
    """And everything that it is held to can be declared."""
    declared = facts.behaviour(resolved("release", app).settings)

    assert declared.filtering.value == declared.pooling.value == declared.icmp_identifiers.value == "unknown"
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


def asked_of_an_app() -> dict[str, bool]:
    """Return the scenarios in the table of docs/how/app.md, and whether an app without promises is asked them."""
    text = (ROOT / "docs" / "how" / "app.md").read_text()
    table = text.partition("## Which scenarios it is asked")[2].partition("\nA refusal")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    return {name: answer.strip().startswith("asked") for names, answer in rows for name in names.split("`")[1::2]}


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_the_table_of_the_docs_has_what_an_app_is_asked(app: Path, scenario: str) -> None:
    """Every scenario, once."""
    try:
        resolved(scenario, app)
        asked = True
    except CannotError:
        asked = False

    assert asked_of_an_app()[scenario] is asked
