"""Comparing: what is decided before anything starts, and what makes a difference."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.compare.comparison import Planned, _distinct, _worst, names, plans
from testbed.compare.differences import differences, label
from testbed.compare.page import page
from testbed.experiment.plan import Run
from testbed.run.exit_status import ExitStatus
from testbed.run.resolve import resolve

STUDENT = '''
from pydantic import Field
from topologies.gateways.base import Options, Restriction
from topologies.gateways.openflow.gateway import OpenFlowGateway

class Choices(Options):
    colour: str = Field("blue", description="of the box", pattern="blue|red")

class Mine(OpenFlowGateway):
    """Cannot evict."""
    Options = Choices
    restrictions = (Restriction("on_exhaustion", ("drop",), "it is a box"),)
'''


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A student's gateway, with an option of its own, which drops and can do nothing else."""
    (tmp_path / "mine.py").write_text(STUDENT)
    return f"{tmp_path / 'mine.py'}:Mine"


def decide(*sets: str) -> Callable[..., Run]:
    """What `compare` has for its plans."""
    common: dict[str, Any] = {
        "profile": "plain",
        "config": None,
        "seed": 1,
        "datapath": "userspace",
        "topology": None,
    }
    return functools.partial(resolve, sets=list(sets), **common)


def test_what_a_gateway_cannot_do_is_no_mistake(mine: str) -> None:
    """It is an entry with the gateway's own sentence; the others run."""
    first, second = plans(decide("on_exhaustion=icmp"), ["port-exhaustion"], ["openflow", mine])

    assert first.run is not None
    assert second.run is None
    assert second.cannot()["verdict"] == "cannot"
    assert second.reason.startswith("setting on_exhaustion=icmp is not possible with this gateway: it is a box")


def test_an_option_of_one_gateway_is_passed_over_by_the_others(mine: str) -> None:
    """As is a parameter that only one of several scenarios has."""
    first, second = plans(decide("colour=red"), ["port-exhaustion"], ["openflow", mine])

    assert first.run is not None
    assert second.run is not None
    assert first.run.options == {}
    assert second.run.options == {"colour": "red"}


@pytest.mark.parametrize(
    ("sets", "gateways", "told"),
    [
        (["prots=8"], ["openflow"], "did you mean 'ports'?"),
        (["ports=0"], ["openflow"], "setting ports=0"),
        (["colour=red"], ["openflow"], "setting 'colour' is unknown"),
        ([], ["openflow", "nix"], "gateway 'nix' is unknown"),
        ([], ["openflow", ""], "gateway '' is unknown"),
        ([], ["openflow", "openflow"], "openflow is there twice"),
    ],
)
def test_a_mistake_ends_it_before_anything_starts(sets: list[str], gateways: list[str], told: str) -> None:
    """With the same words as `lastport run`."""
    with pytest.raises(ConfigurationError) as refused:
        plans(decide(*sets), ["port-exhaustion"], gateways)

    assert told in str(refused.value)


def test_a_wrong_value_of_a_gateway_s_option_is_a_mistake_too(mine: str) -> None:
    """Though only one gateway knows it."""
    with pytest.raises(ConfigurationError, match="setting colour='green'"):
        plans(decide("colour=green"), ["port-exhaustion"], ["openflow", mine])


def test_what_makes_no_sense_in_one_of_several_scenarios_is_an_entry_of_its_own() -> None:
    """The others run; alone it is a mistake."""
    two_nats, exhaustion = plans(decide("ports=300"), ["two-nats", "port-exhaustion"], ["openflow"])

    assert exhaustion.run is not None
    assert two_nats.cannot()["verdict"] == "cannot"
    assert "take ports from" in two_nats.reason
    with pytest.raises(ConfigurationError, match="take ports from"):
        plans(decide("ports=300"), ["two-nats"], ["openflow"])


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (["prots=8"], "^setting 'prots' is unknown"),
        (["ports=0"], "^setting ports=0"),
        (["home_ports=16", "clients=1"], "^two-nats: parameter clients=1"),
    ],
)
def test_what_is_wrong_with_all_of_several_scenarios_is_a_mistake(sets: list[str], told: str) -> None:
    """It names the scenario where they complain of different things."""
    with pytest.raises(ConfigurationError, match=told):
        plans(decide(*sets), ["two-nats", "release"], ["openflow", "netfilter"])


def test_a_list_of_gateways_may_have_blanks_and_stray_commas() -> None:
    """But not nothing else."""
    assert names(" openflow, netfilter,") == ["openflow", "netfilter"]
    with pytest.raises(ConfigurationError, match="names no gateway"):
        names(", ")


