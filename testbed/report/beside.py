"""Where the reports of a comparison's runs are, as seen from the folder that the comparison's own report is in.

The results name files as they were called when they were written, and any program may have written them. So only
the names of a run's folder are taken from there, and only what is really below the comparison's folder is linked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from testbed.run.folder import REPORT
from testbed.run.naming import subject

LEVELS = (1, 2)
"""A run's folder is named after its gateway; with several scenarios it is in a folder for its own."""
NAME = re.compile(r"\w[\w.+ -]{,200}")


def reports(runs: list[Mapping[str, Any]], folder: Path) -> dict[tuple[str, str], str]:
    """Return the relative URLs of the reports below a folder, by scenario and gateway."""
    return {(run["scenario"], subject(run)): place for run in runs for place in _places(run, folder)}


def report_of(run: Mapping[str, Any], folder: Path) -> str:
    """Return the relative URL of a run's report below a folder; an empty text if there is none."""
    return next(_places(run, folder), "")


def _places(run: Mapping[str, Any], folder: Path) -> Iterator[str]:
    names = PurePosixPath(run.get("files", {}).get("report", "")).parent.parts
    for level in LEVELS:
        own = names[-level:]
        if len(own) == level and all(map(NAME.fullmatch, own)) and folder.joinpath(*own, REPORT).is_file():
            yield "/".join(map(quote, (*own, REPORT)))
