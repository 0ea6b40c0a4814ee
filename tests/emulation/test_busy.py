"""A busy machine, for real: its figures are in the results, and where it may be to blame there is no verdict."""

from __future__ import annotations

import json

import pytest

from tests.emulation.conftest import FILES, SMALL, Run, Start

SCENARIOS = FILES / "busy_scenarios.py"


def test_a_check_that_fails_where_the_scenario_was_late_is_no_failure(start: Start) -> None:
    """The status is that of a run that broke, and the reason has the figure and the way out."""
    process = start("run", f"{SCENARIOS}:Late", "--json")
    output, complaints = process.communicate()

    assert process.returncode == 4, output + complaints
    assert "this machine was too busy for what failed: its own probes were late by 2.00 s" in output
    assert "run it again with less other load" in output


def test_what_no_lateness_can_cause_is_a_failure_all_the_same(run: Run) -> None:
    """One such check, and the others have no excuse either."""
    finished = run("run", f"{SCENARIOS}:LateAndWrong", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert finished.result["verdict"] == "fail"


def test_every_run_has_the_figures_of_its_machine(run: Run) -> None:
    """Of each program that a packet passes, of the switch's answers, and of full queues."""
    finished = run("run", "port-exhaustion", *SMALL, "--json")

    busy = finished.result["machine"]["busy"]
    assert {"ovs-vswitchd", "controller", "client", "server", "scenario"} <= busy["waits"].keys()
    assert busy["packet_in_s"] > 0
    assert busy["packets"] > 0
    assert busy["seconds"] > 1
    assert busy["processors"] >= 1


@pytest.mark.deep
def test_a_nat_that_stood_still_serves_the_next_fill_in_full(start: Start) -> None:
    """A stall costs the attempts that meet it, and no port: neither queues nor requests for counts pile up."""
    output, complaints = start("run", f"{SCENARIOS}:Stalled", "--set", "ports=8192", "--json").communicate()
    result = json.loads(output)

    failed = {check["key"] for check in result["checks"] if not check["ok"]}
    assert "connections-of-a-second-fill-that-carry-data-no-port-was-lost" not in failed, complaints
    assert result["outcomes"]["established"] > 4096
