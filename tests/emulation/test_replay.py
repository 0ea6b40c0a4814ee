"""A plan of plain calls on the wire, beside the formula and the core; and cloud NATs side by side."""

from __future__ import annotations

import json

import pytest

from tests.emulation.conftest import Run

CLOUDS = "aws-nat-gateway,azure-nat-gateway,gcp-cloud-nat,gcp-cloud-nat-dynamic"


@pytest.mark.deep
@pytest.mark.parametrize("sets", [("ports=12",), ("ports=16", "sources=24")], ids=["Erlang B", "Engset"])
def test_a_plan_is_met_on_the_wire(run: Run, sets: tuple[str, ...]) -> None:
    """The wire refuses what the core refuses of the same attempts, and the formula is within the interval."""
    given = [word for each in sets for word in ("--set", each)]
    planned = run("plan", "--erlangs", "10", *given, "--out", "mine")
    assert planned.status == 0, planned.output + planned.complaints

    finished = run("run", "--plan", "mine", "--set", "measured=20", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    formula, plan, core, wire = finished.result["series"]["beside"]
    assert formula["figure"] == ("Engset" if len(sets) > 1 else "Erlang B")
    assert plan["refused_share"] == pytest.approx(formula["refused_share"], abs=0.01)
    assert (core["figure"], wire["figure"]) == ("simulation of the very same attempts", "wire")


@pytest.mark.deep
def test_a_plan_is_checked_at_three_loads(run: Run) -> None:
    """A row for each, also where the machine was too busy to tell."""
    finished = run("plan", "--erlangs", "4", "--set", "ports=6", "--check", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    rows = json.loads(finished.output)["checked"]
    assert [each["erlangs"] for each in rows] == pytest.approx([3.2, 4.0, 5.0])
    assert all(len(each["beside"]) == 3 for each in rows)


@pytest.mark.deep
def test_the_clouds_are_compared_on_one_workload(run: Run) -> None:
    """Two clients toward one service: who has ports of its own has no more than these."""
    sizes = ("ports=256", "clients=2", "attempts=320", "time_scale=0.02")
    given = [word for each in sizes for word in ("--set", each)]
    finished = run("compare", "port-exhaustion", "--profiles", CLOUDS, *given, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    runs = finished.result["runs"]
    established = {each["compared_as"]: each["outcomes"]["established"] for each in runs}
    assert established.pop("gcp-cloud-nat-dynamic") >= 128
    assert established == {
        "aws-nat-gateway": 256,
        "azure-nat-gateway": 256,
        "gcp-cloud-nat": 128,
    }
