"""A matrix of pairs for people: on a terminal, as Markdown, and as the page of the comparison."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from testbed.compare.matrix import in_short, is_expected, page, show
from testbed.report.export import tables
from testbed.report.junit import junit
from testbed.report.page import BUDGET, comparison_page
from testbed.run.kept import kept_in
from tests.support.junit_schema import mistakes
from tests.support.reports import Page, a_run, require_conforming

NAMES = ["eim/eif", "edm/edf"]
SEEN = {
    ("eim/eif", "eim/eif"): (["meet"], "meet", "pass"),
    ("eim/eif", "edm/edf"): (["apart", "meet"], "apart", "pass"),
    ("edm/edf", "eim/eif"): (["meet"], "apart", "fail"),
}
"""What three of four pairs have shown: as foreseen, by a race, and not as foreseen. The fourth was not begun."""


def compared(**seen: Any) -> dict[str, Any]:
    """Return the results of a comparison with the matrix."""
    cells = [
        {"behaviours": [*pair], "foreseen": foreseen, "observed": observed, "verdict": verdict, "run": run}
        for run, (pair, (foreseen, observed, verdict)) in enumerate(SEEN.items())
    ]
    runs = [
        a_run(
            scenario="hole-punching",
            verdict=cell["verdict"],
            chosen={"gateway-a.mapping_type": cell["behaviours"][0], "patience": 1},
            files={"report": f"x/{'/'.join(each.replace('/', '-') for each in cell['behaviours'])}/report.html"},
        )
        for cell in cells
    ]
    told = {
        "schema": 1,
        "version": "0.1.0",
        "commit": "c0ffee",
        "command": ["compare", "hole-punching", "--pairs"],
        "started": "2026-01-02T03:04:05+00:00",
        "scenarios": [{"scenario": "hole-punching", "question": "Who meets?", "claim": "all do", "showed": {}}],
        "runs": runs,
        "differences": [],
        "pairs": {
            "sides": [
                {"gateway": "gateway-a", "kind": "openflow", "behaviours": NAMES},
                {"gateway": "gateway-b", "kind": "netfilter", "behaviours": NAMES},
            ],
            "cells": cells,
            **seen,
        },
    }
    require_conforming(told)
    return told


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_shows_the_matrix_and_what_is_not_as_foreseen(width: int) -> None:
    """At any width, with a mark that needs no colour."""
    console = Console(file=io.StringIO(), width=width)

    show(console, compared(), left_out=1, folder="here")

    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    cells = [line.split() for line in lines if line.strip().startswith(tuple(NAMES))][:2]
    assert cells == [["eim/eif", "meet", "apart?"], ["edm/edf", "apart!", "-"]]
    words = " ".join(" ".join(lines).split())
    assert "2 of 3 pairs are as foreseen: edm/edf and eim/eif: foreseen: meet; observed: apart; fail" in words
    assert "1 not begun. Results in here" in words


@pytest.mark.parametrize(
    ("verdict", "observed", "expected"),
    [("pass", "meet", True), ("pass", "apart", False), ("fail", "meet", False), ("error", None, False)],
)
def test_a_pair_is_as_foreseen_if_its_run_has_passed_and_observed_that(
    verdict: str, observed: str | None, expected: bool
) -> None:
    """A scenario of a user's own may have no check for it."""
    cell = {"behaviours": NAMES, "foreseen": ["meet"], "observed": observed, "verdict": verdict, "run": 0}

    assert is_expected(cell) is expected


def test_the_last_line_has_the_sum() -> None:
    """For a terminal that cannot be written."""
    assert in_short(compared(), "here") == "2 of 3 pairs are as foreseen: Results in here"


def test_a_page_of_markdown_has_the_matrix() -> None:
    """Under the scenario's question, with the command that made it."""
    text = page(compared())

    assert text.startswith("# Who meets?\n")
    assert "`lastport compare hole-punching --pairs --gateways openflow,netfilter`" in text
    assert "| | eim/eif | edm/edf |\n|---|---|---|\n| **eim/eif** | meet | apart? |\n" in text
    assert "| **edm/edf** | apart! | - |\n" in text
    assert "- edm/edf and eim/eif: foreseen: meet; observed: apart; fail" in text


def test_each_cell_of_the_report_leads_to_its_run_and_says_what_it_shows(tmp_path: Path) -> None:
    """In words, so that a screen reader and a print without colours have all of it."""
    for place in ("eim-eif/eim-eif", "edm-edf/eim-eif"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "report.html").write_text("")

    found = Page.of(comparison_page(compared(), tmp_path))

    assert found.mistakes == []
    links = {link["href"]: link["aria-label"] for link in found.having("a")}
    assert links == {
        "eim-eif/eim-eif/report.html": "eim/eif and eim/eif: observed: meet, foreseen: meet, pass",
        "edm-edf/eim-eif/report.html": "edm/edf and eim/eif: observed: apart, foreseen: meet, fail",
    }
    assert [cell["scope"] for cell in found.having("th") if cell["scope"] == "row"] == ["row"] * len(NAMES)
    assert "✗ apart" in found.text
    assert "2 of 3 pairs are as foreseen" in found.text


def test_whatever_the_results_name_the_report_is_a_page_below_its_budget() -> None:
    """Texts in it are escaped and cut, and a cell may name a run that is not there."""
    hostile = "<script>\"'</script>" * 20_000
    told = compared()
    told["pairs"]["sides"][0] = {"gateway": hostile, "kind": hostile, "behaviours": [hostile] * 200}
    told["pairs"]["sides"][1]["behaviours"] = [hostile] * 200
    told["pairs"]["cells"] = [
        {
            "behaviours": [hostile, hostile],
            "foreseen": [hostile],
            "observed": hostile,
            "verdict": "pass",
            "run": 99,
        }
    ]

    text = comparison_page(told, Path())

    assert len(text.encode()) < BUDGET
    assert Page.of(text).mistakes == []
    assert not Page.of(text).having("script")


def test_tables_for_other_programs_tell_the_pairs_apart() -> None:
    """The scenario and the gateway are the same in all of them."""
    found = tables("compare", compared())

    for name in ("runs.csv", "checks.csv"):
        sides = [(row["gateway-a"], row["gateway-b"]) for row in found[name]]
        assert sides == [*SEEN]


def test_a_ci_server_gets_a_suite_of_its_own_name_for_each_pair() -> None:
    """Cases of one name in suites of one name would be taken for the same."""
    told = compared()
    names = [" and ".join(pair).replace("/", "-") for pair in SEEN]

    suites = ElementTree.fromstring(junit(told["runs"], names))

    assert mistakes(suites) == []
    assert [suite.attrib["name"] for suite in suites] == [f"hole-punching on {name}" for name in names]


def test_the_list_of_runs_has_what_was_chosen_for_all_pairs(tmp_path: Path) -> None:
    """The behaviours differ from pair to pair, and nobody chose them."""
    (tmp_path / "compare.json").write_text(json.dumps(compared()))

    assert kept_in(tmp_path).chosen == {"patience": 1}
