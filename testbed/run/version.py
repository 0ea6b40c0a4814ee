"""Where a result comes from: lastport's version and commit, and the command as it was typed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

VERSION_SCRIPT = Path(__file__).resolve().parents[2] / "vagrant" / "version.sh"


@dataclass(frozen=True, slots=True)
class Origin:
    """The version and commit (None: not known) of lastport, and the words of the command after its name."""

    version: str
    commit: str | None
    command: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the keys that every kind of result has."""
        return {"version": self.version, "commit": self.commit, "command": list(self.command)}


@cache
def version() -> tuple[str, str | None]:
    """Return lastport's version, and its commit if that is known."""
    said = subprocess.run(["sh", str(VERSION_SCRIPT)], capture_output=True, text=True, check=False).stdout
    number, commit = [*said.split(), None, None][:2]
    return number or "unknown", commit


def origin() -> Origin:
    """Return the origin of a result that this process makes."""
    return Origin(*version(), tuple(sys.argv[1:]))
