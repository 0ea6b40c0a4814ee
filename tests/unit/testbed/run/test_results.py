"""The result of a run: its verdict, and its object."""

from __future__ import annotations

import sys
import tomllib
from datetime import datetime
from typing import Any

import pytest

from testbed.experiment.plan import Run
from testbed.run.choices import Choices
from testbed.run.resolve import resolve
from testbed.run.version import version
from tests.support.paths import ROOT
from tests.support.results import FAILED, HELD, checks, finished

KEYS = [
    *("schema", "version", "commit", "command", "scenario", "question", "claim"),
    *("gateway", "profile", "topology", "network", "parameters"),
    *("settings", "chosen", "seed", "verdict", "started", "duration_s", "environment", "packages", "machine"),
    *("story", "checks", "outcomes", "counters", "series", "files"),
]


@pytest.fixture(scope="module")
def run() -> Run:
    """The run `port-exhaustion` with its defaults."""
    return resolve("port-exhaustion", "openflow", Choices(topology="home", seed=7), datapath="userspace")


# Verdict


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (checks(HELD, HELD), "pass"),
        (checks(HELD, FAILED, HELD), "fail"),
        ([], "error"),
        ([*checks(HELD), {"kind": "broken", "reason": "the controller ended", "last_words": ""}], "error"),
        ([*checks(FAILED), {"kind": "broken", "reason": "the controller ended", "last_words": ""}], "error"),
    ],
    ids=["all hold", "one fails", "no check", "broken after success", "broken after failure"],
)
def test_the_verdict_follows_from_the_checks(run: Run, told: list[dict[str, Any]], verdict: str) -> None:
    """A run that broke has shown nothing, and neither has one without checks."""
    assert finished(run, *told).verdict == verdict


def test_a_run_that_ends_without_saying_so_broke(run: Run) -> None:
    """It broke whatever it had shown by then."""
    result = finished(run, *checks(HELD), done=False)

    assert result.verdict == "error"
    assert result.error == "the run ended before its time"


def test_the_first_reason_counts(run: Run) -> None:
    """Later reasons follow from the first one."""
    broken = [
        {"kind": "broken", "reason": reason, "last_words": words} for reason, words in (("a", "x"), ("b", "y"))
    ]

    result = finished(run, *broken, done=False)

    assert (result.error, result.last_words) == ("a", "x")


# The object


def test_the_object_has_exactly_the_keys_of_the_contract(run: Run) -> None:
    """Other programs read these keys."""
    result = finished(run, *checks(HELD)).as_json({"results": "results.json"})

    assert list(result) == KEYS
    assert result["schema"] == 1
    assert (result["scenario"], result["gateway"], result["profile"]) == ("port-exhaustion", "openflow", "plain")
    assert result["seed"] == 7
    assert result["parameters"]["ports"] == 256
    assert datetime.fromisoformat(result["started"]).tzinfo is not None


def test_the_object_names_what_made_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version and commit of lastport, the command as it was typed, and the packages that matter."""
    monkeypatch.setattr(sys, "argv", ["lastport", "run", "port-exhaustion", "--set", "ports=8"])

    result = finished(run, *checks(HELD)).as_json({})

    assert (result["version"], result["commit"]) == version()
    assert result["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert result["command"] == ["run", "port-exhaustion", "--set", "ports=8"]
    assert "eventlet" in result["packages"]


def test_the_object_has_the_settings_of_each_gateway() -> None:
    """A gateway that differs from the common settings has its name before the key."""
    two = resolve("two-nats", "openflow", Choices(sets=["home_ports=8", "ports=11"]), datapath="userspace")

    settings = finished(two).as_json({})["settings"]

    assert settings["ports"] == 11
    assert settings["on_exhaustion"] == "drop"
    assert (settings["home-a.ports"], settings["home-a.external_addresses"]) == (8, ["100.64.0.1"])
    assert "home-a.on_exhaustion" not in settings


def test_a_run_that_broke_has_its_reason(run: Run) -> None:
    """The object has two keys more, and partial results are kept."""
    broken = {"kind": "broken", "reason": "the controller ended with status 1", "last_words": "Traceback"}

    result = finished(run, *checks(HELD), broken, done=False).as_json({})

    assert list(result) == [*KEYS, "error", "last_words"]
    assert (result["verdict"], result["error"]) == ("error", "the controller ended with status 1")
    assert result["checks"] == [HELD]


def test_what_the_sandbox_tells_is_gathered(run: Run) -> None:
    """Later records add to earlier ones; what is shown live leaves no trace."""
    result = finished(
        run,
        {"kind": "environment", "environment": {"kernel": "6.1"}},
        {"kind": "environment", "environment": {"framework": "ryu 4.34"}},
        {"kind": "phase", "name": "fill"},
        {"kind": "progress", "done": 1, "total": 2},
        {"kind": "outcomes", "outcomes": {"established": 3}},
        {"kind": "counters", "counters": {"ports_allocated": 3, "total_sessions": None}},
        {"kind": "series", "series": {"phases": [1]}},
        {"kind": "series", "series": {"fill": [2]}},
        {"kind": "machine", "machine": {"busy": {"seconds": 1.0}}},
        {"kind": "story", "text": "Once upon a time."},
        *checks(HELD, FAILED),
    )

    told = result.as_json({})
    assert told["environment"] == {"kernel": "6.1", "framework": "ryu 4.34"}
    assert told["outcomes"] == {
        **dict.fromkeys(("leaked", "shared", "unanswered", "evicted", "held", "timeout", "icmp", "reset"), 0),
        "established": 3,
    }
    assert told["counters"] == {"ports_allocated": 3, "total_sessions": None}
    assert told["series"] == {"phases": [1], "fill": [2]}
    assert told["checks"] == [HELD, FAILED]
    assert told["machine"] == {"busy": {"seconds": 1.0}}
    assert told["story"] == "Once upon a time."
