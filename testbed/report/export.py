"""Results as CSV (RFC 4180): a table for the checks, the outcomes, the counters, the settings, and each series.

In a comparison every table begins with the columns `scenario` and `gateway`, and in one of pairs with what each
side was. A text that a spreadsheet would take for a formula gets an apostrophe before it: what a student has
written must not run on the computer of who grades.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from testbed.report.figures import rows_of
from testbed.run.naming import in_file_names

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a formula begins in a spreadsheet."""
MOST_TABLES = 200
LONGEST_NAME = 60
WHOSE = ("scenario", "gateway")

Table = list[dict[str, Any]]


def tables(kind: str, results: Mapping[str, Any]) -> dict[str, Table]:
    """Return the tables of some results, by the names of their files."""
    if kind == "bench":
        found = {"rows": _flat(results["rows"]), "ratios": _flat(results["ratios"])}
        found |= {f"series-{name}": rows_of(rows) for name, rows in results.get("series", {}).items()}
        return _named({f"{results['bench']}-{name}": table for name, table in found.items()})
    if kind == "run":
        return _named(_of_run(results))
    if kind == "plan":
        return _named(_of_plan(results))
    if kind == "sweep":
        return _named(_of_sweep(results))
    pairs = _pairs(results.get("pairs"))
    summed = [{**_summary(run), **pairs.get(number, {})} for number, run in enumerate(results["runs"])]
    gathered: dict[str, Table] = {"runs": summed}
    for number, run in enumerate(results["runs"]):
        whose = {key: run[key] for key in WHOSE} | pairs.get(number, {})
        for name, table in _of_run(run).items():
            gathered.setdefault(name, []).extend({**whose, **row} for row in table)
    differences = [
        {key: each[key] for key in ("scenario", "kind", "what", "sentence")}
        for each in results.get("differences", [])
    ]
    return _named({**gathered, "differences": differences})


def written(table: Table) -> str:
    """Return a table as CSV, with a head; every row has all columns."""
    columns = list(dict.fromkeys(column for row in table for column in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_cell(column) for column in columns])
    writer.writerows([[_cell(row.get(column)) for column in columns] for row in table])
    return out.getvalue()


def _pairs(matrix: Mapping[str, Any] | None) -> dict[int, dict[str, str]]:
    """Return what each side of a matrix of pairs was, by the place of the run."""
    names = [side["gateway"] for side in matrix["sides"]] if matrix else []
    cells = matrix["cells"] if matrix else []
    return {cell["run"]: dict(zip(names, cell["behaviours"], strict=False)) for cell in cells}


def _summary(run: Mapping[str, Any]) -> dict[str, Any]:
    keys = (*WHOSE, "verdict", "started", "duration_s", "seed", "reason", "error")
    return {key: run.get(key) for key in keys}


def _of_run(run: Mapping[str, Any]) -> dict[str, Table]:
    columns = ("key", "claim", "expected", "observed", "ok", "source")
    chosen = run.get("chosen", {})
    values = {**run.get("parameters", {}), **run.get("settings", {})}
    found: dict[str, Table] = {
        "checks": [{column: check[column] for column in columns} for check in run.get("checks", [])],
        "outcomes": [{"outcome": name, "attempts": count} for name, count in run.get("outcomes", {}).items()],
        "counters": [{"counter": name, "value": count} for name, count in run.get("counters", {}).items()],
        "settings": [{"key": key, "value": value, "chosen": key in chosen} for key, value in values.items()],
    }
    series = run.get("series", {})
    single = [{"name": name, "value": value} for name, value in series.items() if not rows_of(value)]
    found |= {f"series-{name}": rows_of(value) for name, value in series.items() if rows_of(value)}
    return {**found, **({"series": single} if single else {})}


def _of_plan(plan: Mapping[str, Any]) -> dict[str, Table]:
    """Return a table of the answer, and one of each list."""
    keys = ("workload", "offered", "refused", "refused_share", "erlang_b", "seed", "duration_s")
    values = {**plan.get("parameters", {}), **plan.get("settings", {})}
    lists = ("theory", "classes", "destinations", "worst", "timers", "front")
    ports = plan.get("ports", {}).items()
    needed, log = plan.get("needed") or {}, plan.get("log") or {}
    return {
        "plan": [{key: plan.get(key) for key in keys} | dict(zip(("low", "high"), plan["interval"], strict=True))],
        **{name: list(plan.get(name, [])) for name in lists},
        "ports": [
            {"protocol": name, "second": place * used["every_s"], "ports": count}
            for name, used in ports
            for place, count in enumerate(used["series"])
        ],
        "needed": list(needed.get("tried", [])),
        "log": [{"kind": name, **volume} for name, volume in log.items() if volume],
        "settings": [{"key": key, "value": value} for key, value in values.items()],
    }


def _of_sweep(sweep: Mapping[str, Any]) -> dict[str, Table]:
    """Return a table of the combinations, a row for each measure, and one of the points."""
    combinations = [
        {
            **row["point"],
            "repetitions": row["repetitions"],
            "measure": name,
            **_ends("", found),
            **_ends("difference_", found["difference"] or {}),
        }
        for row in sweep["combinations"]
        for name, found in row["measures"].items()
    ]
    points = [
        {**row["point"], "seed": row["seed"], "verdict": row["verdict"], **row["measures"]}
        for row in sweep["points"]
    ]
    return {"combinations": combinations, "points": points}


def _ends(before: str, found: Mapping[str, Any]) -> dict[str, Any]:
    low, high = found.get("interval") or (None, None)
    return {f"{before}mean": found.get("mean"), f"{before}low": low, f"{before}high": high}


def _flat(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return rows whose parameters are columns of their own."""
    return [{**{k: v for k, v in row.items() if k != "parameters"}, **row["parameters"]} for row in rows]


def _named(found: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables that have rows, by names that any filesystem can have, each once."""
    named: dict[str, Table] = {}
    for name, table in [*found.items()][:MOST_TABLES]:
        short = in_file_names(name)[:LONGEST_NAME]
        if table:
            named[next(each for each in _candidates(short) if each not in named)] = table
    return named


def _candidates(short: str) -> Iterator[str]:
    yield f"{short}.csv"
    yield from (f"{short}-{number}.csv" for number in range(2, MOST_TABLES + 2))


def _cell(value: Any) -> Any:
    """Return a value as a cell: nothing for null, JSON for a list or an object, and no formula."""
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(value)
    if isinstance(value, str):
        text = value.replace("\0", "")
        return f"'{text}" if text.startswith(FORMULA) else text
    return value
