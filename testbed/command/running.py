"""The commands that build a lab: run, compare and bench."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from testbed.command import completing
from testbed.command.options import Json, Live, Out, RunOptions, Sets, with_run_options
from testbed.run.exit_status import ExitStatus

app = typer.Typer()


@app.command()
@with_run_options()
def run(
    scenario: Annotated[
        str | None,
        typer.Argument(
            help="A name from `lastport list scenarios`, or FILE.py[:Class], unless --plan is given.",
            metavar="SCENARIO",
            autocompletion=completing.named("scenarios"),
        ),
    ] = None,
    *,
    gateway: Annotated[
        list[str] | None,
        typer.Option(
            "--gateway",
            "-g",
            help="The NAT under test: a name, or FILE.py:Class; by default openflow. GATEWAY=NAME is for one of "
            "several gateways. May be repeated.",
            metavar="NAME",
            autocompletion=completing.one_of_several,
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            help="Replay a plan on the wire: the folder of `lastport plan`, or its plan.json.",
            metavar="FILE",
            autocompletion=completing.files(".json"),
        ),
    ] = None,
    options: RunOptions,
    pause: Annotated[
        bool,
        typer.Option(
            "--pause", help="Open Mininet's prompt when the NAT is full, and go on when it is left: see shell."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a scenario: build the network, make the traffic, and check what happened."""
    from controller.settings import ConfigurationError
    from testbed.report.junit import junit
    from testbed.report.writing import keep_run
    from testbed.run import doctor
    from testbed.run.beside import Beside
    from testbed.run.console import kept_besides, new_console
    from testbed.run.conversation import conversation
    from testbed.run.launch import carry_out
    from testbed.run.live.display import manner
    from testbed.run.opening import opened_for_results
    from testbed.run.resolve import resolve
    from testbed.run.sides import kinds_in
    from testbed.run.terminal import conclude, in_short

    if (plan is None) == (scenario is None):
        raise ConfigurationError("run one SCENARIO, or a --plan: give one of the two")
    if pause and as_json:
        raise ConfigurationError("--pause and --json contradict each other: both need standard output; take one")
    checks = Beside(options.junit, "--junit")
    usual, kinds = kinds_in(gateway or (), usual="openflow")
    choices = replace(options.choices, kinds=kinds)
    if plan is not None:
        from testbed.run.replaying import plan_in, replay_of

        scenario, choices = replay_of(plan_in(plan), choices)
    assert scenario is not None
    decided = resolve(scenario, usual, choices, datapath=doctor.datapath())
    doctor.require(decided.sockets, needs=decided.needs)
    checks.open()
    with options.watching() as watch:
        folder = opened_for_results(options.out, [decided.scenario, decided.gateway], decided.chosen)
        how = manner(live=options.live, as_json=as_json)
        with conversation() if pause else nullcontext() as prompt:
            result, written = carry_out(decided, folder, pcap=options.pcap, manner=how, watch=watch, guest=prompt)
    if not result.unkept:
        _mention(keep_run(folder, written))
    unkept = [checks.keep(lambda: junit([written]))]
    with kept_besides(in_short(result, str(folder.path))):
        if as_json:
            print(json.dumps(written))
        else:
            conclude(new_console(), result, str(folder.path))
    raise typer.Exit(_unless_lost(result.status, unkept))


