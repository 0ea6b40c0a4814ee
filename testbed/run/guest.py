"""Who takes part in a run from outside of its sandbox, such as a person at a prompt."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from testbed.run.interruptions import USUAL, Interruptions

if TYPE_CHECKING:
    from testbed.run.cables import Cables
    from testbed.run.results import Result

Open: TypeAlias = "IO[bytes] | socket.socket | Cables"
"""What may be passed into the sandbox open."""


class Guest:
    """A guest that does nothing.

    `files` are passed into the sandbox open, `shown` are folders that it sees behind walls, and `interruptions`
    decides about signals.
    """

    files: Mapping[str, Open] = {}
    shown: Collection[Path] = ()
    interruptions: Interruptions = USUAL

    def see(self, record: dict[str, Any]) -> None:
        """Take note of a record of the sandbox."""

    def complete(self, result: Result) -> None:
        """Add to a result that is complete otherwise, before it is written. The recording is complete as well."""
