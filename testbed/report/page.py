"""The page about a run, a comparison or benches: one file of HTML with everything in it.

It is the same bytes for the same results: nothing here asks the clock or draws at random. It is below `BUDGET` by
construction. Each part has room for a number of rows and of characters, and what is left out is counted. If the
whole is still too large, it is made again with a quarter of the room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from testbed.compare.page import common
from testbed.experiment.judged import JUDGED
from testbed.report import network, pairs, settings, until_known
from testbed.report.answer import answer
from testbed.report.bench import Benched, benched
from testbed.report.beside import reports
from testbed.report.charts import Bar, Drawn, bars
from testbed.report.columns import Compared, compared
from testbed.report.figures import figures, phases, tables
from testbed.report.plan import planned
from testbed.report.ports import Seen
from testbed.report.repeat import as_typed, repeating
from testbed.report.sources import linked
from testbed.report.sweep import swept
from testbed.report.words import cut, instant, number, plural, title_of, words
from testbed.run.naming import label, title
from testbed.run.schema import completed

BUDGET = 1_000_000
"""The bytes that a page has fewer than."""
TEMPLATES = Path(__file__).with_name("templates")
MOST_BENCHES = 16


@dataclass(frozen=True, slots=True)
class Room:
    """What a page has room for: rows of a table, tables, figures, and characters of a cell and of a text."""

    checks: int
    rows: int
    tables: int
    figures: int
    cell: int
    text: int
    maps: int


ROOMS = (
    Room(checks=400, rows=60, tables=24, figures=16, cell=400, text=12_000, maps=16),
    Room(checks=100, rows=30, tables=8, figures=8, cell=160, text=4_000, maps=4),
    Room(checks=40, rows=12, tables=4, figures=2, cell=60, text=1_000, maps=0),
    Room(checks=10, rows=5, tables=1, figures=0, cell=30, text=200, maps=0),
)
"""From the most room to the least, in which any results fit."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Some of the checks, with the number of those that are left out."""

    title: str
    checks: Sequence[Mapping[str, Any]]
    left_out: int


def run_page(run: Mapping[str, Any], seen: Seen | None = None) -> str:
    """Return the page about a run; `seen` is what its recording shows of the ports."""
    told = completed("run", run)
    return _fitting("run.html.j2", lambda room: _of_run(told, seen, room))


def comparison_page(comparison: Mapping[str, Any], beside: Path | None = None) -> str:
    """Return the page about a comparison, with a column for each gateway. Its place is the folder `beside`."""
    told = completed("compare", comparison)
    if told["pairs"]:
        return _fitting("pairs.html.j2", lambda room: _of_pairs(told, beside, room))
    own = reports(comparison["runs"], beside) if beside else {}

    def facts(room: Room) -> dict[str, Any]:
        found: Compared = compared(comparison, own, rows=room.rows, cell=room.cell, figures=room.figures)
        return {"compared": found, "typed": cut(as_typed(comparison), room.text), "origin": told}

    return _fitting("compare.html.j2", facts)


def _of_pairs(told: Mapping[str, Any], beside: Path | None, room: Room) -> dict[str, Any]:
    asked = told["scenarios"][0] if told["scenarios"] else {"question": "", "claim": ""}
    return {
        "question": cut(asked["question"] or label(told["runs"][0]["scenario"]), room.text),
        "claim": cut(asked["claim"], room.text),
        "shown": pairs.shown(told, beside, cell=room.cell, most=room.checks),
        "machine": _pairs(common(told["runs"]), room),
        "typed": cut(as_typed(told), room.text),
        "origin": told,
    }


def bench_page(benches: Sequence[Mapping[str, Any]]) -> str:
    """Return the page about one bench, or several."""
    told = [completed("bench", bench) for bench in benches[:MOST_BENCHES]]

    def facts(room: Room) -> dict[str, Any]:
        found: list[Benched] = [
            benched(each, f"b{place}", rows=room.checks, cell=room.cell) for place, each in enumerate(told)
        ]
        return {"benches": found, "typed": cut(as_typed(told[0]), room.text), "origin": told[0]}

    return _fitting("bench.html.j2", facts)


def plan_page(plan: Mapping[str, Any]) -> str:
    """Return the page about a plan."""
    told = completed("plan", plan)
    return _fitting(
        "plan.html.j2",
        lambda room: {
            "plan": planned(told, rows=room.rows, cell=room.cell, figures=room.figures),
            "typed": cut(as_typed(told), room.text),
            "origin": told,
        },
    )


