"""`lastport sweep`: what it prints, what it keeps, how it goes on, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from testbed.report.reading import read
from testbed.run.kept import kept_in
from tests.support.paths import ROOT
from tests.unit.testbed.command.conftest import Lastport

SMALL = ("plan", "--set", "subscribers=5", "--set", "duration=5.0", "--set", "warm_up=5.0")
GRID = ("--grid", "ports=20,40")


@pytest.fixture
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for the results, outside of the one that the command is typed in."""
    return tmp_path_factory.mktemp("kept") / "sweep"


def points(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a sweep."""
    return [json.loads(line) for line in (folder / "points.jsonl").read_text().splitlines()]


def test_each_point_is_a_line_of_plan_s_results(lastport: Lastport, kept: Path) -> None:
    """With its combination, its seed, and the command that repeats it alone; all is kept as a page and tables."""
    finished = lastport("sweep", *SMALL, *GRID, "--repeat", "2", "--json", "--out", str(kept))
    told = [json.loads(line) for line in finished.out.splitlines()]

    assert (finished.status, finished.err) == (0, "")
    assert told == points(kept)
    assert sorted((each["point"]["ports"], each["seed"]) for each in told) == [(20, 1), (20, 2), (40, 1), (40, 2)]
    assert {each["settings"]["ports"] for each in told if each["point"] == {"ports": 40}} == {40}
    assert {"sweep.json", "report.html", "points.csv", "combinations.csv"} <= {
        each.name for each in kept.iterdir()
    }

    alone = lastport(*told[0]["command"], "--json", "--out", str(kept.parent / "alone"))
    assert json.loads(alone.out)["refused"] == told[0]["refused"]


def test_the_attempts_of_a_seed_are_the_same_whatever_is_compared(lastport: Lastport, kept: Path) -> None:
    """The common random numbers; and another seed has others."""
    lastport("sweep", *SMALL, "--set", "subscribers=50", *GRID, "--repeat", "2", "--out", str(kept))
    offered = {(each["point"]["ports"], each["seed"]): each["offered"] for each in points(kept)}

    assert offered[20, 1] == offered[40, 1]
    assert offered[20, 2] == offered[40, 2]
    assert offered[20, 1] != offered[20, 2]


def test_a_folder_is_gone_on_with(lastport: Lastport, kept: Path) -> None:
    """More repetitions and more values are done, and what is there stays as it is."""
    lastport("sweep", *SMALL, *GRID, "--repeat", "1", "--out", str(kept))
    before = (kept / "points.jsonl").read_text()
    finished = lastport("sweep", *SMALL, "--grid", "ports=20,40,80", "--repeat", "2", "--out", str(kept))

    assert finished.status == 0, finished.err
    assert (kept / "points.jsonl").read_text().startswith(before)
    assert len(points(kept)) == 6
    assert "6 points of 6 at most are done." in finished.out


def test_a_sweep_that_is_killed_goes_on_where_it_was(lastport: Lastport, kept: Path) -> None:
    """By `kill -9`, and also where its last line is half written: every point is there once, and the same."""
    command = [sys.executable, "-P", "-m", "testbed.command", "sweep", *SMALL, *GRID, "--repeat", "20"]
    with subprocess.Popen([*command, "--out", str(kept)], stderr=subprocess.PIPE) as sweep:
        assert sweep.stderr is not None
        for _ in range(2):
            assert b" ports=" in sweep.stderr.readline()
        os.kill(sweep.pid, signal.SIGKILL)
        sweep.stderr.read()  # until its processes are gone as well
    before = points(kept)
    with (kept / "points.jsonl").open("a") as file:
        file.write('{"schema": 1, "half')
    finished = lastport("sweep", *SMALL, *GRID, "--repeat", "20", "--out", str(kept))

    assert finished.status == 0, finished.err
    assert points(kept)[: len(before)] == before
    assert set(Counter(f"{each['point']} {each['seed']}" for each in points(kept)).values()) == {1}
    assert len(points(kept)) == 40


def test_a_combination_is_repeated_until_its_interval_is_narrow(lastport: Lastport, kept: Path) -> None:
    """Here every interval is, after three times, and the page says what that does to it."""
    finished = lastport("sweep", *SMALL, *GRID, "--repeat", "9", "--until", "1", "--out", str(kept))

    assert len(points(kept)) in range(6, 10)  # some are under way when the third is done
    assert "until half of its interval was at most 1, 9 times at most" in finished.out


def test_a_sweep_is_listed_read_and_shown_again(lastport: Lastport, kept: Path) -> None:
    """As a run is, and its page has every combination with its interval and no script."""
    lastport("sweep", *SMALL, "--grid", "ports=20,40,80", "--repeat", "2", "--out", str(kept))
    page = (kept / "report.html").read_text()
    shown, found = kept_in(kept), read(kept)

    assert (shown.kind, shown.title, shown.verdict) == ("sweep", "sweep of plan", "pass")
    assert found.kind == "sweep"
    assert [row["point"]["ports"] for row in found.one["combinations"]] == [20, 40, 80]
    assert page.count("<figure>") == 2
    assert "<script" not in page
    assert lastport("report", str(kept)).status == 0
    assert (kept / "report.html").read_text() == page


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((*SMALL, "--grid", "port=8,16"), "setting 'port' is unknown: did you mean 'ports'"),
        ((*SMALL, "--grid", "ports"), "--grid 'ports' is not KEY=V1,V2,..."),
        ((*SMALL, "--grid", "ports=8,8"), "--grid ports has 8 twice"),
        ((*SMALL, "--grid", "erlangs=0,8"), "erlangs=0 is no load"),
        ((*SMALL, "--gateway", "netfilter"), "--gateway is not possible with a plan"),
        (("port-exhaustion", "--erlangs", "8"), "--erlangs is not possible with a scenario"),
        (("port-exhaustion", "--grid", "gateway=netfliter"), "netfliter"),
        (("no-such", "--grid", "ports=8"), "no-such"),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_made(
    lastport: Lastport, arguments: tuple[str, ...], reason: str
) -> None:
    """With status 2, and no folder."""
    finished = lastport("sweep", *arguments)

    assert finished.status == 2
    assert reason in finished.err
    assert finished.out == ""


def test_another_sweep_is_not_mixed_with_one(lastport: Lastport, kept: Path) -> None:
    """Of another subject, other keys, or another version."""
    lastport("sweep", *SMALL, *GRID, "--repeat", "1", "--out", str(kept))
    before = (kept / "points.jsonl").read_text()
    others = {
        "its chosen differ": ("sweep", *SMALL, "--set", "dns=0.1", *GRID),
        "its keys of --grid differ": ("sweep", *SMALL, "--grid", "dns=0.1,0.2"),
        "its scenario differ": ("sweep", "port-exhaustion", *GRID),
    }
    for reason, other in others.items():
        finished = lastport(*other, "--out", str(kept))
        assert finished.status == 2
        assert f"has the points of another sweep: {reason}" in finished.err
    old = json.loads((kept / "sweep.json").read_text())
    old["same"]["lastport"] = "0.0.1"
    (kept / "sweep.json").write_text(json.dumps(old))
    finished = lastport("sweep", *SMALL, *GRID, "--repeat", "1", "--out", str(kept))

    assert "lastport is 0.0.1 in it, and " in finished.err
    assert (kept / "points.jsonl").read_text() == before


def test_a_plan_with_an_allocator_of_one_s_own_is_swept(lastport: Lastport, kept: Path) -> None:
    """In every process behind walls, and named by its whole path."""
    own = ROOT / "docs" / "examples" / "odd_ports_allocator.py"
    grid = ("--grid", f"port_allocation_type=random,{own}")
    finished = lastport("sweep", *SMALL, *grid, "--repeat", "1", "--out", str(kept))

    assert finished.status == 0, finished.err
    assert [row["point"]["port_allocation_type"] for row in read(kept).one["combinations"]] == ["random", str(own)]
