"""How limits of time follow the machine."""

from __future__ import annotations

import ast

import pytest

from testbed.experiment import parameters
from testbed.experiment.parameters import PatientParameters
from testbed.sandbox import slowness
from testbed.sandbox.slowness import USUAL_S, patient, slowness_of
from tests.support.paths import ROOT


@pytest.fixture
def ten_times_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which everything takes ten times as long."""
    slow = lambda: 10.0  # noqa: E731
    monkeypatch.setattr(slowness, "slowness", slow)
    monkeypatch.setattr(parameters, "slowness", slow)


@pytest.mark.parametrize(("seconds", "slow"), [(0.1, 1.0), (1.0, 1.0), (1.04, 1.0), (3.0, 3.0), (25.26, 25.3)])
def test_a_machine_is_as_slow_as_its_work_takes_longer(seconds: float, slow: float) -> None:
    """And no machine is faster than a usual one, as far as limits go."""
    assert slowness_of(seconds * USUAL_S) == pytest.approx(slow)


def test_this_machine_is_measured_once() -> None:
    """All limits of a process follow one figure."""
    assert slowness.slowness() == slowness.slowness() >= 1.0


@pytest.mark.usefixtures("ten_times_slower")
def test_a_slow_machine_gets_ten_times_as_long() -> None:
    """Before it is given up."""
    assert patient(60.0) == 600.0


@pytest.mark.usefixtures("ten_times_slower")
@pytest.mark.parametrize(
    ("given", "patience"),
    [
        ({}, 20.0),
        ({"outside_loss": "1%"}, 50.0),
        ({"patience": 3.0}, 3.0),
        ({"patience": 3.0, "inside_loss": "1%"}, 3.0),
    ],
)
def test_attempts_are_waited_for_longer_on_a_slow_machine(given: dict[str, object], patience: float) -> None:
    """Unless the user has chosen how long."""
    assert PatientParameters.model_validate(given).patience == patience


def test_no_patience_outlasts_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has given up after 130 s."""
    monkeypatch.setattr(parameters, "slowness", lambda: 1000.0)

    assert PatientParameters().patience == 130.0


DEADLINES = {
    "scenarios/release.py": ["RELEASE_SLACK_S"],
    "testbed/experiment/captures.py": ["ANSWER_WITHIN_S"],
    "testbed/experiment/counters.py": ["SETTLED_WITHIN_S", "MOVING_WITHIN_S"],
    "testbed/experiment/services.py": ["WITHIN_S"],
    "testbed/run/inside.py": ["BUILD_S"],
    "testbed/sandbox/apart.py": ["WITHIN_S"],
    "testbed/sandbox/enter.py": ["ENDED_WITHIN_S"],
    "testbed/sandbox/openvswitch.py": ["STARTED_WITHIN_S"],
    "testbed/traffic/drive.py": ["ANSWER_WITHIN_S"],
    "testbed/traffic/firing.py": ["ANSWER_WITHIN_S"],
    "testbed/traffic/raw.py": ["ANSWER_WITHIN_S"],
}
"""The limits after which something is taken for broken, by the module that waits."""


@pytest.mark.parametrize("module", DEADLINES)
def test_what_is_taken_for_broken_is_waited_for_by_the_machines_measure(module: str) -> None:
    """Each use of such a limit stands in a call of `patient`."""
    tree = ast.parse((ROOT / module).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "patient"]
    measured = {id(each) for call in calls for each in ast.walk(call)}
    uses = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id in DEADLINES[module] and isinstance(node.ctx, ast.Load)
    ]

    assert {node.id for node in uses} == set(DEADLINES[module])
    assert [node.lineno for node in uses if id(node) not in measured] == []


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
