"""Completion in a shell: the command that prints the script for it, and the answer to a Tab.

The script (`shells/`) starts the program that was typed, with the line up to the cursor in the environment. The
program prints a line for each word that fits: the word, a tab, and what it means. Typer decides what is to be
completed. `completing` has the names.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer

VARIABLE = "_LASTPORT_COMPLETE"
"""The environment variable with the line up to the cursor."""
SCRIPTS = Path(__file__).with_name("shells")
SHELLS = ("bash", "zsh", "fish")

app = typer.Typer()


def _shells(incomplete: str) -> list[str]:
    return list(SHELLS)


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.", metavar="SHELL", autocompletion=_shells)],
) -> None:
    """Print a script with which a shell completes commands, options and names.

    For bash and zsh: eval "$(./lastport completion bash)". For fish: ./lastport completion fish | source
    """
    if shell not in SHELLS:
        from controller.settings import ConfigurationError, unknown_key

        raise ConfigurationError(unknown_key(shell, list(SHELLS), kind="shell"))
    print((SCRIPTS / f"lastport.{shell}").read_text(), end="")


def answer(commands: typer.Typer) -> None:
    """Print what completes the line so far. A mistake in it completes to nothing, and prints nothing."""
    from typer._completion_classes import FishComplete
    from typer.core import TyperGroup
    from typer.main import get_command

    os.environ["_TYPER_COMPLETE_ARGS"] = os.environ[VARIABLE]  # where Typer reads it
    so_far: list[str] = []
    root = get_command(commands)
    typers = FishComplete(root, {"obj": so_far}, "lastport", VARIABLE)
    words, word = typers.get_completion_args()
    so_far += words
    option, equals, _ = word.partition("=")
    before = f"{option}=" if equals and option.startswith("-") else ""
    command = next((each for each in words if not each.startswith("-")), None)
    if command is not None and isinstance(root, TyperGroup) and command not in root.commands:
        return
    with contextlib.suppress(Exception):
        items = typers.get_completions(words, word)
        if not items and not word and not words[-1].startswith("-"):
            items = typers.get_completions(words, "--")  # nothing is left but options
        for item in items:
            print(f"{before}{item.value}\t{' '.join((item.help or '').split())}")
