"""`lastport export --csv`: a table for each kind of thing, which any program reads."""

from __future__ import annotations

import csv
import io

from testbed.report.export import tables, written
from tests.support.reports import a_run

SERIES = {"served": [{"client": "alice", "got": 3}, {"client": "bob", "got": None, "why": [1]}], "index": 0.5}


def lines(text: str) -> list[list[str]]:
    """Return the cells of a CSV file."""
    return list(csv.reader(io.StringIO(text)))


def test_a_run_has_a_file_for_each_table() -> None:
    """A series of rows has one of its own, and single figures have one together."""
    told = a_run(
        outcomes={"established": 4},
        counters={"held": None},
        series=SERIES,
        settings={"ports": 8},
        chosen={"ports": 8},
    )

    found = tables("run", told)

    names = ["checks.csv", "outcomes.csv", "counters.csv", "settings.csv", "series-served.csv", "series.csv"]
    assert list(found) == names
    assert lines(written(found["series-served.csv"])) == [
        ["client", "got", "why"],
        ["alice", "3", ""],
        ["bob", "", "[1]"],
    ]
    assert lines(written(found["settings.csv"])) == [["key", "value", "chosen"], ["ports", "8", "true"]]
    assert lines(written(found["counters.csv"])) == [["counter", "value"], ["held", ""]]
    assert lines(written(found["checks.csv"]))[1][:2] == ["established", "exactly 4 attempts are established"]


def test_in_a_comparison_each_row_tells_whose_it_is() -> None:
    """The differences are a table as well."""
    cannot = {"scenario": "port-exhaustion", "gateway": "box", "verdict": "cannot", "reason": "a box"}
    differs = {"scenario": "s", "kind": "check", "what": "w", "values": {}, "sentence": "They differ."}

    found = tables("compare", {"runs": [a_run(), a_run(gateway="netfilter"), cannot], "differences": [differs]})

    assert [line[:2] for line in lines(written(found["checks.csv"]))] == [
        ["scenario", "gateway"],
        ["port-exhaustion", "openflow"],
        ["port-exhaustion", "netfilter"],
    ]
    assert [line[2] for line in lines(written(found["runs.csv"]))] == ["verdict", "pass", "pass", "cannot"]
    assert lines(written(found["differences.csv"]))[1] == ["s", "check", "w", "They differ."]


def test_a_bench_has_its_parameters_as_columns() -> None:
    """So a spreadsheet can filter them."""
    row = {"subject": "openflow", "parameters": {"fill": 0.5}, "unit": "flows/s", "median": 1, "min": 1, "max": 2}

    found = tables("bench", {"bench": "setup", "rows": [row], "ratios": []})

    assert lines(written(found["setup-rows.csv"])) == [
        ["subject", "unit", "median", "min", "max", "fill"],
        ["openflow", "flows/s", "1", "1", "2", "0.5"],
    ]


def test_no_text_is_a_formula_and_no_name_is_a_path() -> None:
    """A spreadsheet runs formulas, and a series may have any name."""
    rows = [{"=cmd|x": '=HYPERLINK("//x")', "n": -3}, {"=cmd|x": "+1"}, {"=cmd|x": "@a"}, {"=cmd|x": "-2+3"}]

    found = tables("run", a_run(series={"../../etc/x": rows, ".._.._etc_x": rows, "CON\0": 1}))

    names = [name for name in found if name.startswith("series-")]
    assert len(names) == 2
    assert not [name for name in names if "/" in name or "\0" in name]
    assert lines(written(found[names[0]])) == [
        ["'=cmd|x", "n"],
        ['\'=HYPERLINK("//x")', "-3"],
        ["'+1", ""],
        ["'@a", ""],
        ["'-2+3", ""],
    ]
