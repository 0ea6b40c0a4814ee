"""How help is printed: as wide as the terminal, up to 80 columns, with every sentence whole."""

from __future__ import annotations

import functools
import shutil
from typing import Any

import typer
from typer.core import TyperGroup

MOST = 80
"""The columns of the widest help: longer lines are hard to read."""
NARROW = 60
"""With fewer columns than this, what an option does stands below its name, and not beside it."""
WHOLE = 10_000
"""More characters than any sentence has, so that none is cut."""


class Context(typer.Context):
    """A context in which help fits a narrow terminal as well."""

    def make_formatter(self) -> Any:
        """Return what writes the help, for the width of this terminal."""
        formatter = super().make_formatter()
        columns = min(shutil.get_terminal_size().columns, MOST)
        formatter.width = columns - 2
        if columns < NARROW:
            below = functools.partial(formatter.write_dl, col_max=2)
            formatter.write_dl = below  # type: ignore[method-assign] # its width of the names has no other switch
        return formatter


class Commands(TyperGroup):
    """The commands. In their list each has the whole first sentence of its help."""

    context_class = Context

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name; it prints its help as this group does."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.context_class = Context
        return command

    def invoke(self, ctx: Any) -> Any:
        """Carry out a command. What leaves it otherwise than a command does must not decide about the status."""
        try:
            return super().invoke(ctx)
        except (SystemExit, EOFError, BrokenPipeError) as left:  # typer would make 1 of them, or what they say
            raise RuntimeError(f"a command was left by {type(left).__name__}: {left}") from left

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of the commands."""
        listed = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, command.get_short_help_str(WHOLE)) for name, command in listed if not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete a command, with the whole first sentence of its help."""
        items = super().shell_complete(ctx, incomplete)
        for item in items:
            if item.value in self.commands:
                item.help = self.commands[item.value].get_short_help_str(WHOLE)
        return items
