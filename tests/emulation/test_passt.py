"""passt as the gateway, in real labs, where it is installed: nothing installs it."""

from __future__ import annotations

import shutil

import pytest

from tests.emulation.conftest import SMALL, Run
from topologies.gateways.passt.facts import ports_exhausted, version

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(shutil.which("pasta") is None, reason="apt-get install passt"),
]


def test_it_runs_out_of_its_kernel_s_ports_and_refuses_as_its_version_does(run: Run) -> None:
    """Each host has a program of its own, and all of them have the ports of one kernel."""
    refused = (ports_exhausted(version()).value.outcome or {}).get("tcp", "timeout")
    finished = run("run", "port-exhaustion", "--gateway", "passt", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"] == {
        **finished.result["outcomes"],
        "established": 16,
        refused: 8,
        "leaked": 0,
        "shared": 0,
    }
    assert "single-packets" in finished.result["series"]["not_looked_at"]
    assert finished.result["environment"]["passt"]


@pytest.mark.parametrize("scenario", ["port-overlap", "client-exhaustion", "fairness"])
def test_it_does_what_it_declares(run: Run, scenario: str) -> None:
    """By its manual and its source code."""
    finished = run("run", scenario, "--gateway", "passt", "--json")

    assert finished.status == 0, finished.output + finished.complaints
