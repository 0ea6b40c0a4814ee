"""A comparison on the terminal: one scenario with its checks and outcomes, or a list of several scenarios.

What differs comes first. What not every gateway was asked, and what cannot run, comes last, in few words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from testbed.compare.differences import (
    NOT_ASKED,
    RunResult,
    by_scenario,
    checks,
    claims,
    ended,
    kind_of,
    not_asked,
    outcomes,
    words,
)
from testbed.compare.showed import together, without_advice
from testbed.experiment import judged
from testbed.run.naming import label, subject
from testbed.run.terminal import NARROW, VERDICTS, lacking

STYLES = {**VERDICTS, "cannot": "dim"}
NOTHING = Text("-", style="dim")
EXACT_BELOW_S = 10
"""Seconds below which a tenth of one is shown."""
SIDES_OF_A_CHECK = ("expected", "observed")
LEAST_VALUE = 10
VALUES_SHARE = 0.5
"""The width of a column with values at least, and the share of the console that all of them have at most."""
LONGEST_NAME = 20
"""The columns of a gateway's name at most, where its value stands beside it."""
Row = tuple[Text, list[Text]]
"""A title, and a value for each gateway."""


def show(console: Console, told: dict[str, Any], *, left_out: int, folder: str) -> None:
    """Print what each gateway showed, what differs, what was not asked, what could not run, and what broke."""
    runs = told["runs"]
    groups = by_scenario(runs)
    if len(groups) == 1:
        _show_one(console, runs, told["differences"])
    elif groups:
        _show_several(console, told, groups)
    for run in runs:
        names = f"{label(run['scenario'])} on {label(subject(run))}"
        if reason := run.get("reason"):
            console.print(Text(f"{names} cannot run: {reason if len(groups) == 1 else without_advice(reason)}"))
        if error := run.get("error"):
            console.print(Text(f"{names} broke: {error}", style="yellow"))
            if words := run.get("last_words"):
                console.print(Text(words, style="dim"), soft_wrap=True)
        if unkept := run.get("unkept"):
            console.print(Text(f"{names}: {unkept}", style="yellow"))
        for sentence in lacking(run.get("series", {})):
            console.print(Text(sentence, style="yellow"))
    if left_out:
        begun = "1 more run was" if left_out == 1 else f"{left_out} more runs were"
        console.print(Text(f"{begun} not begun.", style="yellow"))
    console.print(Text(f"Results in {folder}"), soft_wrap=True)


def in_short(runs: Iterable[RunResult], folder: str) -> str:
    """Return the verdicts in one line, and where the results are."""
    verdicts = (f"{run['verdict'].upper()} {label(run['scenario'])} on {label(subject(run))}" for run in runs)
    return f"{', '.join(verdicts)}; results in {folder}"


def _show_one(console: Console, runs: list[RunResult], differences: Sequence[dict[str, Any]]) -> None:
    console.print(_checks_and_outcomes(runs, console.width))
    for sentence in not_asked(runs):
        console.print(Text(sentence, style="dim"))
    if len(ended(runs)) > 1 and all(found["kind"] == NOT_ASKED for found in differences):
        console.print("The gateways do not differ: every check and every outcome that they have is the same.")


def _show_several(console: Console, told: dict[str, Any], groups: dict[str, list[RunResult]]) -> None:
    console.print(_matrix(groups, console.width))
    for row in told["scenarios"]:
        name = row["scenario"]
        console.print(
            Text(label(name), style="bold").append(f": {row['claim'] or row['question']}", style="default")
        )
        for gateways, text in together(row["showed"]).items():
            _item(console, f"{gateways}: {text}")
        for found in told["differences"]:
            if found["scenario"] == name and found["kind"] == "check":
                _item(console, found["sentence"], mark="  - ")
        unasked = sum(found["scenario"] == name and found["kind"] == NOT_ASKED for found in told["differences"])
        if unasked:
            _item(console, f"not asked of every gateway: {unasked} check{'s' * (unasked > 1)}", style="dim")
        console.print()


def _item(console: Console, text: str, *, mark: str = "  ", style: str = "") -> None:
    grid = Table.grid()
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(mark, Text(text, style=style))
    console.print(grid)


def _laid_out(sections: Iterable[Sequence[Row]], first: str, gateways: list[str], width: int) -> RenderableType:
    """Return rows as a table, or on a narrow console each value below its title."""
    if width >= NARROW:
        return _table(sections, first, gateways, width)
    return Group(*(part for section in sections for row in section for part in _one_by_one(row, gateways)))


