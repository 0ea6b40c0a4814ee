"""The scenario fairness in a real lab."""

from __future__ import annotations

import pytest

from tests.emulation.conftest import BROKEN, Run

SMALL = ("--set", "ports=32", "--set", "clients=4")
QUOTA = ("--set", "port_quota=8")


def test_without_a_quota_the_greedy_host_has_every_port(run: Run) -> None:
    """The other hosts get nothing, and Jain's index is 1/4."""
    finished = run("run", "fairness", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 32
    assert finished.result["series"]["jain_index"] == 0.25
    assert "--set port_quota=8" in finished.result["story"]


def test_with_a_quota_the_modest_hosts_get_what_they_ask_for(run: Run) -> None:
    """Each of them gets four connections, and the greedy host eight."""
    finished = run("run", "fairness", *SMALL, *QUOTA, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert [row["served"] for row in finished.result["series"]["fairness"]] == [8, 4, 4, 4]


@pytest.mark.parametrize(("gateway", "settings"), [("Indulgent", QUOTA), ("Rationing", ())])
def test_a_nat_with_another_quota_is_found_out(run: Run, gateway: str, settings: tuple[str, ...]) -> None:
    """Mutations: a quota that is ignored, and a quota that is not set."""
    finished = run("run", "fairness", *SMALL, *settings, "--gateway", f"{BROKEN}:{gateway}", "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check("connections that each modest host keeps")["ok"]
    assert not finished.check("Jain's index")["ok"]


@pytest.mark.deep
def test_a_quota_is_not_proposed_where_the_gateway_has_none(run: Run) -> None:
    """Open vSwitch would refuse the setting."""
    finished = run("run", "fairness", *SMALL, "--gateway", "ovs-ct", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert "port_quota" not in finished.result["story"]
