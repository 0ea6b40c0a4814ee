"""What the page shows of a comparison: a matrix of verdicts, and for each scenario a column for each gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.compare.differences import NOT_ASKED, by_scenario, checks, claims, ended, kind_of, not_asked, outcomes
from testbed.compare.page import common, own
from testbed.compare.showed import without_advice
from testbed.report.catalogue import ELSEWHERE, PREDICTED
from testbed.report.charts import Bar, Drawn, bars
from testbed.report.figures import drawn_of
from testbed.report.words import cut, number, words
from testbed.run.naming import label, subject

MOST_GATEWAYS, MOST_SCENARIOS = 12, 40
KINDS = {"differs": "What differs", "alike": "What is alike", NOT_ASKED: "What not all were asked"}
"""The kinds of rows, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one gateway has in a row: a text, what was expected if that differs, and whether a check failed."""

    text: str
    expected: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one run ended, after which time, and where its own report is, as far as these are known."""

    verdict: str = ""
    seconds: str = ""
    report: str = ""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check on several gateways."""

    claim: str
    kind: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class ScenarioColumns:
    """One scenario on several gateways."""

    name: str
    place: str
    question: str
    claim: str
    runs: Sequence[Mapping[str, Any]]
    gateways: Sequence[str]
    showed: Sequence[tuple[str, str]]
    groups: Sequence[tuple[str, Sequence[CheckRow]]]
    left_out: int
    outcomes: Sequence[tuple[str, Sequence[str]]]
    sentences: Sequence[str]
    not_asked: Sequence[str]
    figures: Sequence[Drawn]
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison."""

    gateways: Sequence[str]
    matrix: Sequence[tuple[str, str, Sequence[Verdict]]]
    scenarios: Sequence[ScenarioColumns]
    left_out: int
    seconds: str
    machine: Sequence[tuple[str, str]]
    own: Sequence[tuple[str, Sequence[tuple[str, str]]]]


def compared(
    comparison: Mapping[str, Any],
    reports: Mapping[tuple[str, str], str],
    *,
    rows: int,
    cell: int,
    figures: int,
) -> Compared:
    """Return what the page shows of a comparison; `reports` are the places of its runs' own ones."""
    runs = [_shortened(run, rows, cell) for run in comparison["runs"]]
    groups = [*by_scenario(runs).items()]
    gateways = list(dict.fromkeys(subject(run) for run in runs))[:MOST_GATEWAYS]
    shown = [
        _scenario(name, group[:MOST_GATEWAYS], comparison, f"s{place}", rows, cell, figures)
        for place, (name, group) in enumerate(groups[:MOST_SCENARIOS])
    ]
    return Compared(
        gateways=[cut(label(gateway), cell) for gateway in gateways],
        matrix=[_row_of_matrix(each, gateways, reports) for each in shown],
        scenarios=shown,
        left_out=max(0, len(groups) - MOST_SCENARIOS),
        seconds=f"{sum(run.get('duration_s', 0) for run in runs):,.0f}",
        machine=_pairs(common(runs), rows, cell),
        own=[(cut(label(name), cell), _pairs(facts, rows, cell)) for name, facts in own(runs).items() if facts][
            :MOST_GATEWAYS
        ],
    )


def _shortened(run: Mapping[str, Any], rows: int, cell: int) -> Mapping[str, Any]:
    """Return a run with as many checks as a page has room for, those that failed first if these are not all."""
    made = run.get("checks", [])
    if len(made) > rows:
        made = sorted(made, key=lambda check: check["ok"])[:rows]
    left_out = len(run.get("checks", [])) - len(made)
    return {**run, "checks": [_shown(check, cell) for check in made], "checks_left_out": left_out}


def _shown(check: Mapping[str, Any], cell: int) -> Mapping[str, Any]:
    sides = {side: words(check[side], cell) for side in ("expected", "observed")}
    return {**check, "claim": cut(check["claim"], cell), **sides}


def _pairs(facts: Mapping[str, str], rows: int, cell: int) -> list[tuple[str, str]]:
    return [(cut(key.replace("_", " "), cell), cut(fact, cell)) for key, fact in [*facts.items()][:rows]]


