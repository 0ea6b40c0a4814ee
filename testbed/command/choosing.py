"""The commands about what there is to choose from: list, show and new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from testbed.command import completing
from testbed.command.options import Json

app = typer.Typer()


@app.command("list")
def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="scenarios (the default), topologies, gateways, allocators, policies, profiles, settings, "
            "benches or labs. With --json, the default is all of them.",
            metavar="KIND",
            autocompletion=completing.lists,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what there is to choose from."""
    from controller.settings import ConfigurationError, unknown_key
    from testbed.command.listing import ROWS

    if kind is not None and kind not in ROWS:
        raise ConfigurationError(unknown_key(kind, list(ROWS), kind="list"))
    if as_json:
        print(json.dumps({"schema": 1, **{each: ROWS[each]() for each in ([kind] if kind else ROWS)}}))
        return
    _print_list(kind or "scenarios")


def _print_list(kind: str) -> None:
    """Print a list: names, what they mean, and of settings the defaults."""
    from testbed.command.layout import Entry, entries, heading, paragraph
    from testbed.command.listing import ROWS, with_unit
    from testbed.run.console import new_console, print_lines

    out = new_console()
    sections = _settings() if kind == "settings" else [("", ROWS[kind]())]
    for title, rows in sections:
        if title:
            print_lines(out, heading(title, out.width))
        found = [Entry(row["name"], row["description"], with_unit(row) if title else "") for row in rows]
        print_lines(out, entries(found, out.width, indent=2 if title else 0))
    out.print()
    others = ", ".join(each for each in ROWS if each != kind)
    print_lines(out, paragraph("`lastport show NAME` prints everything about one of them.", out.width))
    print_lines(out, paragraph(f"Other lists: {others}.", out.width, style="dim"))


def _settings() -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the settings in sections: those of every gateway, and then those of one gateway only."""
    from controller.settings.keys import SECTIONS
    from testbed.command.listing import ROWS

    sections: list[tuple[str, list[dict[str, Any]]]] = []
    for row in ROWS["settings"]():
        if row["name"] in SECTIONS:
            sections.append((SECTIONS[row["name"]], []))
        sections[-1][1].append(row)
    own = [
        (f"Of the gateway {row['name']} only", row["settings"]) for row in ROWS["gateways"]() if row["settings"]
    ]
    return sections + own


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            help="Any name from `lastport list`, a key of --set, or FILE.py[:Class].",
            metavar="NAME",
            autocompletion=completing.everything,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Show everything about one name: text, source, default, who uses it, an example."""
    from testbed.command.showing import found

    things = found(name)
    if as_json:
        print(json.dumps({"schema": 1, "name": name, "found": things}))
        return
    for number, facts in enumerate(things):
        if number:
            print()
        _print_facts(facts)


def _print_facts(facts: dict[str, Any]) -> None:
    """Print everything about one thing."""
    from testbed.command.layout import Entry, docstring, entries, heading, paragraph
    from testbed.command.showing import lines, sections
    from testbed.run.console import new_console, print_lines

    out = new_console()
    width = out.width
    print_lines(out, paragraph(f"{facts['kind']} {facts['name']}", width, style="bold"))
    print_lines(out, paragraph(facts.get("description", ""), width))
    if facts.get("text"):
        out.print()
        print_lines(out, docstring(facts["text"], width))
    out.print()
    print_lines(out, entries([Entry(title, text) for title, text in lines(facts)], width))
    for title, rows in sections(facts):
        print_lines(out, heading(title, width))
        if isinstance(rows[0], str):
            for text in rows:
                print_lines(out, paragraph(f"- {text}", width, indent=2))
        else:
            found = [Entry(row["name"], row["description"], row["value"]) for row in rows]
            print_lines(out, entries(found, width, indent=2))


@app.command()
def new(
    kind: Annotated[
        str,
        typer.Argument(
            help="One of scenario, topology, gateway, allocator and policy.",
            metavar="KIND",
            autocompletion=completing.skeletons,
        ),
    ],
    name: Annotated[str, typer.Argument(help="The name of the new one, such as first-try.", metavar="NAME")],
) -> None:
    """Write NAME_KIND.py, a file of one's own to start from. It runs at once, and one check fails on purpose."""
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
