"""How help is printed: as wide as the terminal, up to 80 columns, with every sentence whole."""

from __future__ import annotations

import functools
import inspect
import shutil
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info, get_command_name

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


class Built(Mapping[str, Any]):
    """The commands of several apps. Each is built when it is asked for: reading its options takes a while."""

    def __init__(self, apps: Iterable[typer.Typer]) -> None:
        self._infos = {
            info.name or get_command_name(info.callback.__name__): info
            for app in apps
            for info in app.registered_commands
            if info.callback
        }
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a command, complete; it prints its help as the group does."""
        if name not in self._built:
            self._built[name] = get_command_from_info(
                self._infos[name], pretty_exceptions_short=True, rich_markup_mode=None
            )
            self._built[name].context_class = Context
        return self._built[name]

    def __contains__(self, name: object) -> bool:
        return name in self._infos

    def __iter__(self) -> Iterator[str]:
        return iter(self._infos)

    def __len__(self) -> int:
        return len(self._infos)

    def listed(self) -> list[tuple[str, str]]:
        """Return the names of the commands with the first sentences of their help, without building any."""
        return [
            (name, TyperCommand(name, help=inspect.getdoc(info.callback)).get_short_help_str(WHOLE))
            for name, info in self._infos.items()
            if not info.hidden
        ]


class Commands(TyperGroup):
    """The commands of all `parts`. In their list each has the whole first sentence of its help."""

    context_class = Context
    parts: ClassVar[Iterable[typer.Typer]] = ()

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.commands = self._built = Built(self.parts)  # type: ignore[assignment] # typer changes nothing in it

    def invoke(self, ctx: Any) -> Any:
        """Carry out a command. What leaves it otherwise than a command does must not decide about the status."""
        try:
            return super().invoke(ctx)
        except (SystemExit, EOFError, BrokenPipeError) as left:  # typer would make 1 of them, or what they say
            raise RuntimeError(f"a command was left by {type(left).__name__}: {left}") from left

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(self._built.listed())

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Complete a command, with the whole first sentence of its help."""
        items, listed = super().shell_complete(ctx, incomplete), dict(self._built.listed())
        for item in items:
            item.help = listed.get(item.value, item.help)
        return items
