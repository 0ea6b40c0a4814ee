"""The commands about this machine and this checkout: doctor, test, mn and uninstall."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from testbed.command.options import Json
from testbed.run.exit_status import ExitStatus

if TYPE_CHECKING:
    from testbed.command.layout import Entry
    from testbed.run.doctor import Finding

app = typer.Typer()


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show what this machine has and lacks for a lab, and what to do about it."""
    import dataclasses

    from testbed.command.layout import entries
    from testbed.run.console import new_console, print_lines
    from testbed.run.doctor import findings, links

    found = [*findings(), links()]
    able = all(finding.ok or not finding.required for finding in found)
    if as_json:
        print(json.dumps({"able": able, "findings": [dataclasses.asdict(finding) for finding in found]}))
    else:
        out = new_console()
        print_lines(out, entries([_entry(finding) for finding in found], out.width))
        print("This machine can run every scenario." if able else "This machine cannot run a lab yet.")
    raise typer.Exit(ExitStatus.PASSED if able else ExitStatus.MACHINE_LACKS)


def _entry(finding: Finding) -> Entry:
    """Return a finding as it is printed: what to do comes after what is lacking."""
    from testbed.command.layout import Entry

    if finding.ok:
        return Entry(finding.name, finding.found, "ok", style="green")
    return Entry(finding.name, f"{finding.found}. What to do: {finding.advice}", "lacks", style="red")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def test(context: typer.Context) -> None:
    """Run the project's tests, four at a time. All arguments go to pytest."""
    import os

    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "pytest", "--rootdir", str(root), "-c", str(root / "pyproject.toml")]
    command += ["--numprocesses", "4", "--dist", "worksteal"]
    os.chdir(root)
    os.execve(sys.executable, [*command, *context.args], {**os.environ, "PYTHONSAFEPATH": "1"})


@app.command()
def uninstall(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before anything is removed.")] = False,
) -> None:
    """Show what lastport has put on this machine, and remove it. Checkouts and their runs stay."""
    import os

    script = Path(__file__).resolve().parents[2] / "vagrant" / "uninstall.sh"
    os.execvp("bash", ["bash", str(script), *(["--yes"] if yes else [])])


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def mn(context: typer.Context) -> None:
    """Run Mininet's own command, also with lastport's topologies.

    Such as: --custom topologies/carrier.py --topo carrier
    """
    from testbed.run.prompt import prompt

    raise typer.Exit(prompt(context.args))
