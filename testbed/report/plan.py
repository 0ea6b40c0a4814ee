"""What the page shows of a plan: the answer, simulation and formulas in one figure, and who is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.report.charts import Axes, Bar, Drawn, Line, bars, lines
from testbed.report.plan_in_words import answer, assumed, share, tables
from testbed.report.words import cut, instant, listed, number, words

MOST_BARS = 24


@dataclass(frozen=True, slots=True)
class Planned:
    """One plan."""

    title: str
    answer: Sequence[str]
    why: Sequence[str]
    figures: Sequence[Drawn]
    tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]]
    sources: Sequence[tuple[str, str]]
    facts: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]


def planned(plan: Mapping[str, Any], *, rows: int, cell: int, figures: int) -> Planned:
    """Return what the page shows of a plan."""
    parameters = [*plan["parameters"].items()]
    return Planned(
        title=title(plan),
        answer=[cut(each, 4 * cell) for each in sentences(plan)],
        why=[cut(each, 4 * cell) for each in plan["differences"][:rows]],
        figures=[*_figures(plan)][:figures],
        tables=[
            (name, heads, [[cut(word, cell) for word in row] for row in found[:rows]])
            for name, heads, found in tables(plan)
        ],
        sources=[
            (cut(row["name"], cell), cut(row.get("source", ""), cell))
            for row in plan["classes"]
            if "source" in row
        ],
        facts=[
            ("Begun", instant(plan["started"])),
            ("Seconds of the processor", number(plan["duration_s"])),
            ("Seed", number(plan["seed"])),
            *((cut(key, cell), words(value, cell)) for key, value in parameters[:rows]),
        ],
        settings=[
            (cut(key, cell), words(value, cell) + " (assumed)" * (key in plan["assumed"]))
            for key, value in plan["settings"].items()
        ],
    )


def title(plan: Mapping[str, Any]) -> str:
    """Return the question that a plan answers."""
    parameters = plan["parameters"]
    if plan["workload"] == "subscribers":
        return f"Are these ports enough for {number(parameters.get('subscribers', 0))} subscribers?"
    if plan["workload"] == "erlangs":
        return f"Are these ports enough for {number(parameters.get('erlangs', 0))} erlangs?"
    return "Would these ports have been enough for what a trace has?"


def sentences(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the answer, sentence by sentence."""
    yield answer(plan)
    if plan["assumed"]:
        yield assumed(plan)
    if plan["limits"]:
        yield f"What ran short: {listed([f'{name} ({number(count)})' for name, count in plan['limits'].items()])}."
    hit = [row for row in plan["classes"] if row["refused"]]
    if len(plan["classes"]) > 1 and hit:
        parts = [f"{row['name']} {share(row['refused_share'])}" for row in plan["classes"]]
        yield f"By class of subscribers: {listed(parts)}."
    needed = plan["needed"]
    if needed:
        ports, addresses = (needed.get(key) for key in ("ports", "addresses"))
        yield (
            f"To refuse at most {share(needed['target'])}, "
            + (f"{number(ports)} ports of each address are enough" if ports else "no number of ports is enough")
            + (f", or {number(addresses)} addresses with these ports." if addresses else ", and no addresses are.")
        )
    kinds = (plan["log"] or {}).items()
    volumes = [f"{name} {number(volume['lines'])} lines" for name, volume in kinds if volume]
    if volumes:
        yield f"Its log has in a day: {listed(volumes)}."


def _figures(plan: Mapping[str, Any]) -> Iterator[Drawn]:
    text = "The share of attempts that are refused: by the simulation of the NAT, and by each formula."
    found = [Bar("simulation", [[100 * plan["refused_share"]]], [share(plan["refused_share"])])]
    found += [
        Bar(row["model"], [[100 * row["refused_share"]]], [share(row["refused_share"])])
        for row in plan["theory"][:MOST_BARS]
    ]
    yield Drawn(
        "Simulation and formulas", bars("theory", "Simulation and formulas", text, found, ["refused"]), text
    )
    if len(plan["classes"]) > 1:
        yield _shares("classes", "Refused by class of subscribers", plan["classes"])
    if any(row["refused"] for row in plan["destinations"]) and len(plan["destinations"]) > 1:
        yield _shares("destinations", "Refused by destination", plan["destinations"])
    used = {name: each for name, each in plan["ports"].items() if isinstance(each, Mapping) and each.get("series")}
    if used:
        drawn = [
            Line(name.upper(), [(place * each["every_s"], count) for place, count in enumerate(each["series"])])
            for name, each in used.items()
        ]
        text = "The ports that nobody else can have: of live connections, closing and idle ones."
        picture = lines("ports", "Ports in use", text, drawn, Axes("simulated seconds after the warm-up", "ports"))
        yield Drawn("Ports in use", picture, text)
    if plan["timers"]:
        text = "The ports that each timer keeps from everybody, on average (the rate times the timer)."
        found = [Bar(str(row["name"]), [[float(row["ports"])]], [number(row["ports"])]) for row in plan["timers"]]
        yield Drawn(
            "The price of each timer", bars("timers", "The price of each timer", text, found, ["ports"]), text
        )


def _shares(key: str, title_: str, rows: Sequence[Mapping[str, Any]]) -> Drawn:
    found = [Bar(row["name"], [[100 * row["refused_share"]]], [share(row["refused_share"])]) for row in rows]
    text = "In percent of the attempts of each."
    return Drawn(title_, bars(key, title_, text, found[:MOST_BARS], ["refused"]), text)
