"""A plan of plain calls on the wire, beside the formula and the core; and cloud NATs side by side."""

from __future__ import annotations

import json

import pytest

from tests.emulation.conftest import BROKEN, Run
from tests.support.paths import ROOT

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


QUICK = ("subscribers=12", "heavy=0", "ports=450", "life=5", "warm_up=130", "duration=120", "seen_release=30")
TIMERS = ("udp_timeout=60", "tcp_trans_close_timeout=30", "tcp_rst_timeout=30", "hold_down_timeout=1")
"""Subscribers with short lives, and a NAT that is full after some seconds of a lab."""


def quick(*others: str) -> list[str]:
    """Return the options of a plan that is over soon."""
    return [word for each in (*QUICK, *TIMERS, *others) for word in ("--set", each)]


@pytest.mark.deep
@pytest.mark.parametrize(
    "others", [(), ("port_overlapping=endpoint", "mapping_type=edm", "filtering_type=edf", "ports=225")]
)
def test_subscribers_are_refused_on_the_wire_what_the_core_refuses_them(run: Run, others: tuple[str, ...]) -> None:
    """Over TCP and UDP, toward many destinations, by class; and the plan's own share is beside."""
    planned = run("plan", *quick(*others), "--out", "mine")
    assert planned.status == 0, planned.output + planned.complaints

    finished = run("run", "--plan", "mine", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    series = finished.result["series"]
    *_, plan, at_this_pace, core, wire = series["beside"]
    assert (plan["figure"], at_this_pace["figure"]) == (
        "the plan's simulation",
        "simulation at this size and pace",
    )
    assert (core["figure"], wire["figure"]) == ("simulation of the very same attempts", "wire")
    assert wire["refused_share"] == pytest.approx(core["refused_share"], abs=0.02)
    assert wire["refused_share"] > 0.02
    assert [row["name"] for row in series["by_class"]] == ["light", "typical"]
    assert [row["name"] for row in series["by_protocol"]] == ["tcp", "udp"]
    assert sum(row["attempts"] for row in series["by_class"]) == series["attempts_counted"] > 1000


@pytest.mark.deep
def test_subscribers_are_replayed_with_an_allocator_of_one_s_own(run: Run) -> None:
    """The core is asked for the same attempts with it as well."""
    file = ROOT / "docs" / "examples" / "odd_ports_allocator.py"
    planned = run("plan", *quick("ports=900"), "--allocator", f"{file}:OddPorts", "--out", "mine")
    assert planned.status == 0, planned.output + planned.complaints

    finished = run("run", "--plan", "mine", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    *_, core, wire = finished.result["series"]["beside"]
    assert wire["refused_share"] == pytest.approx(core["refused_share"], abs=0.02)
    assert wire["refused_share"] > 0.02


@pytest.mark.deep
@pytest.mark.parametrize("gateway", ["Choosy", "Blocky"])
def test_a_gateway_that_refuses_others_than_the_core_fails(run: Run, gateway: str) -> None:
    """One attempt of twenty more, or by an allocator of its own. On a busy machine the check fails too.

    With `--out` a run that is an error for that reason is neither repeated nor skipped.
    """
    planned = run("plan", *quick("port_set_size=50"), "--out", "mine")
    assert planned.status == 0, planned.output + planned.complaints

    finished = run("run", "--plan", "mine", "--gateway", f"{BROKEN}:{gateway}", "--out", "theirs", "--json")

    assert finished.result["verdict"] in {"fail", "error"}
    checks = {check["key"]: check["ok"] for check in finished.result["checks"]}
    assert not checks["refused-as-in-the-core"]


@pytest.mark.deep
@pytest.mark.parametrize("name", ["conn.json", "lab.pcapng"])
def test_a_trace_is_replayed_from_hosts_of_the_lab(run: Run, name: str) -> None:
    """With what nobody answered, which takes ports and is not counted."""
    planned = run(
        "plan", "--trace", str(ROOT / "docs" / "examples" / "traces" / name), "--set", "ports=8", "--out", "t"
    )
    assert planned.status == 0, planned.output + planned.complaints

    finished = run("run", "--plan", "t", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    *_, core, wire = finished.result["series"]["beside"]
    assert wire["refused_share"] == pytest.approx(core["refused_share"], abs=0.13)
    assert wire["refused_share"] > 0
    assert finished.result["series"]["attempts_counted"] == 16


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
