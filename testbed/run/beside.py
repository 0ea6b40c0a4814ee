"""A file that a command writes besides its results, where the user wants it: `--markdown`, `--junit`.

It replaces a regular file, and nothing else. Whether it can be written is found out before anything starts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from testbed.run.folder import Folder
from testbed.run.opening import opened, require_page


class Beside:
    """A file that is wanted, or none. Raises ConfigurationError if no file may be in its place."""

    def __init__(self, path: Path | None, option: str) -> None:
        self._path, self._option = path, option
        self._folder: Folder | None = None
        if path:
            require_page(path, option)

    def open(self) -> None:
        """Make the folder for the file. Raises ConfigurationError if it cannot be made, or not be written in."""
        if self._path:
            self._folder = opened(self._path.parent, self._option)

    def keep(self, text: Callable[[], str]) -> str:
        """Write the file, if it is wanted; return an empty string, or why that is not possible any more."""
        return self._folder.keep(self._path.name, text()) if self._folder and self._path else ""
