"""The command about results that are kept: runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.command import completing
from testbed.command.options import Json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from testbed.run.kept import Kept

app = typer.Typer()

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
