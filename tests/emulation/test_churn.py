"""The scenario churn on the real thing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.emulation.conftest import BROKEN, Run

CLIENTS = Path(__file__).parent / "files" / "other_clients.py"
SMALL = ("--set", "ports=16", "--set", "holding=0.2", "--set", "tcp_trans_close_timeout=0.3")


def test_a_rate_of_short_connections_runs_a_nat_out_of_ports(run: Run) -> None:
    """Below capacity none is refused, above it a third."""
    finished = run("run", "churn", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    below, _, above = finished.result["series"]["churn"]
    assert below["refused"] == 0
    assert above["refused"] > 0


@pytest.mark.parametrize(
    ("gateway", "claims"),
    [
        ("Sluggish", {"at 0.7 times capacity", "at 1.5 times capacity"}),
        pytest.param("Brisk", {"at 1.5 times capacity"}, marks=pytest.mark.deep),
    ],
)
def test_a_nat_with_another_capacity_is_found_out(run: Run, gateway: str, claims: Any) -> None:
    """Mutations: ports come back later than declared; and there are twice as many as declared."""
    finished = run("run", "churn", *SMALL, "--gateway", f"{BROKEN}:{gateway}", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    for claim in claims:
        assert not finished.check(claim)["ok"]


@pytest.mark.deep
def test_clients_that_try_twice_are_found_out(run: Run) -> None:
    """Mutation: those who were refused are served a second later, at the cost of others."""
    finished = run("run", f"{CLIENTS}:Persistent", *SMALL, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("served by a second try")["ok"]


@pytest.mark.deep
def test_ports_of_a_subscriber_s_own_bear_the_rate_that_they_can(run: Run) -> None:
    """Two clients have eight each, and what is refused is counted as theirs."""
    finished = run(
        *("run", "churn", "--set", "clients=2", "--set", "subscriber_ports=8", "--set", "ports=64", "--json"),
        *("--set", "port_overlapping=endpoint", "--set", "mapping_type=edm", "--set", "filtering_type=edf"),
    )

    assert finished.status == 0, finished.output + finished.complaints
    below, _, above = finished.result["series"]["churn"]
    assert below["refused"] == 0
    assert above["refused"] > 0
    assert finished.result["counters"]["dropped_subscriber_port_packets"] > 0
