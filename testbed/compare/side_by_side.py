"""A comparison on the terminal: one scenario with its checks and outcomes, or a matrix of several scenarios."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.compare.differences import RunResult, by_scenario, checks, claims, label, outcomes
from testbed.run.terminal import VERDICTS, lacking

STYLES = {**VERDICTS, "cannot": "dim"}
NOTHING = Text("-", style="dim")


def show(console: Console, told: dict[str, Any], *, left_out: int, folder: str) -> None:
    """Print the table, where the gateways differ, what could not run, and what broke."""
    groups = by_scenario(told["runs"])
    if len(groups) == 1:
        console.print(_checks_and_outcomes(told["runs"]))
    elif groups:
        console.print(_matrix(groups))
    for difference in told["differences"]:
        prefix = f"{label(difference['scenario'])}: " if len(groups) > 1 else ""
        console.print(Text(f"{prefix}{difference['sentence']}"))
    ended = [run for run in told["runs"] if run["verdict"] in ("pass", "fail")]
    if len(ended) > len(groups) and not told["differences"]:
        console.print("The gateways do not differ: every check and every outcome is the same.")
    for run in told["runs"]:
        for word, reason in (("cannot run", run.get("reason")), ("broke", run.get("error"))):
            if reason:
                names = f"{label(run['scenario'])} on {label(run['gateway'])}"
                console.print(Text(f"{names} {word}: {reason}", style="yellow"))
        for sentence in lacking(run.get("series", {})):
            console.print(Text(sentence, style="yellow"))
    if left_out:
        console.print(Text(f"{left_out} more runs were not begun.", style="yellow"))
    console.print(Text(f"Results in {folder}"), soft_wrap=True)


def _table(first: str, gateways: list[str]) -> Table:
    table = Table(box=SIMPLE)
    table.add_column(first)
    for gateway in gateways:
        table.add_column(label(gateway), justify="right")
    return table


def _checks_and_outcomes(runs: list[RunResult]) -> Table:
    table = _table("", [run["gateway"] for run in runs])
    table.add_row("verdict", *(Text(run["verdict"].upper(), style=STYLES[run["verdict"]]) for run in runs))
    table.add_row("seconds", *(_seconds(run) for run in runs))
    table.add_section()
    for key, claim in claims(runs).items():
        table.add_row(Text(claim), *(_observed(run, key) for run in runs))
    table.add_section()
    for name in outcomes(runs):
        table.add_row(f"attempts: {name}", *(_count(run, name) for run in runs))
    return table


def _matrix(groups: dict[str, list[RunResult]]) -> Table:
    gateways = list(dict.fromkeys(run["gateway"] for group in groups.values() for run in group))
    table = _table("scenario", gateways)
    for scenario, group in groups.items():
        runs = {run["gateway"]: run for run in group}
        table.add_row(label(scenario), *(_cell(runs[name]) if name in runs else NOTHING for name in gateways))
    return table


def _cell(run: RunResult) -> Text:
    cell = Text(run["verdict"], style=STYLES[run["verdict"]])
    return cell if run["verdict"] == "cannot" else cell.append(f" {run['duration_s']:.1f} s", style="default")


def _seconds(run: RunResult) -> Text:
    return Text(f"{run['duration_s']:.1f}") if "duration_s" in run else NOTHING


def _observed(run: RunResult, key: str) -> Text:
    check = checks(run).get(key)
    if check is None:
        return NOTHING
    if check["ok"]:
        return Text(str(check["observed"]))
    return Text(f"{check['observed']} (expected: {check['expected']})", style="bold red")


def _count(run: RunResult, outcome: str) -> Text:
    return Text(str(run["outcomes"].get(outcome, 0))) if "outcomes" in run else NOTHING
