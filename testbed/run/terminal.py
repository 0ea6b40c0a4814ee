"""A run on the terminal: progress while it goes on, then the story, the checks and the verdict."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from testbed.experiment import judged
from testbed.run.console import new_console
from testbed.run.naming import title
from testbed.run.results import Result

NARROW = 60
"""With fewer columns than this, the values of a check stand below its claim."""
VERDICTS = {"pass": "bold green", "fail": "bold red", "error": "bold yellow"}


class Live:
    """Progress on standard error. There is none if standard error is no terminal."""

    def __init__(self, name: str) -> None:
        console = new_console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        if console.is_terminal:
            console.print(Text(name, style="bold"))
        self._task: Any = None

    def __enter__(self) -> Live:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, record: dict[str, Any]) -> None:
        """Show the progress that a record reports."""
        match record:
            case {"kind": "phase", "name": name}:
                self._finish()
                self._task = self._progress.add_task(name, total=None)
            case {"kind": "progress", "done": done, "total": total}:
                self._progress.update(self._task, completed=done, total=total)
            case {"kind": "done"}:
                self._finish()

    def _finish(self) -> None:
        """Show the current phase as complete, whatever part of it was counted."""
        if self._task is not None:
            total = self._progress.tasks[self._task].total or 1
            self._progress.update(self._task, completed=total, total=total)


def conclude(console: Console, result: Result, folder: str) -> None:
    """Print the story, the table of checks, and the verdict."""
    if result.story:
        console.print(Text(result.story), end="\n\n")
    if result.checks:
        checks = judged.in_short(result.checks)
        console.print(_table(checks) if console.width >= NARROW else _one_by_one(checks))
    for sentence in lacking(result.series):
        console.print(Text(sentence, style="yellow"))
    for sentence in unseen(result.series):
        console.print(Text(sentence, style="dim"))
    if result.unrecorded:
        console.print(Text(f"{result.unrecorded}.", style="yellow"), soft_wrap=True)
    if result.error:
        console.print(Text(f"The run broke: {result.error}", style="yellow"), soft_wrap=True)
        if result.last_words:
            console.print(Text(result.last_words, style="dim"), soft_wrap=True)
    summary = Text(in_short(result, folder))
    summary.stylize(VERDICTS[result.verdict], 0, len(result.verdict))
    console.print(summary, soft_wrap=True)


def in_short(result: Result, folder: str) -> str:
    """Return the last line: the verdict, the run's name, its duration, and where its results are."""
    name = title(result.run.scenario, result.run.gateway, result.run.chosen)
    kept = result.unkept or f"results in {folder}"
    return f"{result.verdict.upper()}  {name}, {result.duration_s:.1f} s; {kept}"


def lacking(series: dict[str, Any]) -> list[str]:
    """Return a sentence for each capture that is not complete."""
    return [
        f"The capture of the {side} lacks {lost['dropped']:,} frames: they came faster than they could be written."
        for side, lost in series.get("capture", {}).items()
        if lost["dropped"]
    ]


def unseen(series: dict[str, Any]) -> list[str]:
    """Return a sentence for each thing that every run is to show, and that nobody could look at in this one."""
    seen = series.get("not_looked_at", {}).items()
    return [f"Not looked at: {key.replace('-', ' ')} ({why})." for key, why in seen]


def _table(checks: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE)
    table.add_column("", no_wrap=True)
    table.add_column("check", overflow="fold")
    table.add_column("expected", justify="right", overflow="fold")
    table.add_column("observed", justify="right", overflow="fold")
    for check in checks:
        table.add_row(*_marked(check), Text(str(check["expected"])), Text(str(check["observed"])))
    return table


def _one_by_one(checks: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark, claim = _marked(check)
        table.add_row(
            mark, claim.append(f"\nexpected {check['expected']}, observed {check['observed']}\n", "default")
        )
    return table


def _marked(check: dict[str, Any]) -> tuple[Text, Text]:
    """Return the mark of a check and its claim, with the source if it failed."""
    mark = Text("ok", style="green") if check["ok"] else Text("FAILED", style="bold red")
    claim = Text(check["claim"])
    if not check["ok"]:
        claim.append(f"\n{check['source']}", style="dim")
    return mark, claim
