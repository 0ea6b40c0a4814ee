"""Opening the folder for the results of a command: one that the user chose, or a new one below `runs`.

Results are never overwritten. A folder that has some is refused before anything starts, and so is one that another
command is about to fill.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.run.folder import CAPTURES, LOG, NAT_LOG, PLAN, RECORDING, REPORT, RESULTS, SWEEP, Folder
from testbed.run.kept import COMPARISON, NoResultsError, kept_in
from testbed.run.naming import candidates


def opened(path: Path, option: str = "--out") -> Folder:
    """Make a folder for results, which `option` chose. Raises ConfigurationError if it cannot be made."""
    try:
        return Folder(path)
    except OSError as error:
        raise ConfigurationError(f"{option} {path}: {error.strerror}; take another folder") from None


def require_page(path: Path, option: str = "--markdown") -> None:
    """Raise ConfigurationError if there is something in the place of a file that no file may replace."""
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        kind = "a folder" if path.is_dir() else "no regular file"
        raise ConfigurationError(f"{option} {path} is {kind}; name a file that may be replaced, or a new one")


def opened_for_results(
    out: Path | None, names: Iterable[str], chosen: Mapping[str, Any], *, writes: Collection[str] = ()
) -> Folder:
    """Make the folder for the results of a command: `out`, or a new one that is named by the rest.

    `writes` are the files that the command writes besides those of a run. Raises ConfigurationError if the folder
    has results already, or cannot be made.
    """
    if out is not None:
        require_no_results(out, writes)
        folder = opened(out)
        try:
            folder.claim()
        except BlockingIOError:
            raise ConfigurationError(
                f"--out {out}: another command is writing its results there; take another folder"
            ) from None
        require_no_results(out, writes)  # of a command that ended since
        return folder
    for path in candidates(datetime.now(UTC), names, chosen):
        try:
            return Folder(path, new=True)
        except FileExistsError as error:
            if not os.path.lexists(path):  # it is a parent that is there, and is no folder
                raise ConfigurationError(f"{path.parent}: {error.strerror}; give --out DIR") from None
        except OSError as error:
            raise ConfigurationError(f"--out {path}: {error.strerror}") from None
    raise ConfigurationError("runs/ has too many folders of this second; give --out DIR")


def require_no_results(path: Path, writes: Collection[str] = ()) -> None:
    """Raise ConfigurationError if a folder has results of any command, or a file that would be overwritten."""
    names = [
        name
        for name in (
            RESULTS,
            COMPARISON,
            PLAN,
            SWEEP,
            REPORT,
            RECORDING,
            LOG,
            NAT_LOG,
            *CAPTURES.values(),
            *writes,
        )
        if os.path.lexists(path / name)
    ]
    try:
        kept = kept_in(path, follow=True)
        facts = f"results already ({kept.title}, {kept.started.astimezone():%Y-%m-%d %H:%M}, {kept.verdict})"
    except NoResultsError:
        if not names:
            return
        facts = f"{names[0]} already"
    raise ConfigurationError(f"--out {path} has {facts}; take another folder, or remove it")
