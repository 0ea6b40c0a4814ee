"""The command line.

Exit status: 0 if every check held, 1 if a check failed, 2 if the command or configuration is wrong, 3 if this
machine cannot run it, and 4 if the run itself broke. It is 3, too, if standard output cannot be written, and that
of a program that SIGPIPE ended if nobody reads it any more. Every failure of `exec` itself is 125: its program has
all others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from testbed.command import (
    choosing,
    completion,
    executing,
    kept,
    labs,
    machine,
    planning,
    prompting,
    recorded,
    running,
    sweeping,
)
from testbed.command.help import Commands
from testbed.run.console import OutputError, discard, fit_locale, open_standard_files, watch_output
from testbed.run.exit_status import ExitStatus

UNREAD = 128 + signal.SIGPIPE
"""The exit status that a shell shows for a program which ended because nobody reads what it writes."""

PARTS = (running, prompting, executing, planning, sweeping, kept, recorded, choosing, labs, machine, completion)


class _All(Commands):
    """The commands of every part."""

    parts = tuple(part.app for part in PARTS)


app = typer.Typer(
    cls=_All,
    help="Can a NAT run out of ports, and what happens then? A testbed that answers by experiments.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with: sudo ./lastport run port-exhaustion",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        from testbed.run.version import version

        number, commit = version()
        print(f"lastport {number}" + f" ({commit})" * bool(commit))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_print_version, is_eager=True, help="Print the version and the commit."
        ),
    ] = False,
) -> None:
    """Take the options that come before a command."""


def main() -> None:
    """Run the command line. Each kind of refusal is printed as a sentence, and has an exit status."""
    open_standard_files()
    watch_output()
    try:
        try:
            if completion.VARIABLE in os.environ:
                completion.answer(app)
                return
            fit_locale()
            app(prog_name="lastport")
        finally:
            print(end="", flush=True)
    except Exception as error:
        from controller.settings import ConfigurationError
        from testbed.sandbox.enter import MachineError

        if isinstance(error, OutputError):
            _end_without_output(error)
        if isinstance(error, ConfigurationError):
            _refuse(error, ExitStatus.WRONG_INPUT)
        if isinstance(error, MachineError):
            _refuse(error, ExitStatus.MACHINE_LACKS)
        with contextlib.suppress(OSError):
            traceback.print_exc()
        _refuse("this is a fault of lastport itself; please report the lines above", ExitStatus.BROKE)


def _end_without_output(error: OutputError) -> NoReturn:
    """End as other programs do if nobody reads on; otherwise with the reason."""
    discard(sys.stdout)
    if error.is_unread:
        raise SystemExit(UNREAD)
    _refuse(error, ExitStatus.MACHINE_LACKS)


def _refuse(error: Exception | str, status: ExitStatus) -> NoReturn:
    try:
        print(f"lastport: {error}", file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)
    raise SystemExit(executing.FAILED if sys.argv[1:2] == ["exec"] else status)
