"""From a plan's file to the run that replays it: what is read, what is refused, and what is decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.run.choices import Choices
from testbed.run.planning import planned
from testbed.run.replaying import choices_of, plan_in, require_checkable
from testbed.run.resolve import resolve


def plan(tmp_path: Path, **changed: Any) -> Path:
    """Return the file of a plan of plain calls, with some of its keys changed."""
    told = {
        "schema": 1,
        "version": "0",
        "workload": "erlangs",
        "started": "2026-11-29T10:00:00+00:00",
        "duration_s": 1.0,
        "profile": "gcp-cloud-nat",
        "parameters": {"erlangs": 12.0},
        "chosen": {"subscribers": 1, "ports": 64, "subscriber_ports": 16},
        "seed": 4,
        "offered": 100,
        "refused": 5,
        "refused_share": 0.05,
        "interval": [0.04, 0.06],
        "erlang_b": 0.05,
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({**told, **changed}))
    return file


def test_a_plan_is_replayed_with_its_profile_its_settings_and_its_seed(tmp_path: Path) -> None:
    """What the plan's parameters are about becomes the run's own; what the user gives besides wins."""
    choices = choices_of(plan_in(plan(tmp_path)), Choices(sets=["measured=7"]))
    run = resolve("plan", "openflow", choices, datapath="userspace")

    assert (run.scenario, run.profile, run.seed) == ("plan", "gcp-cloud-nat", 4)
    assert (run.settings.ports, run.settings.subscriber_ports) == (64, 16)
    assert run.parameters["erlangs"] == 12.0
    assert (run.parameters["clients"], run.parameters["measured"], run.parameters["planned"]) == (1, 7, 0.05)
    assert plan_in(plan(tmp_path)) == plan_in(tmp_path)


def test_another_load_of_the_same_plan_has_no_planned_share(tmp_path: Path) -> None:
    """The plan has said nothing about it."""
    choices = choices_of(plan_in(plan(tmp_path)), Choices(), erlangs=6.0)
    run = resolve("plan", "openflow", choices, datapath="userspace")

    assert (run.parameters["erlangs"], run.parameters["planned"]) == (6.0, None)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"workload": "trace"}, "take a plan of plain calls"),
        ({"parameters": {}}, "take a plan of plain calls"),
        ({"refused_share": "half"}, "at /refused_share: found .*; take a plan.json"),
        ({"chosen": {"prots": 64}}, "did you mean 'ports'"),
    ],
)
def test_what_is_no_plan_that_can_be_replayed_is_refused(
    changed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    """With the place and the way out."""
    with pytest.raises(ConfigurationError, match=told):
        choices_of(plan_in(plan(tmp_path, **changed)), Choices())


def test_a_file_that_cannot_be_read_or_is_no_json_is_refused(tmp_path: Path) -> None:
    """A folder is that of a plan's results."""
    with pytest.raises(ConfigurationError, match=r"cannot be read .*; take a plan\.json"):
        plan_in(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"is no JSON; take a plan\.json"):
        plan_in(tmp_path)


def test_only_plain_calls_can_be_checked() -> None:
    """Other plans have several protocols and destinations."""
    asked = planned(Choices(sets=["subscribers=1"]), erlangs=None, target=None, trace=None, has_front=False)

    with pytest.raises(ConfigurationError, match="take --erlangs A"):
        require_checkable(asked)
