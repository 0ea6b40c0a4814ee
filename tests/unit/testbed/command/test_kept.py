"""`lastport runs`: what is in runs/, the newest first, at any width."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from testbed.command.cli import main

RUN = {"scenario": "port-exhaustion", "gateway": "openflow", "verdict": "pass", "duration_s": 7.25}

Lastport = Callable[..., str]


@pytest.fixture
def lastport(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lastport:
    """Run the command in this process, in an empty folder; return what it prints."""

    def run(*arguments: str, width: int = 80) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "argv", ["lastport", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert ended.value.code == (2 if printed.err else 0), printed
        return printed.err or printed.out

    monkeypatch.chdir(tmp_path)
    return run


def keep(folder: str, minute: int, **facts: object) -> None:
    """Keep the result of a run that started at this minute."""
    path = Path("runs") / folder
    path.mkdir(parents=True)
    started = f"2026-01-02T03:{minute:02}:00+00:00"
    (path / "results.json").write_text(json.dumps({**RUN, "started": started, **facts}))


def test_there_may_be_no_runs_yet(lastport: Lastport) -> None:
    """The sentence says how to make some, also where runs/ is empty."""
    for _ in range(2):
        assert lastport("runs").startswith("No results in runs/. `lastport run port-exhaustion` makes some")
        Path("runs").mkdir(exist_ok=True)
    assert json.loads(lastport("runs", "--json")) == {"schema": 1, "runs": [], "without_results": []}


def test_another_folder_has_to_be_there(lastport: Lastport) -> None:
    """Its name may be mistyped."""
    assert lastport("runs", "nowhere") == "lastport: nowhere: there is no such folder\n"


def test_the_newest_comes_first_whatever_its_folder_is_called(lastport: Lastport) -> None:
    """`--newest` shows some of them, and the number of the others."""
    for folder, minute in (("b", 1), ("a", 3), ("c", 2)):
        keep(folder, minute)

    assert [row["folder"] for row in json.loads(lastport("runs", "--json"))["runs"]] == [
        "runs/a",
        "runs/c",
        "runs/b",
    ]
    shown = lastport("runs", "-n", "1")
    assert "runs/a" in shown
    assert "runs/c" not in shown
    assert "2 older" in shown


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_run_can_be_read_at_any_width(lastport: Lastport, width: int) -> None:
    """No line is wider, and no word of it is lost."""
    keep("one", 4, chosen={"topology": "campus", "ports": 1024, "on_exhaustion": "icmp"})
    keep("20260102-030405-port-exhaustion-openflow-campus-ports=1024-on_exhaustion=icmp", 5, verdict="fail")

    shown = lastport("runs", width=width)

    assert max(map(len, shown.splitlines())) <= width
    together = "".join(shown.split())
    begun = datetime(2026, 1, 2, 3, 4, tzinfo=UTC).astimezone()
    for words in (
        f"{begun:%Y-%m-%d}",
        f"{begun:%H:%M:%S}",
        "PASS",
        "FAIL",
        "7.2",
        "port-exhaustion",
        "openflow",
        "topologycampus",
    ):
        assert words in together
    assert "ports=1024,on_exhaustion=icmp" in together
    assert "runs/one" in together
    assert "…" not in shown


def test_folders_without_results_are_named_with_the_reason(lastport: Lastport, tmp_path: Path) -> None:
    """They hide no run, and a link is not followed."""
    keep("good", 1)
    keep("half", 2)
    Path("runs/half/results.json").write_text('{"scenario": ')
    Path("runs/under-way").mkdir()
    Path("runs/notes.txt").write_text("mine")
    Path("runs/link").symlink_to(tmp_path / "runs" / "good")

    told = json.loads(lastport("runs", "--json"))

    assert [row["folder"] for row in told["runs"]] == ["runs/good"]
    reasons = {each["folder"]: each["reason"] for each in told["without_results"]}
    assert list(reasons) == ["runs/half", "runs/link", "runs/notes.txt", "runs/under-way"]
    assert "damaged" in reasons["runs/half"]
    assert "link" in reasons["runs/link"]
    shown = lastport("runs")
    assert all(folder in shown for folder in reasons)
    assert "Traceback" not in shown


def test_a_row_has_what_tells_a_run_from_others(lastport: Lastport) -> None:
    """The keys are the same for runs, comparisons and benches."""
    keep("one", 4, chosen={"ports": 8})

    assert json.loads(lastport("runs", "--json"))["runs"] == [
        {
            "folder": "runs/one",
            "kind": "run",
            "started": "2026-01-02T03:04:00+00:00",
            "duration_s": 7.25,
            "verdict": "pass",
            "scenarios": ["port-exhaustion"],
            "gateways": ["openflow"],
            "benches": [],
            "chosen": {"ports": 8},
        }
    ]
