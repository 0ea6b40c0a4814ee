"""Results in real runs: they name what made them, are never overwritten, and are there however a run ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.emulation.conftest import FILES, SMALL, Run
from tests.support.reports import Page


def test_a_result_names_itself(run: Run, tmp_path: Path) -> None:
    """So do its folder, the last line, and `lastport runs`."""
    chosen = ("--topology", "campus", *SMALL, "--set", "on_exhaustion=icmp")

    finished = run("run", "port-exhaustion", *chosen)

    named = "topology campus, ports=16, attempts=24, clients=3, on_exhaustion=icmp"
    assert f"PASS  port-exhaustion on openflow ({named}), " in finished.output, finished.complaints
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.endswith(
        "-port-exhaustion-openflow-campus-ports=16-attempts=24-clients=3-on_exhaustion=icmp"
    )
    result = json.loads((folder / "results.json").read_text())
    assert result["version"]
    assert result["command"] == ["run", "port-exhaustion", *chosen]
    assert result["story"].split() == finished.output.split()[: len(result["story"].split())]
    assert result["settings"]["on_exhaustion"] == "icmp"
    assert all(check["key"] for check in result["checks"])
    page = (folder / "report.html").read_text()
    assert result["question"] in Page.of(page).text
    assert run("report", str(folder), "--out", "again").output == "again/report.html\n"
    assert (tmp_path / "again" / "report.html").read_text() == page
    (row,) = run("runs", "--json").result["runs"]
    assert (row["folder"], row["chosen"]) == (f"runs/{folder.name}", result["chosen"])


def test_results_are_never_overwritten(run: Run, tmp_path: Path) -> None:
    """No command writes where another has written, and the refusal comes before anything starts."""
    bench = ("bench", "memory", "--repetitions", "1", "--set", "ports=1024")
    short = str(FILES / "short.py")
    compare = ("compare", short, "--gateways", "openflow")
    commands = {"run": ("run", short), "bench": bench, "compare": compare}
    for name, command in commands.items():
        assert run(*command, "--out", name).status == 0

    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    for name in commands:
        for other, command in commands.items():
            refused = run(*command, "--out", name)
            assert (refused.status, refused.output) == (2, ""), (name, other)
            assert f"--out {name} has results already (" in refused.complaints
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("Raising", r"ValueError: no such host: alcie \(failing_scenarios.py, line \d+, in run\)"),
        ("Leaving", r"SystemExit: nothing to do \(failing_scenarios.py, line \d+, in run\)"),
        ("Pressed", r"KeyboardInterrupt \(failing_scenarios.py, line \d+, in run\)"),
        ("Untold", r"UndefinedError: 'ports' is undefined \(.*, in run; line 1 of the story\)"),
        ("Unwritable", r"TypeError: .* \(failing_scenarios.py, line \d+, in run\)"),
    ],
)
def test_a_scenario_that_fails_is_an_error_with_the_reason(
    run: Run, tmp_path: Path, scenario: str, reason: str
) -> None:
    """Its own lines are the last words, and what it had checked is kept."""
    command = ("run", f"{FILES / 'failing_scenarios.py'}:{scenario}", "--json", "--junit", "checks.xml")

    finished = run(*command)

    assert finished.status == 4, finished.complaints
    assert finished.complaints == ""
    result = finished.result
    (suite,) = ElementTree.parse(tmp_path / "checks.xml").getroot()
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("0", "1")
    assert result["verdict"] == "error"
    assert re.fullmatch(reason, result["error"])
    assert "failing_scenarios.py" in result["last_words"]
    assert "inside.py" not in result["last_words"]
    assert len(result["checks"]) == (1 if scenario == "Raising" else 0)


def test_a_scenario_that_asks_nothing_is_an_error(run: Run) -> None:
    """No NAT is to blame, and nothing was shown of one."""
    finished = run("run", f"{FILES / 'failing_scenarios.py'}:Silent", "--json")

    assert (finished.status, finished.complaints) == (4, "")
    assert "the scenario asked nothing: write x.check(" in finished.result["error"]


def test_a_scenario_that_ends_its_own_process_is_an_error_with_its_last_words(run: Run) -> None:
    """Its status is not the command's, and what it had checked is kept."""
    finished = run("run", f"{FILES / 'failing_scenarios.py'}:Quitting", "--json")

    assert (finished.status, finished.complaints) == (4, "")
    assert finished.result["error"] == "the scenario's process ended with status 0"
    assert finished.result["last_words"] == "I have seen enough."
    assert len(finished.result["checks"]) == 1


def test_what_a_scenario_prints_and_leaves_running_changes_neither_status_nor_json(run: Run) -> None:
    """A process that it forks, and that comes back from `run`, reports nothing."""
    finished = run("run", f"{FILES / 'failing_scenarios.py'}:Multiplying", "--json")

    assert (finished.status, finished.complaints) == (0, "")
    assert [check["key"] for check in finished.own_checks] == ["one-is-one"]
