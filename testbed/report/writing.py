"""Writing reports among the results. A report that cannot be made or written costs a sentence, and no verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.report.page import bench_page, comparison_page, plan_page, run_page, sweep_page
from testbed.report.ports import seen
from testbed.report.reading import Read
from testbed.run.folder import REPORT, Folder


def keep_run(folder: Folder, run: Mapping[str, Any]) -> str:
    """Write the report of a run into its folder; return an empty string, or why that is not possible."""
    return _kept(folder, lambda: run_page(run, seen(folder.path, run)))


def keep_comparison(folder: Folder, comparison: Mapping[str, Any]) -> str:
    """Write the report of a comparison into its folder; return an empty string, or why that is not possible."""
    return _kept(folder, lambda: comparison_page(comparison, folder.path))


def keep_benches(folder: Folder, benches: Sequence[Mapping[str, Any]]) -> str:
    """Write the report of benches into their folder; return an empty string, or why that is not possible."""
    return _kept(folder, lambda: bench_page(benches))


def keep_plan(folder: Folder, plan: Mapping[str, Any]) -> str:
    """Write the report of a plan into its folder; return an empty string, or why that is not possible."""
    return _kept(folder, lambda: plan_page(plan))


def keep_sweep(folder: Folder, sweep: Mapping[str, Any]) -> str:
    """Write the report of a sweep into its folder; return an empty string, or why that is not possible."""
    return _kept(folder, lambda: sweep_page(sweep))


def page_of(results: Read, folder: Path) -> str:
    """Return the page about results that were read, for a folder in which it is to be."""
    if results.kind == "run":
        return run_page(results.one, seen(results.folder, results.one))
    if results.kind == "compare":
        return comparison_page(results.one, folder)
    if results.kind == "plan":
        return plan_page(results.one)
    if results.kind == "sweep":
        return sweep_page(results.one)
    return bench_page([*results.files.values()])


def _kept(folder: Folder, page: Callable[[], str]) -> str:
    try:
        text = page()
    except Exception as error:  # the results are there, and their verdict does not depend on a page
        return f"{REPORT} could not be made: {type(error).__name__}: {error}"
    return folder.keep(REPORT, text)
