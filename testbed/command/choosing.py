"""The commands about what there is to choose from: list and new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller.settings import ConfigurationError
from testbed.command.options import Json

app = typer.Typer()


@app.command("list")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="One of scenarios, topologies, gateways, allocators, policies, profiles, settings and benches."
        ),
    ] = "scenarios",
    as_json: Json = False,
) -> None:
    """List what there is to choose from."""
    from controller.settings import unknown_key
    from testbed.command.listing import rows

    lists = rows()
    if kind not in lists:
        raise ConfigurationError(unknown_key(kind, list(lists), kind="list"))
    if as_json:
        print(json.dumps(lists[kind]))
        return
    _print_rows(kind, lists[kind])
    for row in lists[kind]:
        if "parameters" in row:
            _print_rows(f"parameters of {row['name']}", row["parameters"])
        if row.get("requires"):
            _print_rows(f"what {row['name']} needs", [{"needs": text} for text in row["requires"]])
        if row.get("reasons"):
            _print_rows(f"settings of {row['name']}", _reasoned(row))


def _reasoned(profile: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each setting of a profile, with its reason."""
    return [
        {"name": key, "value": value, "reason": profile["reasons"][key]}
        for key, value in profile["settings"].items()
    ]


def _print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    """Print the columns that a person chooses by. `--json` has the others as well."""
    shown = ["name", "needs", "unit", "default", "value", "allowed", "description", "reason"]
    if "reasons" not in rows[0]:
        shown.insert(1, "settings")
    columns = [key for key in shown if key in rows[0]]
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for key in columns:
        table.add_column(key, no_wrap=key == "name")
    for row in rows:
        table.add_row(*(_cell(row[key]) for key in columns))
    Console().print(table)


def _cell(value: object) -> Text:
    if isinstance(value, list):
        return Text(", ".join(map(str, value)))
    if isinstance(value, dict):
        return Text(", ".join(f"{key}={each}" for key, each in value.items()))
    return Text("" if value is None else str(value))


@app.command()
def new(
    kind: Annotated[str, typer.Argument(help="One of scenario, topology, gateway, allocator and policy.")],
    name: Annotated[str, typer.Argument(help="The name of the new one, such as first-try.")],
) -> None:
    """Write NAME_KIND.py, a file to start from. It runs at once, and one of its checks fails on purpose."""
    from testbed.command.new import write

    written = write(kind, name, Path())
    print(f"{written.path} is written. One check fails on purpose, and its source is what to do next:")
    print(f"  sudo {_from_here('lastport')} {written.command}")
    print(f"The recipe is {_from_here(written.recipe)}.")


def _from_here(path: str) -> str:
    """Return the path of a file of the checkout, as it is called from the working folder."""
    import os

    relative = os.path.relpath(Path(__file__).resolve().parents[2] / path)
    return relative if os.sep in relative else f"./{relative}"