def _table(sections: Iterable[Sequence[Row]], first: str, gateways: list[str], width: int) -> Table:
    """Return a table whose first column has room for words, and the others for a value each."""
    table = Table(box=SIMPLE)
    table.add_column(first, overflow="fold")
    share = int(width * VALUES_SHARE) // len(gateways)
    for gateway in gateways:
        table.add_column(label(gateway), justify="right", max_width=max(LEAST_VALUE, share), overflow="fold")
    for section in sections:
        table.add_section()
        for title, values in section:
            table.add_row(title, *values)
    return table


def _one_by_one(row: Row, gateways: list[str]) -> list[RenderableType]:
    """Return the title of a row, and below it a line for each gateway."""
    title, values = row
    lines = Table.grid(padding=(0, 1, 0, 0))
    lines.add_column(overflow="fold", max_width=LONGEST_NAME)
    lines.add_column(overflow="fold")
    for gateway, value in zip(gateways, values, strict=True):
        lines.add_row(f"{label(gateway)}:", value)
    return [title, Padding(lines, (0, 0, 0, 2))]


def _checks_and_outcomes(runs: list[RunResult], width: int) -> RenderableType:
    """Return the rows of one scenario: the verdict, what differs, and then what is alike."""
    kinds = {key: kind_of(key, runs) for key in claims(runs)}
    counts = {name: [run["outcomes"].get(name, 0) for run in ended(runs)] for name in outcomes(runs)}
    differing = [name for name, each in counts.items() if len(set(each)) > 1]
    held = {key for key in kinds if key in judged.JUDGED and all(_holds(run, key) for run in ended(runs))}
    sections: list[list[Row]] = [
        [
            (Text("verdict"), [Text(run["verdict"].upper(), style=STYLES[run["verdict"]]) for run in runs]),
            (Text("seconds"), [_seconds(run) for run in runs]),
        ]
    ]
    for kind, names in (("differs", differing), ("alike", [name for name in counts if name not in differing])):
        attempts = [(Text(f"attempts: {name}"), [_count(run, name) for run in runs]) for name in names]
        keys = [key for key, each in kinds.items() if each == kind and key not in held]
        sections.append([*attempts, *_checks(runs, keys)])
    if held:
        sections[-1].append((Text(judged.CLAIM), [_held(run, held) for run in runs]))
    return _laid_out(sections, "", [subject(run) for run in runs], width)


def _holds(run: RunResult, key: str) -> bool:
    return bool(checks(run).get(key, {"ok": True})["ok"])


def _held(run: RunResult, keys: Collection[str]) -> Text:
    return Text(f"{len(checks(run).keys() & keys)} hold") if "checks" in run else NOTHING


def _checks(runs: Sequence[RunResult], keys: Iterable[str]) -> Iterator[Row]:
    """Yield a row for each check, and after it a row of what is expected, if that differs."""
    titles = claims(runs)
    for key in keys:
        found = [checks(run).get(key) for run in runs]
        yield Text(titles[key]), [_observed(each) for each in found]
        expected, observed = ([words(each[side]) if each else "-" for each in found] for side in SIDES_OF_A_CHECK)
        if len({*expected} - {"-"}) > 1 and expected != observed:
            yield Text("  expected", style="dim"), [Text(each, style="dim") for each in expected]


def _matrix(groups: dict[str, list[RunResult]], width: int) -> RenderableType:
    gateways = list(dict.fromkeys(subject(run) for group in groups.values() for run in group))
    rows: list[Row] = []
    for scenario, group in groups.items():
        runs = {subject(run): run for run in group}
        cells = [_cell(runs[name]) if name in runs else NOTHING for name in gateways]
        rows.append((Text(label(scenario)), cells))
    return _laid_out([rows], "scenario", gateways, width)


def _cell(run: RunResult) -> Text:
    cell = Text(run["verdict"], style=STYLES[run["verdict"]])
    return (
        cell if run["verdict"] == "cannot" else cell.append(f" {_rounded(run['duration_s'])} s", style="default")
    )


def _rounded(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds < EXACT_BELOW_S else f"{seconds:.0f}"


def _seconds(run: RunResult) -> Text:
    return Text(_rounded(run["duration_s"])) if "duration_s" in run else NOTHING


def _observed(check: dict[str, Any] | None) -> Text:
    if check is None:
        return NOTHING
    observed = words(check["observed"])
    if not check["ok"]:
        return Text(f"{observed}\nexpected: {words(check['expected'])}", style="bold red")
    return Text(observed)


def _count(run: RunResult, outcome: str) -> Text:
    return Text(f"{run['outcomes'].get(outcome, 0):,}") if "outcomes" in run else NOTHING
