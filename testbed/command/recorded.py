"""The command about the recording of a run: events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from testbed.command import completing

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
    from testbed.recording.words import as_object, in_words
    from testbed.run.naming import printable

    try:
        recording = Recording.open(folder)
        for record in recording:
            print(
                json.dumps(as_object(record)) if as_json else f"{record.time:10.4f}  {printable(in_words(record))}"
            )
    except RecordingError as error:
        raise ConfigurationError(str(error)) from None
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{error.filename}: there is no recording; `lastport run SCENARIO` makes one among its results"
        ) from None
    if not recording.is_complete and not as_json:
        print(f"{recording.seconds:10.4f}  the recording was cut off here")
