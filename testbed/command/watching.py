"""The command that shows recordings in a browser: view."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from testbed.command import completing
from testbed.command.options import WebAddress, WebPort

app = typer.Typer()


@app.command()
def view(
    folders: Annotated[
        list[Path],
        typer.Argument(
            help="A folder of results, or two to see beside one another, or one of a comparison.",
            metavar="DIR",
            autocompletion=completing.files(),
        ),
    ],
    web_port: WebPort = None,
    web_address: WebAddress = None,
) -> None:
    """Play the recordings of finished runs in a browser, until Ctrl-C."""
    from testbed.web.viewing import serve, shelved

    serve(shelved(folders), web_address, web_port)
