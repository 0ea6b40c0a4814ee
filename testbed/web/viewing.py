"""`lastport view`: the recordings in folders of results, served until Ctrl-C."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.recording import Recording, RecordingError
from testbed.recording.format import FILE
from testbed.recording.reader import NO_RECORDING
from testbed.run.folder import REPORT, RESULTS
from testbed.run.kept import BENCHED, COMPARISON, NoResultsError, contents, entered
from testbed.run.naming import printable, title
from testbed.web.about import about
from testbed.web.listening import listen
from testbed.web.serving import Server
from testbed.web.site import Shelf
from testbed.web.sources import PIECE, Finished

MOST_RECORDINGS = 200
MOST_RESULTS = 64 << 20
"""The most bytes of results that are read for what they say of a run."""


def shelved(folders: Iterable[Path]) -> Shelf:
    """Return the recordings in folders, or in those of a comparison. Raises ConfigurationError without any."""
    shelf = Shelf()
    for folder in folders:
        found = sorted(map(_opened, _recordings(folder)), key=_begun)
        if not found:
            raise ConfigurationError(f"{folder / FILE}: {_instead(folder)}")
        for recording in found:
            _shelve(shelf, recording)
    return shelf


def serve(shelf: Shelf, address: str | None, port: int | None) -> None:
    """Print the URL, and serve until a signal ends it."""
    listener = listen(address, port)
    print(f"{listener.url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    try:
        asyncio.run(Server(shelf, listener.token).serve(sockets=[listener.socket]))
    except KeyboardInterrupt:
        print(file=sys.stderr)


def _recordings(folder: Path) -> Iterator[Path]:
    """Yield the recording of a folder, or those of a comparison, one for each gateway (and scenario)."""
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: there is no such folder of results")
    has_several = any((folder / name).is_file() for name in (COMPARISON, *BENCHED.values()))
    for pattern in (FILE, f"*/{FILE}", f"*/*/{FILE}") if has_several else (FILE,):
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
        if found:
            if len(found) > MOST_RECORDINGS:
                shown = f"the page shows the first {MOST_RECORDINGS}"
                print(f"lastport: {folder} has {len(found)} recordings; {shown}", file=sys.stderr)
            yield from found[:MOST_RECORDINGS]
            return


def _instead(folder: Path) -> str:
    """Return what a folder without a recording has instead, as that of a bench, or how to make one."""
    if (folder / REPORT).is_file():
        return f"there is no recording; the results are in {folder / REPORT}"
    return NO_RECORDING


def _opened(path: Path) -> Recording:
    """Return a recording. Raises ConfigurationError if it cannot be read."""
    try:
        return Recording.open(path)
    except (RecordingError, OSError) as error:
        raise ConfigurationError(str(error)) from None


def _begun(recording: Recording) -> str:
    """Return when a run began, which is the order of a comparison's runs."""
    return str(recording.header.get("started", ""))


def _shelve(shelf: Shelf, recording: Recording) -> None:
    """Put a recording on the shelf."""
    path = recording.path
    told = _results(path.parent) or recording.header
    scenario, gateway, chosen = (told.get(name) for name in ("scenario", "gateway", "chosen"))
    named = title(str(scenario), str(gateway), chosen if isinstance(chosen, dict) else {})
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(PIECE)).hexdigest()[:16]
    key = f"{digest}-{len(shelf.sources)}"  # a viewer that comes back never goes on in another recording
    report = path.with_name(REPORT)
    more = {"report": printable(str(report))} if report.is_file() else {}
    shelf.add(Finished(key, printable(named), path, {**about(told), **more}))


def _results(folder: Path) -> dict[str, Any]:
    """Return what is in `results.json`; nothing if it is not there or cannot be read."""
    try:
        with entered(folder, follow=True) as descriptor:
            found = contents(descriptor, RESULTS, most=MOST_RESULTS)
        told = json.loads(found[0]) if found else {}
        json.dumps(told, allow_nan=False)  # what is no number in JSON, no browser reads
    except (NoResultsError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