def sweep_page(sweep: Mapping[str, Any]) -> str:
    """Return the page about a sweep."""
    told = completed("sweep", sweep)
    return _fitting(
        "sweep.html.j2",
        lambda room: {
            "sweep": swept(told, rows=room.checks, cell=room.cell, figures=room.figures),
            "typed": cut(as_typed(told), room.text),
            "origin": told,
        },
    )


def _fitting(template: str, facts: Callable[[Room], dict[str, Any]]) -> str:
    """Return a page with as much room as the budget allows."""
    page = ""
    for room in ROOMS:
        page = _environment().get_template(template).render(room=room, **facts(room))
        if len(page.encode("utf-8", errors="replace")) < BUDGET:
            break
    return page


@cache
def _environment() -> jinja2.Environment:
    """Return Jinja2's environment: every text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "cut": cut,
        "instant": instant,
        "words": words,
        "number": number,
        "linked": linked,
        "label": label,
        "title_of": title_of,
    }
    environment.globals["style"] = Markup((TEMPLATES / "style.css").read_text())
    return environment


def _of_run(run: Mapping[str, Any], seen: Seen | None, room: Room) -> dict[str, Any]:
    series = run.get("series", {})
    place = run.get("network")
    telling, usual = settings.rows(run, room.cell)
    return {
        "run": run,
        "title": cut(title(run["scenario"], run["gateway"], run.get("chosen", {})), room.cell),
        "question": cut(run.get("question") or label(run["scenario"]), room.text),
        "answer": [cut(sentence, room.text) for sentence in answer(run)],
        "story": cut(run.get("story", ""), room.text),
        "last_words": cut(run.get("last_words", ""), room.text),
        "network": network.drawing(place, "net") if place and room.figures else None,
        "network_words": cut(network.describe(place), room.text) if place else "",
        "settings": telling[: room.checks],
        "usual": usual[: room.checks],
        "listed": [each for each in _checks(run.get("checks", []), room) if each.checks],
        "not_looked_at": _pairs(series.get("not_looked_at"), room),
        "outcomes": _pairs({name: count for name, count in run.get("outcomes", {}).items() if count}, room),
        "attempts": _outcomes(run.get("outcomes", {})) if room.figures else None,
        "until_known": until_known.drawn(series, "until-known") if room.figures else None,
        "figures": [*figures(series, "f")][: room.figures],
        "phases": phases(series, "phases") if room.figures else None,
        "seen": seen,
        "tables": list(tables(series, most_rows=room.rows, most_tables=room.tables, width=room.cell)),
        "counters": list(settings.counted(run.get("counters", {}), room.rows)),
        "machine": _machine(run.get("machine", {}), room),
        "environment": _pairs(run.get("environment"), room),
        "packages": _pairs(run.get("packages"), room),
        "command": cut(repeating(run), room.text),
        "typed": cut(as_typed(run), room.text),
    }


def _outcomes(outcomes: Mapping[str, int]) -> Drawn | None:
    found = [Bar(name, [[float(count)]], [number(count)]) for name, count in outcomes.items() if count][:20]
    if not found:
        return None
    text = f"What became of {plural(sum(outcomes.values()), 'attempt')}: each counts once, by its final state."
    title_ = "Attempts by outcome"
    return Drawn(title_, bars("outcomes-figure", title_, text, found, ["attempts"]), text)


def _checks(checks: Sequence[Mapping[str, Any]], room: Room) -> Iterable[Listed]:
    """Yield the scenario's own checks, and those of every run; if there are too many, those that failed first."""
    own = [check for check in checks if check["key"] not in JUDGED]
    every = [check for check in checks if check["key"] in JUDGED]
    for title_, group in (("What the scenario asks", own), ("What every run is checked for", every)):
        shown = group if len(group) <= room.checks else sorted(group, key=lambda check: check["ok"])
        yield Listed(title_, shown[: room.checks], max(0, len(group) - room.checks))


def _pairs(values: Any, room: Room) -> list[tuple[str, str]]:
    """Return names and values of an object, as words; nothing if it is none."""
    if not isinstance(values, Mapping):
        return []
    return [
        (cut(title_of(key), room.cell), words(value, room.cell)) for key, value in [*values.items()][: room.rows]
    ]


def _machine(machine: Mapping[str, Any], room: Room) -> list[tuple[str, str]]:
    """Return what was measured of the machine, with an object's values one by one."""
    flat: dict[str, Any] = {}
    for key, value in machine.items():
        inner = value if isinstance(value, Mapping) and len(value) <= room.rows else None
        flat |= {f"{key}: {name}": each for name, each in inner.items()} if inner else {key: value}
    return _pairs(flat, room)