# Differences


def check(claim: str, expected: object, observed: object, ok: bool | None = None) -> dict[str, object]:
    """A check as results have it."""
    holds = expected == observed if ok is None else ok
    return {"claim": claim, "expected": expected, "observed": observed, "ok": holds, "source": "RFC"}


def result(gateway: str, *checks: dict[str, object], verdict: str = "pass", **outcomes: int) -> dict[str, Any]:
    """A result, as far as it is compared."""
    return {
        **{"schema": 1, "scenario": "s", "gateway": gateway, "verdict": verdict, "checks": list(checks)},
        **{"outcomes": outcomes, "duration_s": 1.0, "started": "2026-01-01", "environment": {"kernel": "6"}},
    }


def sentences(*runs: dict[str, Any]) -> list[str]:
    """What is said of the runs' differences."""
    return [found["sentence"] for found in differences(runs)]


def test_measured_times_that_hold_are_no_difference() -> None:
    """Nor is the same count."""
    a = result("a", check("time", "at most 3", 1.5, True), check("n", 3, 3), established=3)
    b = result("b", check("time", "at most 3", 1.7, True), check("n", 3, 3), established=3)

    assert sentences(a, b) == []


def test_each_difference_has_its_sentence_and_its_values() -> None:
    """Of verdict, outcomes, checks that fail or expect something else, and claims that only some were asked."""
    a = result("a", check("n", 3, 3), check("only a", 1, 1), check("kind", "x", "x"), established=3, timeout=1)
    b = result("b", check("n", 3, 2), check("kind", "y", "y"), verdict="fail", established=2, timeout=2)
    c = result("c", check("n", 3, 3), check("only a", 1, 1), check("kind", "x", "x"), established=3, timeout=1)

    assert sentences(a, b, c) == [
        "The verdict is pass with a and c, fail with b.",
        "Of the attempts, 3 ended as established with a and c, 2 with b.",
        "Of the attempts, 1 ended as timeout with a and c, 2 with b.",
        '"n": 3 with a and c, 2 (expected: 3) with b.',
        '"only a": 1 with a and c, not asked with b.',
        '"kind": x with a and c, y with b.',
    ]
    assert differences([a, b])[4]["values"] == {"a": 1}


def test_a_run_that_broke_is_not_compared() -> None:
    """But for its verdict."""
    broken = {**result("b", verdict="error", established=1), "error": "it fell over"}

    assert sentences(result("a", established=3), broken) == ["The verdict is pass with a, error with b."]


# The end


@pytest.mark.parametrize(
    ("verdicts", "statuses", "worst"),
    [
        (["pass", "cannot"], [0, 2], 0),
        (["pass", "fail", "cannot"], [0, 1, 3], 1),
        (["error", "fail"], [4, 1], 4),
        (["cannot", "cannot"], [2, 2], 2),
        (["cannot", "cannot"], [3, 2], 3),
    ],
)
def test_the_worst_that_ran_decides(verdicts: list[str], statuses: list[int], worst: int) -> None:
    """Where nothing ran, nothing was shown."""
    runs = [{"verdict": verdict} for verdict in verdicts]

    assert _worst(runs, [ExitStatus(status) for status in statuses]) == worst


def test_a_student_s_gateway_has_a_short_name() -> None:
    """And a folder of its own, where another has the same name."""
    assert [label("openflow"), label("/home/me/nat.py:Mine"), label("/x/nat.py")] == [
        "openflow",
        "nat:Mine",
        "nat",
    ]
    both = ["/a/nat.py:Mine", "/b/nat.py:Mine"]
    assert [str(_distinct(name, both)) for name in both] == ["nat-Mine", "nat-Mine-2"]


def test_the_page_has_the_matrix_the_machine_and_the_reasons() -> None:
    """Also of what broke, and of what cannot be."""
    runs = [
        result("a", established=3),
        {**result("b", verdict="error"), "error": "it fell over"},
        Planned("t", "a", None, "it cannot hold").cannot(),
    ]
    text = page({"runs": runs, "differences": differences(runs)})

    assert "| scenario | a | b |\n|---|---|---|\n| [s](#s) | pass, 1.0 s | error, 1.0 s |\n" in text
    assert "| [t](#t) | cannot | - |" in text
    assert "| kernel | 6 |" in text
    assert "- On b the run broke: it fell over" in text
    assert "- t on a: it cannot hold" in text
