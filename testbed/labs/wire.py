"""The second rung: the same file on the wire, in a run of the sandbox, with real packets.

The run is a command of its own. So this process's secrets are not in its memory, and the submission is a copy in a
private folder. A requirement here is a check of that run, by its key.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.labs.submission import content
from testbed.run.exit_status import ExitStatus
from testbed.run.strangers import CHECKOUT
from testbed.sandbox.enter import MachineError
from testbed.sandbox.words import harmless

WITHIN_S = 600.0
TRIES = 2
"""How often a run that broke is tried. The machine may have been the cause."""


class BrokeError(Exception):
    """No run came to its end: the message is the reason. Whether the submission is the cause is not known."""


class RefusedError(Exception):
    """The submission cannot be part of a run: the message is the reason."""


def run(file: Path, scenario: str, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the checks of a run by their keys. Raises BrokeError, RefusedError and MachineError."""
    why = ""
    for _ in range(TRIES):
        try:
            return _checks(file, scenario, settings)
        except BrokeError as error:
            why = str(error)
    raise BrokeError(why)


def _checks(file: Path, scenario: str, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="lastport-") as name:
        copy = Path(name, "submission.py")
        copy.write_bytes(content(file))
        command = [sys.executable, "-P", "-m", "testbed.command", "run", scenario, "--json", "--no-live"]
        command += ["--allocator", str(copy), "--out", str(Path(name, "run"))]
        command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        try:
            ended = subprocess.run(
                command,
                cwd=name,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
                capture_output=True,
                timeout=WITHIN_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BrokeError(f"it took longer than {WITHIN_S:g} s") from None
    why = harmless(ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]).removeprefix("lastport: ")
    if ended.returncode == ExitStatus.MACHINE_LACKS:
        raise MachineError(why)
    if ended.returncode == ExitStatus.WRONG_INPUT:
        raise RefusedError(why.replace(str(copy), file.name)[:200])
    try:
        told = json.loads(ended.stdout)
        checks = {check["key"]: check for check in told["checks"]}
    except (ValueError, TypeError, KeyError):
        raise BrokeError(why or f"it ended with status {ended.returncode}") from None
    if told["verdict"] == "error":
        raise BrokeError(harmless(str(told.get("error", "the run broke")))[:200])
    return checks
