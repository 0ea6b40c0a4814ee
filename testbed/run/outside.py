"""A controller that runs already, outside of the sandbox: the connection to it, and what it has to know.

The sandbox has another network, and reaches nothing outside. So the connection is made here, before the sandbox
is, and the sandbox gets it open. The wiring is written among the results first: a controller that reads it when
the switch connects needs no edit.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.run.folder import Folder
from topologies.gateways.app import wiring
from topologies.gateways.app.options import endpoint

CONTROLLER = "controller"
"""The name of the open connection."""
CONNECTED_WITHIN_S = 5.0


def connected(plan: Run, folder: Folder) -> dict[str, socket.socket]:
    """Write what the controller has to know, and return the connection to it by its name, if the run has one.

    Raises ConfigurationError if nothing answers, or OSError if the folder cannot be written.
    """
    if not plan.reaches:
        return {}
    for name, text in wiring.texts(plan.told_outside).items():
        _require_ours(folder.path / name, plan.told_outside)
        folder.write_text(name, text)
    place = folder.path.resolve()
    path = place / wiring.FILE
    print(f"lastport: what the controller at {plan.reaches} has to know is in {path}", file=sys.stderr)
    try:
        return {CONTROLLER: socket.create_connection(endpoint(plan.reaches), CONNECTED_WITHIN_S)}
    except OSError as error:
        raise ConfigurationError(
            f"setting controller={plan.reaches}: nothing answers there ({error.strerror or error}); start the "
            f"controller first, such as by {wiring.VARIABLE}={path} PYTHONPATH={place} ryu-manager nat.py"
        ) from None


def _require_ours(path: Path, facts: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for a file of the user's own, which would be overwritten."""
    if not os.path.lexists(path):
        return
    try:
        is_ours = not path.is_symlink() and wiring.is_ours(path.name, path.read_text(errors="replace"), facts)
    except OSError:
        is_ours = False
    if not is_ours:
        raise ConfigurationError(f"--out {path.parent} has {path.name} already; take another folder, or remove it")
