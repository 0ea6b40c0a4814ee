"""Sweeps on a cluster of two workers, each in a network namespace of its own: lastport test -m cluster."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from testbed.sweep.sameness import facts
from tests.cluster.conftest import SCHEDULER, Machines, wait_for
from tests.support.paths import ROOT

pytestmark = pytest.mark.cluster

PLAN = ("plan", "--set", "subscribers=5", "--set", "duration=5.0", "--set", "warm_up=5.0")
"""A plan that takes a fraction of a second."""
LAB = (
    "port-exhaustion",
    "--set",
    "ports=8",
    "--set",
    "clients=2",
    "--set",
    "attempts=10",
    "--set",
    "patience=0.5",
)
"""A lab of a few seconds."""
LAB_S, PLAN_S = 1800, 1800


def points(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a sweep."""
    return [json.loads(line) for line in (folder / "points.jsonl").read_text().splitlines()]


def times(found: list[dict[str, Any]]) -> Counter[str]:
    """Return how often each point has a line."""
    return Counter(f"{each['point']} {each['seed']}" for each in found)


def test_600_plans_are_spread_over_two_workers_of_which_one_is_killed(machines: Machines, tmp_path: Path) -> None:
    """The points that it had run again on the other one, and each has one line."""
    out = tmp_path / "out"
    machines.schedule()
    lost, _ = machines.work(0), machines.work(1)
    sweep = machines.sweep(*PLAN, "--grid", "ports=100,200,400", "--repeat", "200", "--out", str(out))
    wait_for(lambda: (out / "points.jsonl").exists() and len(points(out)) > 100, PLAN_S)
    machines.kill(lost)
    sweep.wait(timeout=PLAN_S)

    assert sweep.returncode == 0, machines.said("sweep.log")
    assert len(points(out)) == 600
    assert set(times(points(out)).values()) == {1}


def test_60_labs_are_done_one_at_a_time_on_each_worker(machines: Machines, tmp_path: Path) -> None:
    """As a resource of Dask, though the workers were asked for more at once."""
    out = tmp_path / "out"
    machines.schedule()
    for place in (0, 1):
        machines.work(place)
    sweep = machines.sweep(*LAB, "--grid", "on_exhaustion=drop,icmp,reset", "--repeat", "20", "--out", str(out))
    sweep.wait(timeout=LAB_S)

    assert len(points(out)) >= 60, machines.said("sweep.log")
    assert sweep.returncode == 0, machines.said("sweep.log")
    assert {each["verdict"] for each in points(out)} == {"pass"}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A checkout of another version, with a file that was changed."""
    checkout = tmp_path / "other"
    for folder in ("controller", "topologies", "testbed", "scenarios", "vagrant", "benchmarks"):
        shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("lastport", "pyproject.toml"):
        shutil.copy(ROOT / file, checkout)
    settings = checkout / "pyproject.toml"
    settings.write_text(settings.read_text().replace('version = "', 'version = "9.', 1))
    with (checkout / "testbed" / "plan" / "erlang.py").open("a") as code:
        code.write("# changed\n")
    return checkout


def test_a_worker_of_another_version_is_refused(machines: Machines, other: Path, tmp_path: Path) -> None:
    """By a sentence that says which, before any point."""
    machines.schedule()
    machines.work(0)
    machines.work(1, other)
    sweep = machines.sweep(*PLAN, "--repeat", "2", "--out", str(tmp_path / "out"))
    sweep.wait(timeout=300)
    said = machines.said("sweep.log")

    assert sweep.returncode == 3
    assert "is not as this command is: lastport is 9." in said
    assert "code is " in said
    assert "worker tcp://10.99.1.2:" in said
    assert not (tmp_path / "out").exists()


def test_a_worker_of_another_version_that_comes_later_is_refused(
    machines: Machines, other: Path, tmp_path: Path
) -> None:
    """With its first point. What is done is kept, and there is no line of that worker."""
    out = tmp_path / "out"
    machines.schedule()
    machines.work(0)
    sweep = machines.sweep(*PLAN, "--repeat", "100000", "--out", str(out))
    wait_for(lambda: (out / "points.jsonl").exists() and len(points(out)) > 2, PLAN_S)
    machines.work(1, other)
    sweep.wait(timeout=PLAN_S)

    assert sweep.returncode == 3
    assert "is not as this command is: lastport is 9." in machines.said("sweep.log")
    assert {each["version"] for each in points(out)} == {facts()["lastport"]}


def test_a_class_is_graded_on_the_workers(machines: Machines, tmp_path: Path) -> None:
    """In the order of its names, and with the points of each."""
    handed_in = tmp_path / "handed-in"
    handed_in.mkdir()
    for number in range(20):
        (handed_in / f"student-{number:02}.yaml").write_text(f"first-refused: {1000 + 4 * number}\n")
    machines.schedule()
    for place in (0, 1):
        machines.work(place)
    grading = ("grade", "01", str(handed_in), "--json", "--cluster", SCHEDULER)
    machines.start(f"{ROOT}/lastport", *grading, name="grade.log").wait(timeout=300)
    marks = json.loads(machines.said("grade.log"))

    assert [mark["student"] for mark in marks] == [f"student-{number:02}" for number in range(20)]
    assert {mark["score"] for mark in marks} == {0, 2}


@pytest.mark.parametrize(
    ("has_scheduler", "reason"),
    [(False, "no scheduler of Dask answers there"), (True, "the scheduler has no worker; start one by")],
)
def test_a_cluster_that_is_none_is_refused(machines: Machines, has_scheduler: bool, reason: str) -> None:
    """With what to do."""
    if has_scheduler:
        machines.schedule()
    sweep = machines.sweep(*PLAN)
    sweep.wait(timeout=300)

    assert sweep.returncode == 3
    assert reason in machines.said("sweep.log")
