"""The commands about results that are kept: runs, report and export."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.command import completing
from testbed.command.options import Json, Out

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from testbed.run.folder import Folder
    from testbed.run.kept import Kept

app = typer.Typer()

Results = Annotated[
    Path,
    typer.Argument(
        help="A folder with results of run, compare or bench.", metavar="DIR", autocompletion=completing.files()
    ),
]

DEFAULT = Path("runs")


@app.command()
def runs(
    folder: Annotated[
        Path,
        typer.Argument(help="A folder with folders of results.", metavar="DIR", autocompletion=completing.files()),
    ] = DEFAULT,
    newest: Annotated[
        int | None, typer.Option("--newest", "-n", help="Show this number of runs.", min=1, metavar="N")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the results that are in runs/, the newest first: verdict, scenario, gateway, and what was set."""
    from testbed.run.console import new_console
    from testbed.run.kept import NoResultsError, kept_in

    found: list[Kept] = []
    without: dict[str, str] = {}
    for path in _entries(folder):
        try:
            found.append(kept_in(path))
        except NoResultsError as error:
            without[str(path)] = str(error)
    found.sort(key=lambda kept: (kept.started, kept.folder), reverse=True)
    shown = found[:newest]
    if as_json:
        others = [{"folder": path, "reason": reason} for path, reason in without.items()]
        print(json.dumps({"schema": 1, "runs": [kept.as_json() for kept in shown], "without_results": others}))
    else:
        _show(new_console(), folder, shown, without, older=len(found) - len(shown))


@app.command()
def report(folder: Results, *, out: Out = None) -> None:
    """Make the report of past results again: report.html, a page with everything in it."""
    from testbed.report.reading import read
    from testbed.report.writing import page_of
    from testbed.run.folder import REPORT

    results = read(folder)
    path = (out or folder) / REPORT
    written = _opened_for([path], out or folder)
    _write(written, REPORT, page_of(results, path.parent))
    print(path)


@app.command()
def export(
    folder: Results,
    *,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, a file for each table.")] = False,
    out: Out = None,
) -> None:
    """Write past results as tables for other programs: checks, outcomes, counters, settings and each series."""
    from controller.settings import ConfigurationError
    from testbed.report.export import tables, written
    from testbed.report.reading import read

    if not csv:
        raise ConfigurationError("choose a format: --csv")
    results = read(folder)
    found = {name: table for each in results.files.values() for name, table in tables(results.kind, each).items()}
    into = out or folder
    opened = _opened_for([into / name for name in found], into)
    for name, table in found.items():
        _write(opened, name, written(table))
        print(into / name)


def _opened_for(paths: Iterable[Path], folder: Path) -> Folder:
    """Return the folder for files that may replace regular files, and nothing else. Raises ConfigurationError."""
    from testbed.run.opening import opened, require_page

    for path in paths:
        require_page(path, "--out")
    return opened(folder)


def _write(folder: Folder, name: str, text: str) -> None:
    from testbed.sandbox.enter import MachineError

    if reason := folder.keep(name, text):
        raise MachineError(reason)


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder; nothing if it is the default one and is not there yet."""
    from controller.settings import ConfigurationError

    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        if folder == DEFAULT:
            return []
        raise ConfigurationError(f"{folder}: there is no such folder") from None
    except OSError as error:
        raise ConfigurationError(f"{folder}: {error.strerror}") from None


def _show(console: Console, folder: Path, shown: list[Kept], without: dict[str, str], *, older: int) -> None:
    from rich.text import Text

    from testbed.run.naming import printable

    if shown:
        console.print(_list(shown))
    else:
        console.print(Text(f"No results in {folder}/. `lastport run port-exhaustion` makes some in runs/."))
    if older:
        console.print(Text(f"{older:,} older: without --newest all are shown."))
    for path, reason in without.items():
        console.print(Text(f"{printable(path)}: {reason}", style="dim"))


def _list(shown: list[Kept]) -> Table:
    """Return what ran, what was set, when, and where, in lines that fit a narrow terminal."""
    from rich.table import Table
    from rich.text import Text

    from testbed.run.naming import printable
    from testbed.run.terminal import VERDICTS

    listed = Table.grid(padding=(0, 2, 0, 0))
    listed.add_column(no_wrap=True)
    listed.add_column(overflow="fold")
    for kept in shown:
        when = f"{kept.started.astimezone():%Y-%m-%d %H:%M:%S}, {kept.duration_s:,.1f} s"
        what = Text(kept.title, style="bold")
        for line in (", ".join(kept.words), when, printable(kept.folder)):
            what.append(f"\n{line}" if line else "", style="not bold")
        listed.add_row(Text(kept.verdict.upper(), style=VERDICTS.get(kept.verdict, "dim")), what)
    return listed
