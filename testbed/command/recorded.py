"""The commands about the recordings of runs: events and view."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from testbed.command import completing
from testbed.command.options import WebAddress, WebPort

app = typer.Typer()


@app.command()
def events(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A folder with the results of a run, or a recording.gz.",
            metavar="DIR",
            autocompletion=completing.files(),
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", "-j", help="Print each event as a line of JSON.")] = False,
) -> None:
    """Print what happened in a run, one event a line: each port, each refusal, each attempt, and when."""
    from controller.settings import ConfigurationError
    from testbed.recording import Recording, RecordingError
    from testbed.recording.reader import NO_RECORDING
    from testbed.recording.words import as_object, in_words
    from testbed.run.naming import printable

    try:
        recording = Recording.open(folder)
    except FileNotFoundError as error:
        raise ConfigurationError(f"{error.filename}: {NO_RECORDING}") from None
    except OSError as error:
        raise ConfigurationError(f"{error.filename}: {error.strerror}") from None
    except RecordingError as error:
        raise ConfigurationError(str(error)) from None
    for record in recording:
        print(json.dumps(as_object(record)) if as_json else f"{record.time:10.4f}  {printable(in_words(record))}")
    if not recording.is_complete and not as_json:
        print(f"{recording.seconds:10.4f}  the recording was cut off here")


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
