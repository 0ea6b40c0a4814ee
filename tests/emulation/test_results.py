"""Results in real runs: they name what made them, are never overwritten, and are there however a run ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.emulation.conftest import FILES, SMALL, Run


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
    (row,) = run("runs", "--json").result["runs"]
    assert (row["folder"], row["chosen"]) == (f"runs/{folder.name}", result["chosen"])


def test_results_are_never_overwritten(run: Run, tmp_path: Path) -> None:
    """No command writes where another has written, and the refusal comes before anything starts."""
    bench = ("bench", "memory", "--repetitions", "1", "--set", "ports=1024")
    compare = ("compare", "eviction", "--gateways", "openflow", "--set", "clients=2")
    commands = {"run": ("run", "port-exhaustion", *SMALL), "bench": bench, "compare": compare}
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
        ("Raising", "ValueError: no such host: alcie"),
        ("Leaving", "SystemExit: nothing to do"),
        ("Untold", "UndefinedError: 'ports' is undefined"),
        ("Unwritable", "TypeError: "),
    ],
)
def test_a_scenario_that_fails_is_an_error_with_the_reason(run: Run, scenario: str, reason: str) -> None:
    """Its own lines are the last words, and what it had checked is kept."""
    finished = run("run", f"{FILES / 'failing_scenarios.py'}:{scenario}", "--json")

    assert finished.status == 4, finished.complaints
    assert finished.complaints == ""
    result = finished.result
    assert result["verdict"] == "error"
    assert result["error"].startswith(reason)
    assert "failing_scenarios.py" in result["last_words"]
    assert "inside.py" not in result["last_words"]
    assert len(result["checks"]) == (1 if scenario == "Raising" else 0)
