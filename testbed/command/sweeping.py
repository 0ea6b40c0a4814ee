"""The command sweep: every combination of some values, several times each, on this machine or on a cluster."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from testbed.command import completing
from testbed.command.options import Json, RunOptions, with_run_options
from testbed.run.exit_status import ExitStatus

app = typer.Typer()
ONE_AT_A_TIME = ("pcap", "web", "web_port", "web_address", "live", "junit")
"""The options of a run that are about one run alone."""


@app.command()
@with_run_options(without=ONE_AT_A_TIME)
def sweep(
    scenario: Annotated[
        str,
        typer.Argument(
            help="plan, or a scenario: a name from `lastport list scenarios`, or FILE.py[:Class].",
            metavar="SCENARIO",
            autocompletion=completing.named("scenarios"),
        ),
    ],
    *,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            help="Values of one key, of which every combination is tried. Besides the keys of --set there are "
            "gateway, topology, profile, erlangs and trace. May be repeated.",
            metavar="KEY=V1,V2,...",
        ),
    ] = None,
    repeat: Annotated[
        int,
        typer.Option(help="The number of times that each combination is tried, each with another seed.", min=1),
    ] = 5,
    until: Annotated[
        float | None,
        typer.Option(
            help="Repeat a combination no more once half of its 95 % interval is at most this, after three times.",
            min=0,
            metavar="HALF",
        ),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="A number in the results, such as counters.ports_allocated; by default refused_share. May be "
            "repeated; --until is about the first.",
            metavar="KEY",
        ),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            "--gateway",
            "-g",
            help="The NAT under test, by default openflow.",
            metavar="NAME",
            autocompletion=completing.named("gateways"),
        ),
    ] = None,
    erlangs: Annotated[
        float | None,
        typer.Option(help="Of a plan: a plain Poisson load, as plan has it.", min=0.001, metavar="A"),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            help="Of a plan: what hosts did, as plan has it.", metavar="FILE", autocompletion=completing.files()
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Do the work on the workers of Dask's scheduler there.", metavar="ADDRESS"),
    ] = None,
    options: RunOptions,
    as_json: Json = False,
) -> None:
    """Try every combination of some values, several times each, and show what differs."""
    from testbed.report.export import tables, written
    from testbed.report.sweep import conclude
    from testbed.report.writing import keep_sweep
    from testbed.run.console import new_console
    from testbed.sweep.carrying import carry_out
    from testbed.sweep.estimates import USUAL
    from testbed.sweep.grid import grid_of
    from testbed.sweep.point import at_place, subject_of
    from testbed.sweep.sweep import Sweep

    asked = grid_of(grid or [], placed=at_place)
    subject = subject_of(scenario, options.choices, gateway=gateway, erlangs=erlangs, trace=trace)
    swept = Sweep(subject, asked, repeat, options.seed, measure or [USUAL], until)
    counted = itertools.count(1)

    def tell(line: dict[str, Any]) -> None:
        if as_json:
            print(json.dumps(line, default=str), flush=True)
        else:
            print(_in_short(next(counted), line), file=sys.stderr)

    carried = carry_out(swept, options.out, cluster, tell)
    folder, done = carried.kept.folder, carried.kept.told()
    unkept = [folder.keep(name, written(table)) for name, table in tables("sweep", done).items()]
    unkept.append(keep_sweep(folder, done))
    carried.kept.close()
    if not as_json:
        conclude(new_console(), done, str(folder.path))
    for reason in filter(None, unkept):
        print(f"lastport: {reason}", file=sys.stderr)
    if carried.interrupted:
        print(
            f"lastport: interrupted by {carried.interrupted}; the same command with --out {folder.path} goes on",
            file=sys.stderr,
        )
    raise typer.Exit(_status(done, is_whole=not carried.interrupted and not any(unkept)))


def _in_short(number: int, line: dict[str, Any]) -> str:
    """Return a point in a line: its place among those that are done, what it is, and how it ended."""
    from testbed.sweep.grid import name_of

    ended = line.get("verdict", "done") + (f": {line['error']}" if "error" in line else "")
    return f"{number}: {name_of(line['point'])} seed={line['seed']}: {ended}, {line.get('duration_s', 0.0):.1f} s"


def _status(done: dict[str, Any], *, is_whole: bool) -> ExitStatus:
    """Return the gravest status of the points."""
    from testbed.run.exit_status import EXIT_STATUS

    statuses = [EXIT_STATUS[each["verdict"]] for each in done["points"]]
    return max([ExitStatus.PASSED if is_whole else ExitStatus.BROKE, *statuses])
