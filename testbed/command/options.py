"""The options that several commands have, declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import Field, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from testbed.command import completing
from testbed.run.choices import Choices

if TYPE_CHECKING:
    from testbed.run.launch import Watch

Json = Annotated[bool, typer.Option("--json", "-j", help="Print one JSON object, and nothing else.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", help="The folder for the results.", metavar="DIR", autocompletion=completing.files()
    ),
]
Live = Annotated[
    bool | None,
    typer.Option(
        "--live/--no-live",
        help="Redraw a picture of what goes on, as on every terminal, or print lines.",
        show_default=False,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="One setting or parameter. May be repeated.",
        metavar="KEY=VALUE",
        autocompletion=completing.assignments,
    ),
]
WebPort = Annotated[
    int | None,
    typer.Option(
        "--web-port",
        help="The page's port, 8470 by default; 0 is any that is free.",
        metavar="N",
        min=0,
        max=65535,
    ),
]
WebAddress = Annotated[
    str | None,
    typer.Option(
        "--web-address",
        help="The address that the page is served on; by default LASTPORT_WEB_ADDRESS of the environment, or else "
        "127.0.0.1, for this machine alone.",
        metavar="ADDRESS",
    ),
]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of every command that runs a scenario."""

    topology: Annotated[
        str | None,
        typer.Option(
            "--topology",
            "-t",
            help="The network: a name, or FILE.py:Class. By default the scenario's own.",
            metavar="NAME",
            autocompletion=completing.named("topologies"),
        ),
    ] = None
    allocator: Annotated[
        str | None,
        typer.Option(
            help="The port allocator: a name, or FILE.py:Class. Short for --set port_allocation_type=NAME.",
            metavar="NAME",
            autocompletion=completing.named("allocators"),
        ),
    ] = None
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            "-p",
            help="A set of settings; see `lastport list profiles`.",
            metavar="NAME",
            autocompletion=completing.named("profiles", or_file=False),
        ),
    ] = "plain"
    config: Annotated[
        Path | None,
        typer.Option(
            help="A YAML file of settings.",
            metavar="FILE.yaml",
            autocompletion=completing.files(".yaml", ".yml"),
        ),
    ] = None
    sets: Sets = None
    seed: Annotated[int, typer.Option(help="The seed of every random choice.", metavar="N")] = 1
    out: Out = None
    pcap: Annotated[
        bool, typer.Option("--pcap", help="Capture the packets inside and outside, for Wireshark.")
    ] = False
    web: Annotated[
        bool, typer.Option("--web", "-w", help="Show the run in a browser while it goes on: the URL is printed.")
    ] = False
    web_port: WebPort = None
    web_address: WebAddress = None

    live: Live = None
    junit: Annotated[
        Path | None,
        typer.Option(
            help="Also write the checks as JUnit's XML, for a CI server. It replaces FILE.xml.",
            metavar="FILE.xml",
            autocompletion=completing.files(".xml"),
        ),
    ] = None

    @property
    def is_watched(self) -> bool:
        """Whether any of the options for the page in a browser is given."""
        return self.web or self.web_port is not None or self.web_address is not None

    def watching(self) -> AbstractContextManager[Watch | None]:
        """Serve the page while a block lasts, if any of the options for it is given, and print its URL."""
        if not self.is_watched:
            return nullcontext()
        from testbed.web.watching import watching

        return watching(self.web_address, self.web_port)

    @property
    def choices(self) -> Choices:
        """The options that decide about the run itself."""
        return Choices(self.topology, self.allocator, self.profile, self.config, self.sets or [], self.seed)


def with_run_options(*, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator: the command has the options of `RunOptions` in the place of its parameter `options`.

    Those in `without` it has not, and they keep their defaults.
    """
    return functools.partial(_with_options, [each for each in fields(RunOptions) if each.name not in without])


def _with_options(wanted: Sequence[Field[Any]], command: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(command, eval_str=True)
    hints = get_type_hints(RunOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name]
        )
        for each in wanted
    ]

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        options = RunOptions(**{each.name: given.pop(each.name) for each in wanted})
        command(**given, options=options)

    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        own = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += shared if parameter.name == "options" else [own]
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # typer reads it
    return wrapped
