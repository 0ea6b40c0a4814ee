"""The commands that reckon on the NAT's core, without a network: plan and who."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from testbed.command import completing
from testbed.command.options import Json, Out, Sets

app = typer.Typer()


@app.command()
def plan(
    *,
    erlangs: Annotated[
        float | None,
        typer.Option(
            help="Offer a plain Poisson load to one destination, for comparison with tables.",
            min=0.001,
            max=10_000_000,
            metavar="A",
        ),
    ] = None,
    allocator: Annotated[
        str | None,
        typer.Option(
            help="The port allocator: a name, or FILE.py:Class. Short for --set port_allocation_type=NAME.",
            metavar="NAME",
            autocompletion=completing.named("allocators"),
        ),
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            "-p",
            help="A set of settings; see `lastport list profiles`.",
            metavar="NAME",
            autocompletion=completing.named("profiles", or_file=False),
        ),
    ] = "plain",
    config: Annotated[
        Path | None,
        typer.Option(
            help="A YAML file of settings.",
            metavar="FILE.yaml",
            autocompletion=completing.files(".yaml", ".yml"),
        ),
    ] = None,
    sets: Sets = None,
    seed: Annotated[int, typer.Option(help="The seed of every random choice.", metavar="N")] = 1,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Size a NAT on its own core, without a network: who is refused with these ports, and what would be enough."""
    from testbed.report.plan_in_words import conclude
    from testbed.run.choices import Choices
    from testbed.run.console import new_console
    from testbed.run.opening import opened_for_results
    from testbed.run.planning import PLAN, planned

    asked = planned(Choices(None, allocator, profile, config, sets or [], seed), erlangs=erlangs)
    folder = opened_for_results(out, ["plan", asked.name], asked.given, writes=[PLAN])
    done = asked.carried_out()
    folder.write_text(PLAN, json.dumps(done, indent=1) + "\n")
    if as_json:
        print(json.dumps(done))
    else:
        conclude(new_console(), done, str(folder.path))
