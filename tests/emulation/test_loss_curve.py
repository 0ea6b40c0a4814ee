"""The scenario loss-curve in a real lab."""

from __future__ import annotations

from tests.emulation.conftest import PERJURERS, Run

CLIENTS = ("--set", "clients=3")
SMALL = ("--set", "ports=256", *CLIENTS)
LARGE = ("--set", "ports=4096", *CLIENTS)


def test_a_nat_that_finds_every_port_refuses_no_attempt_before_the_last_port(run: Run) -> None:
    """The share of refused attempts is 0 below 100 % utilisation, and 1 at 100 %."""
    finished = run("run", "loss-curve", *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    series = finished.result["series"]
    assert series["first_refusal_utilisation"] == 1.0
    assert series["loss_curve"][-1] == {"utilisation": 1.0, "attempts": 26, "refused": 26}
    assert all(row["refused"] == 0 for row in series["loss_curve"][:-1])
    assert sum(finished.result["outcomes"].values()) == 282


def test_a_nat_that_searches_as_linux_does_refuses_early_and_as_predicted(run: Run) -> None:
    """The first refusal comes while many ports are still free."""
    finished = run("run", "loss-curve", *LARGE, "--allocator", "linux-like", "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert 0.8 < finished.result["series"]["first_refusal_utilisation"] < 0.99


def test_a_gateway_that_only_claims_to_search_like_linux_is_found_out(run: Run) -> None:
    """Mutation: the gateway declares Linux's search, and finds every port."""
    finished = run("run", "loss-curve", *LARGE, "--gateway", f"{PERJURERS}:openflow_finds_every_port_of", "--json")

    assert finished.status == 1
    assert not finished.check("refusals among the first")["ok"]


def test_a_gateway_that_only_claims_to_find_every_port_is_found_out(run: Run) -> None:
    """Mutation: the gateway declares to find every port, and searches like Linux."""
    arguments = (
        *SMALL,
        "--set",
        "ports=1024",
        "--allocator",
        "linux-like",
        "--gateway",
        f"{PERJURERS}:openflow_finds_every_port_of",
    )
    finished = run("run", "loss-curve", *arguments, "--json")

    assert finished.status == 1
    assert not finished.check("refusals among the first")["ok"]
