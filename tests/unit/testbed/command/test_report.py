"""`lastport report` and `lastport export`: past results, made into a page and into tables again."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.settings import ConfigurationError
from testbed.command.cli import main
from testbed.run.beside import Beside
from tests.support.reports import CHECK, Page, a_run

Lastport = Callable[..., tuple[object, str, str]]


@pytest.fixture
def lastport(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lastport:
    """Run the command in this process, in an empty folder; return its status and what it prints."""

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["lastport", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code, *capsys.readouterr())

    monkeypatch.chdir(tmp_path)
    return run


def keep(folder: str, name: str, told: dict[str, Any]) -> Path:
    """Write results into a folder, and return it."""
    path = Path(folder)
    path.mkdir(exist_ok=True)
    (path / name).write_text(json.dumps(told))
    return path


def test_a_report_is_made_again_from_the_results(lastport: Lastport) -> None:
    """It replaces the one that is there, or is written elsewhere."""
    keep("a", "results.json", a_run(question="Is it so?"))
    for _ in range(2):
        assert lastport("report", "a") == (0, "a/report.html\n", "")
    assert lastport("report", "a", "--out", "b/c") == (0, "b/c/report.html\n", "")

    page = Path("a/report.html").read_text()
    assert "Is it so?" in Page.of(page).text
    assert Path("b/c/report.html").read_text() == page


def test_a_comparison_and_benches_have_reports_as_well(lastport: Lastport) -> None:
    """All benches of a folder are one page."""
    keep("c", "compare.json", {"schema": 1, "runs": [a_run(), a_run(gateway="netfilter")]})
    figures = {
        "schema": 1,
        "rows": [],
        "ratios": [],
        "repetitions": 1,
        "started": "2026-01-02T03:04:05+00:00",
        "duration_s": 1.0,
    }
    for name in ("setup", "memory"):
        keep("b", f"{name}.json", {"bench": name, **figures})

    assert [lastport("report", folder)[0] for folder in "cb"] == [0, 0]

    assert "Comparison of openflow, netfilter" in Page.of(Path("c/report.html").read_text()).text
    assert "Speed: setup, memory" in Page.of(Path("b/report.html").read_text()).text


@pytest.mark.parametrize("command", [("report",), ("export", "--csv")], ids=["report", "export"])
def test_results_that_do_not_match_are_refused_with_their_place(lastport: Lastport, command: tuple[str]) -> None:
    """With status 2, before anything is written."""
    folder = keep("a", "results.json", a_run(checks=[{**CHECK, "ok": 1}]))

    status, out, err = lastport(*command, "a")

    assert (status, out) == (2, "")
    place = "at /checks/0/ok: found 1, expected: a valid boolean"
    assert err == f"lastport: results.json does not match its schema: {place}\n"
    assert [each.name for each in folder.iterdir()] == ["results.json"]


def test_a_scenario_in_a_file_is_neither_imported_nor_opened(lastport: Lastport) -> None:
    """Whoever has sent the results must not run code here."""
    Path("mine.py").write_text("raise SystemExit('imported')")
    keep("a", "results.json", a_run(scenario=f"{Path('mine.py').absolute()}:Mine", gateway="mine.py:Box"))

    assert lastport("report", "a")[0] == 0


def test_nothing_but_a_regular_file_is_replaced(lastport: Lastport) -> None:
    """A link could lead anywhere, and a folder has something in it."""
    folder = keep("a", "results.json", a_run())
    (folder / "report.html").symlink_to("/dev/null")
    (folder / "checks.csv").mkdir()

    for command in (("report", "a"), ("export", "a", "--csv")):
        status, out, err = lastport(*command)
        assert (status, out) == (2, "")
        assert "name a file that may be replaced" in err
    assert (folder / "report.html").is_symlink()


def test_tables_are_written_for_other_programs(lastport: Lastport) -> None:
    """Each file is named; without a format there is none."""
    keep("a", "results.json", a_run(outcomes={"established": 4}))

    assert lastport("export", "a")[::2] == (2, "lastport: choose a format: --csv\n")
    assert lastport("export", "a", "--csv", "--out", "t") == (0, "t/checks.csv\nt/outcomes.csv\n", "")
    assert Path("t/outcomes.csv").read_bytes() == b"outcome,attempts\r\nestablished,4\r\n"


def test_a_file_besides_the_results_replaces_a_regular_file_alone(tmp_path: Path) -> None:
    """That is found out before anything starts."""
    os.mkfifo(tmp_path / "pipe")
    for name, kind in ((".", "a folder"), ("pipe", "no regular file")):
        with pytest.raises(ConfigurationError, match=rf"^--junit .* is {kind}; name a file that may be replaced"):
            Beside(tmp_path / name, "--junit")
    wanted = Beside(tmp_path / "new" / "checks.xml", "--junit")
    wanted.open()

    assert wanted.keep(lambda: "<x/>") == ""
    assert (tmp_path / "new" / "checks.xml").read_text() == "<x/>"
    assert Beside(None, "--junit").keep(lambda: "") == ""


@pytest.mark.parametrize("command", ["events", "view"])
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (os.mkdir, "recording.gz"),
        (os.mkfifo, "recording.gz"),
        (lambda path: os.symlink("recording.gz", path), "recording.gz"),
        (lambda path: None, "there is no recording|has no recording"),
    ],
    ids=["folder", "pipe", "link to itself", "nothing"],
)
def test_a_recording_that_cannot_be_opened_is_a_sentence(
    lastport: Lastport, command: str, make: Callable[[str], None], says: str
) -> None:
    """Whatever has its name."""
    Path("a").mkdir()
    make("a/recording.gz")

    status, printed, complaint = lastport(command, "a")

    assert (status, printed) == (2, "")
    assert re.search(f"^lastport: .*({says})", complaint)
    assert complaint.count("\n") == 1
