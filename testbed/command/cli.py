"""The command line.

Exit status: 0 if every check held, 1 if a check failed, 2 if the command or configuration is wrong, 3 if this
machine cannot run it, and 4 if the run itself broke.
"""

from __future__ import annotations

import sys
import traceback
from typing import NoReturn

import typer

from controller.settings import ConfigurationError
from testbed.command import choosing, kept, machine, running
from testbed.run.exit_status import ExitStatus
from testbed.sandbox.enter import MachineError

app = typer.Typer(
    help="Can a NAT run out of ports, and what happens then? A testbed that answers by experiments.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for part in (running, kept, choosing, machine):
    app.add_typer(part.app)


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