def _row_of_matrix(
    scenario: ScenarioColumns, gateways: Sequence[str], reports: Mapping[tuple[str, str], str]
) -> tuple[str, str, Sequence[Verdict]]:
    runs = {subject(run): run for run in scenario.runs}
    cells = [_verdict(runs[gateway], reports) if gateway in runs else Verdict() for gateway in gateways]
    return scenario.place, scenario.name, cells


def _verdict(run: Mapping[str, Any], reports: Mapping[tuple[str, str], str]) -> Verdict:
    seconds = f"{number(run['duration_s'])} s" if "duration_s" in run else ""
    return Verdict(run["verdict"], seconds, reports.get((run["scenario"], subject(run)), ""))


def _scenario(
    name: str,
    group: Sequence[Mapping[str, Any]],
    comparison: Mapping[str, Any],
    place: str,
    most: int,
    cell: int,
    figures: int,
) -> ScenarioColumns:
    scenarios: Sequence[Mapping[str, Any]] = comparison.get("scenarios", [])
    asked = next((row for row in scenarios if row["scenario"] == name), {})
    found = sorted(_rows(group, cell), key=lambda row: [*KINDS].index(row.kind))
    groups = [(title, [row for row in found if row.kind == kind]) for kind, title in KINDS.items()]
    runs = list(group)
    return ScenarioColumns(
        name=cut(label(name), cell),
        place=place,
        question=cut(asked.get("question", ""), 2 * cell),
        claim=cut(asked.get("claim", ""), 2 * cell),
        runs=runs,
        gateways=[cut(label(subject(run)), cell) for run in runs],
        showed=[
            (cut(label(key), cell), cut(line, 2 * cell)) for key, line in [*asked.get("showed", {}).items()][:most]
        ],
        groups=[(title, rows) for title, rows in groups if rows],
        left_out=max(run["checks_left_out"] for run in runs),
        outcomes=[
            (cut(each, cell), [number(run["outcomes"].get(each, 0)) if "outcomes" in run else "-" for run in runs])
            for each in outcomes(runs)[:most]
        ],
        sentences=[
            cut(each["sentence"], 2 * cell)
            for each in comparison.get("differences", [])
            if each["scenario"] == name and each["kind"] != NOT_ASKED
        ][:most],
        not_asked=[cut(each, 4 * cell) for each in not_asked(runs)[:most]],
        figures=list(_figures(runs, place))[: max(0, min(figures, 3))],
        reasons=[
            f"{cut(label(subject(run)), cell)}: {cut(without_advice(run['reason']), 2 * cell)}"
            for run in runs
            if "reason" in run
        ],
    )


def _rows(group: Sequence[Mapping[str, Any]], cell: int) -> Iterator[CheckRow]:
    by_run = [checks(run) for run in group]
    for key, claim in claims(group).items():
        found = [each.get(key) for each in by_run]
        expected = {words(check["expected"]) for check in found if check}
        yield CheckRow(
            cut(claim, cell),
            kind_of(key, group),
            [_cell(check, show_expected=len(expected) > 1, cell=cell) for check in found],
        )


def _cell(check: Mapping[str, Any] | None, *, show_expected: bool, cell: int) -> Cell:
    if check is None:
        return Cell("-")
    observed, expected = words(check["observed"], cell), words(check["expected"], cell)
    differs = observed != expected and (show_expected or not check["ok"])
    return Cell(observed, expected if differs else "", not check["ok"])


def _figures(group: Sequence[Mapping[str, Any]], place: str) -> Iterator[Drawn]:
    """Yield what became of the attempts with each gateway, and the lines of all gateways in one figure."""
    runs = {label(subject(run)): run for run in ended(group)}
    names = outcomes([*runs.values()])[:4]
    if names and len(runs) > 1:
        drawn = [
            Bar(gateway, [[float(run["outcomes"].get(name, 0))] for name in names])
            for gateway, run in runs.items()
        ]
        title, text = "Attempts by outcome", "What became of the attempts."
        yield Drawn(title, bars(f"{place}-outcomes", title, text, drawn, names), text)
    series = {gateway: run.get("series", {}) for gateway, run in runs.items()}
    known = dict.fromkeys(name for each in series.values() for name in each)
    for number_, name in enumerate(known):
        if name not in ELSEWHERE and not name.startswith(PREDICTED) and len(series) > 1:
            drawn_ = drawn_of(f"{place}-{number_}", series, name)
            if drawn_:
                yield drawn_
