"""The command line.

Exit status: 0 if every check held, 1 if a check failed, 2 if the command or configuration is wrong, 3 if this
machine cannot run it, and 4 if the run itself broke.
"""

from __future__ import annotations

import json
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller.settings import ConfigurationError
from testbed.command.options import Json, Out, RunOptions, with_run_options
from testbed.run.exit_status import EXIT_STATUS, ExitStatus
from testbed.sandbox.enter import MachineError

app = typer.Typer(
    help="Can a NAT run out of ports, and what happens then? A testbed that answers by experiments.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
@with_run_options
def run(
    scenario: Annotated[str, typer.Argument(help="A name from `lastport list scenarios`, or FILE.py[:Class].")],
    *,
    gateway: Annotated[str, typer.Option(help="The NAT under test: a name, or FILE.py:Class.")] = "openflow",
    options: RunOptions,
    as_json: Json = False,
) -> None:
    """Run a scenario: build the network, make the traffic, and check what happened."""
    from testbed.registry import load
    from testbed.run import doctor
    from testbed.run.launch import carry_out, opened
    from testbed.run.resolve import resolve
    from testbed.run.results import default_folder
    from testbed.run.terminal import conclude

    plan = resolve(scenario, gateway, options.choices, datapath=doctor.datapath())
    cls = load("scenario", plan.scenario)
    doctor.require(
        cls.open_sockets(cls.Parameters.model_validate(plan.parameters), plan.settings),
        needs=load("gateway", plan.gateway).needs,
    )
    folder = opened(options.out or default_folder(plan, datetime.now(UTC)))
    result, written = carry_out(plan, folder, pcap=options.pcap)
    if as_json:
        print(json.dumps(written))
    else:
        conclude(Console(), result, str(folder.path))
    raise typer.Exit(EXIT_STATUS[result.verdict])


@app.command()
@with_run_options
def compare(
    scenario: Annotated[
        str | None, typer.Argument(help="A name, or FILE.py[:Class], unless --all is given.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Run every scenario of the catalogue.")] = False,
    gateways: Annotated[
        str | None,
        typer.Option(help="Names, or FILE.py:Class, with commas between them. By default all of lastport's own."),
    ] = None,
    options: RunOptions,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write a page about the comparison to this file.", metavar="FILE.md")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a scenario, or all of them, on several gateways in turn, and show where the gateways differ."""
    from testbed.compare import comparison
    from testbed.compare.differences import label
    from testbed.compare.page import page
    from testbed.compare.side_by_side import show
    from testbed.registry import GATEWAYS, SCENARIOS
    from testbed.run.launch import opened
    from testbed.run.results import stamped

    if everything == (scenario is not None):
        raise ConfigurationError("compare one SCENARIO, or --all of them: give one of the two")
    asked = [scenario] if scenario else list(SCENARIOS)
    compared = list(GATEWAYS) if gateways is None else comparison.names(gateways)
    planned = comparison.able(comparison.plans(options.choices, asked, compared))
    path = options.out or stamped(datetime.now(UTC), "compare", label(scenario) if scenario else "all")
    written = opened(markdown.parent, "--markdown") if markdown else None
    done = comparison.compare(planned, path, pcap=options.pcap)
    if markdown and written:
        written.write_text(markdown.name, page(done.told))
    if as_json:
        print(json.dumps(done.told))
    else:
        show(Console(), done.told, left_out=done.left_out, folder=str(path))
    raise typer.Exit(done.status)


@app.command()
def bench(
    name: Annotated[
        str | None, typer.Argument(help="A name from `lastport list benches`. By default all benches, in turn.")
    ] = None,
    repetitions: Annotated[int, typer.Option(help="The number of times that every trial is measured.")] = 5,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="One parameter of the bench. May be repeated.", metavar="KEY=VALUE"),
    ] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Measure speed, with ratios to a reference that is measured in the same run."""
    from testbed.bench.repetitions import carried_out, planned
    from testbed.bench.table import markdown, show
    from testbed.run import doctor
    from testbed.run.launch import opened
    from testbed.run.results import stamped

    plans = planned(name, sets or [], repetitions)
    doctor.require(0)
    folder = opened(out or stamped(datetime.now(UTC), "bench", name or "all"))
    reports = []
    for plan in plans:
        report = carried_out(plan, repetitions)
        reports.append(report)
        folder.write_text(f"{plan.bench.name}.json", json.dumps(report, indent=2) + "\n")
        folder.write_text(f"{plan.bench.name}.md", markdown(report))
        if not as_json:
            show(Console(), report)
    if as_json:
        print(json.dumps(reports[0] if name else {"schema": 1, "benches": reports}))
    raise typer.Exit(ExitStatus.BROKE if any("error" in report for report in reports) else ExitStatus.PASSED)


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


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show what this machine has and lacks for a lab, and what to do about it."""
    import dataclasses

    from testbed.run.doctor import findings

    found = list(findings())
    able = all(finding.ok or not finding.required for finding in found)
    if as_json:
        print(json.dumps({"able": able, "findings": [dataclasses.asdict(finding) for finding in found]}))
    else:
        table = Table("", "what", "found", "what to do")
        for finding in found:
            mark = Text("ok", style="green") if finding.ok else Text("lacks", style="red")
            table.add_row(mark, finding.name, Text(finding.found), Text("" if finding.ok else finding.advice))
        Console().print(table)
        print("This machine can run every scenario." if able else "This machine cannot run a lab yet.")
    raise typer.Exit(ExitStatus.PASSED if able else ExitStatus.MACHINE_LACKS)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def test(context: typer.Context) -> None:
    """Run the project's tests, four at a time, since a lab mostly waits. All arguments go to pytest."""
    import os
    import subprocess

    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "pytest", "--rootdir", str(root), "-c", str(root / "pyproject.toml")]
    command += ["--numprocesses", "4", "--dist", "worksteal"]
    done = subprocess.run(
        [*command, *context.args], cwd=root, env={**os.environ, "PYTHONSAFEPATH": "1"}, check=False
    )
    raise typer.Exit(done.returncode)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def mn(context: typer.Context) -> None:
    """Run Mininet's own command with lastport's topologies: --custom topologies/carrier.py --topo carrier."""
    import os
    import shutil

    program = shutil.which("mn")
    if program is None:
        raise MachineError("Mininet's command mn is not installed; with Debian: apt-get install mininet")
    os.execv(sys.executable, [sys.executable, program, *context.args])


def main() -> None:
    """Run the command line. Each of the two kinds of refusal is printed as a sentence, and has an exit status."""
    try:
        app()
    except ConfigurationError as error:
        _refuse(error, ExitStatus.WRONG_INPUT)
    except MachineError as error:
        _refuse(error, ExitStatus.MACHINE_LACKS)
    except Exception:
        traceback.print_exc()
        _refuse("this is a fault of lastport itself; please report the lines above", ExitStatus.BROKE)


def _refuse(error: Exception | str, status: ExitStatus) -> NoReturn:
    print(f"lastport: {error}", file=sys.stderr)
    raise SystemExit(status)
