"""Reports among the results: one that cannot be made or written costs a sentence, and no verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from testbed.report.writing import keep_comparison, keep_run
from testbed.run.folder import REPORT, Folder
from tests.support.reports import a_run


def test_a_run_has_its_report_beside_its_results(tmp_path: Path) -> None:
    """Nothing else is left there."""
    folder = Folder(tmp_path / "results")

    assert keep_run(folder, a_run()) == ""

    assert [path.name for path in folder.path.iterdir()] == [REPORT]
    assert (folder.path / REPORT).read_text().startswith("<!DOCTYPE html>")


def test_what_goes_wrong_is_a_sentence(tmp_path: Path) -> None:
    """A fault of the page, and a folder that is not there any more."""
    folder = Folder(tmp_path / "results")
    broken: dict[str, Any] = {"verdict": "pass"}

    assert keep_run(folder, broken).startswith("report.html could not be made: KeyError: ")
    assert keep_comparison(folder, {}) == "report.html could not be made: KeyError: 'runs'"
    folder.path.rmdir()
    assert keep_run(folder, a_run()).startswith(f"report.html could not be written to {folder.path}: No such")
