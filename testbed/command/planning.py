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
    trace: Annotated[
        Path | None,
        typer.Option(
            help="What hosts did: Zeek's conn.log, conntrack -E -o timestamp, pcap, or a run's folder.",
            metavar="FILE",
            autocompletion=completing.files(),
        ),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(
            help="Also find the least ports and addresses that refuse no more than this share of the attempts.",
            min=0.000001,
            max=1,
            metavar="SHARE",
        ),
    ] = None,
    front: Annotated[
        bool,
        typer.Option(
            "--front", help="Also try other numbers of addresses and sizes of blocks: refusals against log lines."
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Also replay a few points on the wire, which needs root."),
    ] = False,
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
    from testbed.report.export import tables, written
    from testbed.report.plan_in_words import conclude
    from testbed.report.writing import keep_plan
    from testbed.run.choices import Choices
    from testbed.run.console import new_console
    from testbed.run.folder import NAT_LOG, PLAN
    from testbed.run.live.display import manner
    from testbed.run.opening import opened_for_results
    from testbed.run.planning import planned
    from testbed.sandbox.enter import MachineError

    choices = Choices(None, allocator, profile, config, sets or [], seed)
    asked = planned(choices, erlangs=erlangs, target=target, trace=trace, has_front=front)
    if check:
        from testbed.run.replaying import require_checkable

        require_checkable(asked)
    folder = opened_for_results(out, ["plan", asked.name], asked.given, writes=[PLAN])
    done = asked.carried_out()
    if check:
        from testbed.run.replaying import replayed

        done["checked"] = list(replayed(done, folder.path, manner(live=None, as_json=as_json)))
    unkept = [folder.keep(PLAN, json.dumps(done, indent=1) + "\n")]
    if done.get("assignment"):
        unkept.append(folder.keep(NAT_LOG, done["assignment"] + "\n"))
    for name, table in tables("plan", done).items():
        unkept.append(folder.keep(name, written(table)))
    unkept.append(keep_plan(folder, done))
    if as_json:
        print(json.dumps(done))
    else:
        conclude(new_console(), done, str(folder.path))
    for reason in filter(None, unkept):
        raise MachineError(reason)


@app.command()
def who(
    address: Annotated[str, typer.Argument(help="An external address.", metavar="ADDRESS")],
    port: Annotated[int, typer.Argument(help="A port of it.", metavar="PORT", min=0, max=65535)],
    time: Annotated[str, typer.Argument(help="When, such as 2026-11-29T10:02:00Z.", metavar="TIME")],
    log: Annotated[
        Path,
        typer.Argument(
            help="A log, or a folder of results with nat.log.", metavar="LOG", autocompletion=completing.files()
        ),
    ],
    *,
    as_json: Json = False,
) -> None:
    """Find the subscriber that had an external port at a time, in a log of mappings, blocks or an assignment."""
    from testbed.natlog.asking import asked

    found = asked(address, port, time, log)
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        for sentence in found.in_words():
            print(sentence)
    raise typer.Exit(0 if found.holders else 1)
