"""The files that a user begins with: the examples of `docs/examples`, and the skeletons of `lastport new`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from testbed.registry import GATEWAYS
from tests.emulation.conftest import SMALL, Run
from tests.support.paths import ROOT

EXAMPLES = ROOT / "docs" / "examples"
ONE_RULE = str(EXAMPLES / "one_rule_gateway.py")
EVERY_GATEWAY = [*GATEWAYS, ONE_RULE]


def named(gateway: str) -> str:
    """Return the name of a gateway for a test's title."""
    return Path(gateway).stem


@pytest.mark.parametrize("gateway", EVERY_GATEWAY, ids=named)
def test_the_example_scenario_passes_on_every_gateway(run: Run, gateway: str) -> None:
    """It prints its story, and makes no check of a counter that a gateway does not know."""
    scenario = str(EXAMPLES / "who_answers_scenario.py")
    finished = run("run", scenario, "--gateway", gateway, "--set", "clients=2")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.output.startswith("alice pinged 6 addresses, and 5 of them answered.")


@pytest.mark.parametrize(
    "gateway",
    [pytest.param(each, marks=[pytest.mark.deep] * (each == "ovs-ct")) for each in EVERY_GATEWAY],
    ids=named,
)
def test_the_example_topology_works_with_every_gateway(run: Run, gateway: str) -> None:
    """The NAT of its two rooms runs out of ports as any home's does."""
    topology = str(EXAMPLES / "two_rooms_topology.py")
    finished = run("run", "port-exhaustion", "--topology", topology, "--gateway", gateway, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == 16


@pytest.mark.parametrize(
    ("chosen", "established"),
    [
        (("--gateway", ONE_RULE), 16),
        (("--allocator", str(EXAMPLES / "odd_ports_allocator.py")), 8),
        (("--set", f"on_exhaustion={EXAMPLES / 'ask_later_policy.py'}", "--set", "fallback=icmp"), 16),
    ],
    ids=["gateway", "allocator", "policy"],
)
def test_the_other_examples_run_out_of_ports_as_they_say(
    run: Run, chosen: tuple[str, ...], established: int
) -> None:
    """The allocator of odd ports gives half of all ports, and no more is expected of it."""
    finished = run("run", "port-exhaustion", *chosen, *SMALL, "--json")

    assert finished.status == 0, finished.output + finished.complaints
    assert finished.result["outcomes"]["established"] == established


@pytest.mark.parametrize(
    ("scenario", "ports"),
    [
        ("fairness", 32),
        ("client-exhaustion", 64),
        pytest.param("loss-curve", 256, marks=pytest.mark.deep),
        ("address-pool", 16),
        pytest.param("switch-table-full", 256, marks=pytest.mark.deep),
        pytest.param("release", 10, marks=pytest.mark.deep),
        pytest.param("protocols", 16, marks=pytest.mark.deep),
    ],
)
def test_no_scenario_expects_more_ports_than_an_allocator_gives(run: Run, scenario: str, ports: int) -> None:
    """Its own length is its capacity: half of `ports`."""
    odd = ("--allocator", str(EXAMPLES / "odd_ports_allocator.py"), "--set", f"ports={ports}")
    finished = run("run", scenario, *odd, "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.parametrize(
    "scenario",
    [
        "release",
        pytest.param("client-exhaustion", marks=pytest.mark.deep),
        "hole-punching",
        pytest.param("refusal-signals", marks=pytest.mark.deep),
        pytest.param("protocols", marks=pytest.mark.deep),
    ],
)
def test_the_gateway_of_one_rule_passes_other_scenarios(run: Run, scenario: str) -> None:
    """The facts that the gateway declares are true, whatever scenario checks them."""
    finished = run("run", scenario, "--gateway", ONE_RULE, "--json")

    assert finished.status == 0, finished.output + finished.complaints


@pytest.mark.parametrize(
    ("scenario", "before", "after", "claim"),
    [
        ("refusal-signals", "{ tcp, udp, icmp }} snat", "{ icmp }} snat", "no packet left untranslated"),
        (
            "hole-punching",
            "input priority filter; policy drop",
            "input priority filter",
            "the peers reach each other directly",
        ),
    ],
    ids=["a rule that leaves TCP as it is", "a router that answers for its own address"],
)
def test_a_wrong_rule_is_found_out(
    run: Run, tmp_path: Path, scenario: str, before: str, after: str, claim: str
) -> None:
    """TCP leaks; or an entry for the router itself takes the port of the host that is about to use it."""
    mine = tmp_path / "mine.py"
    mine.write_text(Path(ONE_RULE).read_text().replace(before, after))
    finished = run("run", scenario, "--gateway", str(mine), "--json")

    assert finished.status == 1, finished.output + finished.complaints
    assert not finished.check(claim)["ok"]


@pytest.mark.parametrize("kind", ["scenario", "topology", "gateway", "allocator", "policy"])
def test_a_skeleton_runs_at_once_and_one_check_fails_on_purpose(run: Run, kind: str, tmp_path: Path) -> None:
    """The command that `new` prints runs it. The failed check's source names the recipe."""
    told = run("new", kind, "first-try")
    assert told.status == 0, told.complaints
    command = re.search(r"sudo \S*/lastport (.+)", told.output)
    assert command is not None

    small = () if kind in ("scenario", "topology") else SMALL
    finished = run(*command[1].split(), *small, "--json")

    assert finished.status == 1, finished.output + finished.complaints
    (failed,) = [check for check in finished.result["checks"] if not check["ok"]]
    assert f"docs/how/{kind}.md" in failed["source"]
