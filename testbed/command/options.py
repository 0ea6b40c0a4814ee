"""Options of several commands, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]


Topology = Annotated[
    str | None, typer.Option(help="The network: a name, or FILE.py:Class. By default the scenario's.")
]
Allocator = Annotated[
    str | None, typer.Option(help="The port allocator: a name, or FILE.py:Class. Short for --set.")
]
Profile = Annotated[str, typer.Option(help="Settings under one name; see `lastport list profiles`.")]
Config = Annotated[Path | None, typer.Option(help="A YAML file of settings.", metavar="FILE.yaml")]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="One setting; may be repeated.", metavar="KEY=VALUE")
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the results.", metavar="DIR")]
Pcap = Annotated[bool, typer.Option("--pcap", help="Keep what passed inside and outside, for Wireshark.")]
