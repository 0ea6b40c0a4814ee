"""The command line.

Exit status: 0 every check held; 1 one failed; 2 the command or configuration is wrong; 3 this machine cannot run
it; 4 the run itself broke.
"""

from __future__ import annotations

import enum
import json
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from controller.configuration import ConfigurationError
from scenarios.sandbox.enter import MachineError

app = typer.Typer(
    help="Can a NAT run out of ports, and what happens then? A testbed that answers by experiment.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class ExitStatus(enum.IntEnum):
    """What the shell is told."""

    PASSED = 0
    CHECK_FAILED = 1
    WRONG_INPUT = 2
    MACHINE_LACKS = 3
    BROKE = 4


INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EXIT_STATUS = {"pass": ExitStatus.PASSED, "fail": ExitStatus.CHECK_FAILED, "error": ExitStatus.BROKE}


class Interrupted(BaseException):
    """A signal asked us to end; not an Exception, since nothing on the way may catch it."""


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]


@app.command()
def run(
    scenario: Annotated[str, typer.Argument(help="A name from `lastport list scenarios`, or FILE.py[:Class].")],
    gateway: Annotated[str, typer.Option(help="The NAT under test: a name, or FILE.py:Class.")] = "openflow",
    topology: Annotated[
        str | None, typer.Option(help="The network: a name, or FILE.py:Class. By default the scenario's.")
    ] = None,
    allocator: Annotated[
        str | None, typer.Option(help="The port allocator: a name, or FILE.py:Class. Short for --set.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Settings under one name; see `lastport list profiles`.")] = "plain",
    config: Annotated[Path | None, typer.Option(help="A YAML file of settings.", metavar="FILE.yaml")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="One setting; may be repeated.", metavar="KEY=VALUE")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.", metavar="DIR")] = None,
    as_json: Json = False,
) -> None:
    """Run a scenario: build the network, drive it, check what happened."""
    from scenarios import doctor
    from scenarios.loading import load
    from scenarios.resolve import resolve

    plan = resolve(
        scenario=scenario,
        topology=topology,
        gateway=gateway,
        allocator=allocator,
        profile=profile,
        config=config,
        sets=sets or [],
        seed=seed,
        datapath=doctor.datapath(),
    )
    cls = load("scenario", plan.scenario)
    doctor.require(
        cls.open_sockets(cls.Parameters.model_validate(plan.parameters), plan.settings),
        needs=load("gateway", plan.gateway).needs,
    )
    raise typer.Exit(_carry_out(plan, out, as_json=as_json))


def _carry_out(plan: Any, out: Path | None, *, as_json: bool) -> int:
    from scenarios.display import Live, conclude
    from scenarios.results import Folder, Result, default_folder
    from scenarios.sandbox.enter import enter

    result = Result(plan)
    try:
        folder = Folder(out or default_folder(plan, result.started))
    except OSError as error:
        raise ConfigurationError(f"--out {out}: {error.strerror}") from None
    for number in INTERRUPTIONS:
        signal.signal(number, _interrupt)
    try:
        with Live(f"{plan.scenario} on {plan.gateway}") as live:
            for record in enter(plan.model_dump(mode="json")):
                result.take(record)
                live.show(record)
    except Interrupted as interruption:
        result.break_off(f"interrupted by {interruption}")
    _ignore_signals()  # the results are still to be written
    result.finish()
    written = folder.write(result)
    if as_json:
        print(json.dumps(written))
    else:
        conclude(Console(), result, str(folder.path))
    return EXIT_STATUS[result.verdict]


@app.command("list")
def list_(
    kind: Annotated[
        str, typer.Argument(help="scenarios, topologies, gateways, allocators, policies, profiles or settings.")
    ] = "scenarios",
    as_json: Json = False,
) -> None:
    """List what there is to choose from."""
    from controller.configuration import unknown_key
    from scenarios.listing import rows

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
        if row.get("reasons"):
            _print_rows(f"settings of {row['name']}", _reasoned(row))


def _reasoned(profile: dict[str, Any]) -> list[dict[str, Any]]:
    """Put the settings of a profile beside their reasons."""
    return [
        {"name": key, "value": value, "reason": profile["reasons"][key]}
        for key, value in profile["settings"].items()
    ]


def _print_rows(title: str, rows: list[dict[str, Any]]) -> None:
    """Print what a person chooses by; --json has the rest."""
    shown = ["name", "unit", "default", "value", "allowed", "description", "reason"]
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
    return Text("" if value is None else str(value))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what this machine has and lacks, and what to do about it."""
    import dataclasses

    from scenarios.doctor import findings

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
    """Run the project's tests; the arguments are pytest's."""
    import os
    import subprocess

    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "pytest", "--rootdir", str(root), "-c", str(root / "pyproject.toml")]
    done = subprocess.run(
        [*command, *context.args], cwd=root, env={**os.environ, "PYTHONSAFEPATH": "1"}, check=False
    )
    raise typer.Exit(done.returncode)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def mn(context: typer.Context) -> None:
    """Run Mininet's own command so that it finds our topologies: --custom topologies/carrier.py --topo carrier."""
    import os
    import shutil

    program = shutil.which("mn")
    if program is None:
        raise MachineError("Mininet's command mn is not installed; with Debian: apt-get install mininet")
    os.execv(sys.executable, [sys.executable, program, *context.args])


def _interrupt(number: int, _frame: object) -> NoReturn:
    _ignore_signals()  # once is enough
    raise Interrupted(signal.Signals(number).name)


def _ignore_signals() -> None:
    for number in INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """Run the command line; the two kinds of refusal become a sentence and an exit status."""
    try:
        app()
    except ConfigurationError as error:
        _refuse(error, ExitStatus.WRONG_INPUT)
    except MachineError as error:
        _refuse(error, ExitStatus.MACHINE_LACKS)
    except Exception:
        traceback.print_exc()
        _refuse("this is a fault of lastport's own; please report the lines above", ExitStatus.BROKE)


def _refuse(error: Exception | str, status: ExitStatus) -> NoReturn:
    print(f"lastport: {error}", file=sys.stderr)
    raise SystemExit(status)