@app.command()
@with_run_options()
def compare(
    scenario: Annotated[
        str | None,
        typer.Argument(
            help="A name, or FILE.py[:Class], unless --all is given.",
            metavar="SCENARIO",
            autocompletion=completing.named("scenarios"),
        ),
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Run every scenario of the catalogue.")] = False,
    pairs: Annotated[
        bool,
        typer.Option(
            "--pairs",
            help="Run a scenario about two NATs, such as hole-punching, on every pair of behaviours. --gateways "
            "then has the NAT of both sides, openflow by default, or one for each.",
        ),
    ] = False,
    gateways: Annotated[
        str | None,
        typer.Option(
            "--gateways",
            "-g",
            help="Names, or FILE.py:Class, with commas between them. By default all of lastport's own.",
            metavar="NAMES",
            autocompletion=completing.several("gateways"),
        ),
    ] = None,
    profiles: Annotated[
        str | None,
        typer.Option(
            "--profiles",
            help="Compare profiles in the place of gateways: names, with commas between them, on one gateway.",
            metavar="NAMES",
            autocompletion=completing.several("profiles"),
        ),
    ] = None,
    options: RunOptions,
    markdown: Annotated[
        Path | None,
        typer.Option(
            help="Also write a page about the comparison. It replaces FILE.md.",
            metavar="FILE.md",
            autocompletion=completing.files(".md"),
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a scenario, or all, on several gateways or profiles in turn, and show where they differ."""
    from controller.settings import ConfigurationError
    from testbed.compare import comparison
    from testbed.compare.page import page
    from testbed.compare.side_by_side import in_short, show
    from testbed.registry import GATEWAYS, SCENARIOS
    from testbed.report.junit import junit
    from testbed.report.writing import keep_comparison, keep_run
    from testbed.run.beside import Beside
    from testbed.run.console import kept_besides, new_console
    from testbed.run.live.display import manner
    from testbed.run.naming import subject
    from testbed.run.opening import opened_for_results

    if everything == (scenario is not None):
        raise ConfigurationError("compare one SCENARIO, or --all of them: give one of the two")
    beside = [Beside(markdown, "--markdown"), Beside(options.junit, "--junit")]
    if pairs:
        from testbed.command.pairing import compare_pairs

        raise typer.Exit(_unless_lost(*compare_pairs(scenario, gateways, options, beside, as_json=as_json)))
    asked = [scenario] if scenario else list(SCENARIOS)
    compared = list(GATEWAYS) if gateways is None else comparison.names(gateways)
    if profiles is None:
        planned = comparison.able(comparison.plans(options.choices, asked, compared))
    else:
        if gateways is not None and len(compared) > 1:
            raise ConfigurationError("--profiles are compared on one gateway; give one name to --gateways")
        gateway = compared[0] if gateways else "openflow"
        several = comparison.names(profiles, "--profiles")
        planned = comparison.able(comparison.of_profiles(options.choices, asked, gateway, several))
    if options.out:
        comparison.require_room(planned, options.out)
    for each in beside:
        each.open()
    with options.watching() as watch:
        folder = opened_for_results(options.out, ["compare", scenario or "all"], comparison.chosen(planned))
        done = comparison.compare(
            planned,
            folder,
            pcap=options.pcap,
            manner=manner(live=options.live, as_json=as_json),
            watch=watch,
            report=lambda *written: _mention(keep_run(*written)),
        )
    names = [] if profiles is None else [subject(run) for run in done.told["runs"]]
    texts = (lambda: page(done.told), lambda: junit(done.told["runs"], names))
    unkept = [done.unkept, *(each.keep(text) for each, text in zip(beside, texts, strict=True))]
    if not done.unkept:
        _mention(keep_comparison(folder, done.told))
    with kept_besides(in_short(done.told["runs"], str(folder.path))):
        if as_json:
            print(json.dumps(done.told))
        else:
            show(new_console(), done.told, left_out=done.left_out, folder=str(folder.path))
    raise typer.Exit(_unless_lost(done.status, unkept))


@app.command()
def bench(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A name from `lastport list benches`. By default all benches, in turn.",
            metavar="NAME",
            autocompletion=completing.named("benches", or_file=False),
        ),
    ] = None,
    repetitions: Annotated[
        int, typer.Option(help="The number of times that every trial is measured.", metavar="N")
    ] = 5,
    sets: Sets = None,
    out: Out = None,
    live: Live = None,
    as_json: Json = False,
) -> None:
    """Measure speed, with ratios to a reference that is measured in the same run."""
    from testbed.bench.repetitions import carried_out, planned
    from testbed.bench.table import markdown, show
    from testbed.report.writing import keep_benches
    from testbed.run import doctor
    from testbed.run.console import new_console
    from testbed.run.live.display import manner
    from testbed.run.opening import opened_for_results

    plans = planned(name, sets or [], repetitions)
    doctor.require(0)
    writes = [f"{plan.bench.name}.{kind}" for plan in plans for kind in ("json", "md")]
    folder = opened_for_results(out, ["bench", name or "all"], plans[0].chosen if name else {}, writes=writes)
    reports: list[dict[str, Any]] = []
    unkept: list[str] = []
    for plan in plans:
        report = carried_out(plan, repetitions, manner(live=live, as_json=as_json))
        reports.append(report)
        unkept.append(folder.keep(f"{plan.bench.name}.json", json.dumps(report, indent=2) + "\n"))
        unkept.append(folder.keep(f"{plan.bench.name}.md", markdown(report)))
        if not as_json:
            show(new_console(), report)
    if not any(unkept):
        _mention(keep_benches(folder, reports))
    if as_json:
        print(json.dumps(reports[0] if name else {"schema": 1, "benches": reports}))
    broke = any("error" in report for report in reports)
    raise typer.Exit(_unless_lost(ExitStatus.BROKE if broke else ExitStatus.PASSED, unkept))


def _unless_lost(status: ExitStatus, unkept: Iterable[str]) -> ExitStatus:
    """Return the exit status, which is higher if something is not kept. Standard error has the reasons."""
    reasons = [reason for reason in unkept if reason]
    for reason in reasons:
        print(f"lastport: {reason}", file=sys.stderr)
    return max(status, ExitStatus.MACHINE_LACKS) if reasons else status


def _mention(reason: str) -> None:
    """Print why a report is not there, if it is not. The exit status stays as it is: the results are there."""
    if reason:
        print(f"lastport: {reason}", file=sys.stderr)
