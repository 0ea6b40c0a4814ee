"""`lastport plan`: what it prints, what it keeps, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.unit.testbed.command.conftest import Lastport

SMALL = ("--set", "subscribers=20", "--set", "duration=20.0", "--set", "warm_up=20.0")
QUICK_CALLS = ("plan", "--erlangs", "6", "--set", "ports=8")


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the results, outside of the one that the command is typed in."""
    return tmp_path_factory.mktemp("kept") / "plan"


def test_plan_prints_one_object_and_keeps_it_with_a_page_and_tables(lastport: Lastport, kept: Path) -> None:
    """By the keys that its contract has."""
    finished = lastport("plan", *SMALL, "--json", "--out", str(kept))
    told = json.loads(finished.out)

    assert (finished.status, finished.err) == (0, "")
    assert told["schema"] == 1
    assert told["command"][0] == "plan"
    assert told["settings"]["ports"] == 64512
    assert told["parameters"]["subscribers"] == 20
    assert {
        "offered",
        "refused",
        "refused_share",
        "interval",
        "erlang_b",
        "classes",
        "destinations",
    } <= told.keys()
    assert json.loads((kept / "plan.json").read_text()) == told
    assert {each.name for each in kept.iterdir()} >= {"report.html", "classes.csv", "theory.csv"}


def test_plan_prints_simulation_and_formula_beside_one_another(lastport: Lastport, kept: Path) -> None:
    """And where the results are."""
    finished = lastport(*QUICK_CALLS, "--out", str(kept))

    assert "attempts are refused" in finished.out
    assert "simulation of the NAT" in finished.out
    assert "Erlang B" in finished.out
    assert str(kept) in finished.out


def test_an_allocator_of_one_s_own_is_planned_with(lastport: Lastport, kept: Path) -> None:
    """It is met behind walls only, and its own kind of search is said to be none of the formula's."""
    example = ROOT / "docs" / "examples" / "odd_ports_allocator.py"
    finished = lastport("plan", *SMALL, "--allocator", str(example), "--json", "--out", str(kept))

    assert finished.status == 0, finished.err
    assert any("your own" in sentence for sentence in json.loads(finished.out)["differences"])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--set", "port=8"), "setting 'port' is unknown: did you mean 'ports'"),
        (("--set", "ports"), "--set 'ports' is not KEY=VALUE"),
        (("--profile", "cgm"), "profile 'cgm' is unknown"),
        (("--erlangs", "6", "--target", "0.1"), "--target 0.1 is not possible with --erlangs 6"),
        (("--erlangs", "6", "--set", "sources=5"), "parameter sources=5 is not possible with --erlangs 6"),
        (("--config", "none.yaml"), "--config none.yaml: No such file or directory"),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_made(
    lastport: Lastport, arguments: tuple[str, ...], reason: str
) -> None:
    """With status 2, and no folder."""
    finished = lastport("plan", *arguments)

    assert finished.status == 2
    assert reason in finished.err
    assert finished.out == ""
