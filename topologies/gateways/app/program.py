"""Somebody's controller as a process of its own, in the sandbox, with no rights and a folder for itself.

The folder has the wiring, and copies of all files that lie beside the app, so that modules and data are found by
their names. What the app writes there is gone with the sandbox. Large files and folders are links, and can only be
read. What the process prints is the run's `app.log`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from topologies.gateways.app import options as chosen
from topologies.gateways.app import placeholders, wiring
from topologies.gateways.app.options import AppOptions
from topologies.gateways.base import GatewayPlan
from topologies.gateways.strangers import NO_RIGHTS, StrangersProcess

LISTENS_WITHIN_S = 30.0
LOOK_EVERY_S = 0.02
CONTROLLER = "controller"
"""The name of what a run has open for it: a connection to a controller that runs already."""
MOST_COPIED = 1 << 20
"""The most bytes of a file that is copied, and a sixteenth of those of all copies."""
LISTENING = "0A"
OURS = {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONPYCACHEPREFIX": sys.pycache_prefix or ""}
"""What a program of ours needs in its environment, which runs an application or leads to a controller."""
REFUSED = "the switch refused a message, "


class Program(StrangersProcess):
    """The running controller. `port` is where it listens, in the sandbox."""

    def __init__(self, plan: GatewayPlan, facts: Mapping[str, Any]) -> None:
        options = plan.options
        assert isinstance(options, AppOptions)
        self.port: int = facts["listen_port"]
        files = chosen.applications(options.app)
        self._framework = ""
        folder = plan.folder / "app"
        folder.mkdir()
        environment = {wiring.VARIABLE: str(wiring.write(facts, folder))}
        _put_into(folder, files)
        config = _configuration(options, folder, facts)
        if config is not None:
            environment[wiring.CONFIG_VARIABLE] = str(config)
        passed: list[int] = []
        if options.controller is not None:
            passed = [plan.files[CONTROLLER]]
            command = [sys.executable, "-P", "-m", "topologies.gateways.app.relay", str(passed[0]), str(self.port)]
            environment |= OURS
        elif files:
            environment["LASTPORT_FRAMEWORK"] = framework = chosen.framework(files)
            self._framework = f"{framework} {importlib.metadata.version(framework)}"
            command = [sys.executable, "-P", "-m", "controller.process.app", str(self.port), str(folder)]
            command = [*NO_RIGHTS, *command, *(file.stem for file in files)]
            environment |= OURS
        else:
            command = [*NO_RIGHTS, *placeholders.filled(chosen.command(options.app), facts)]
            environment["PYTHONPATH"] = str(folder)
        super().__init__(
            plan,
            _name(options, files),
            command,
            environment=environment,
            home=None if options.controller is not None else folder,
            passed=passed,
        )

    def wait_listening(self) -> None:
        """Wait until the switch can connect. Raises GatewayError."""
        deadline = time.monotonic() + LISTENS_WITHIN_S
        while not _is_listening(self.port):
            if self.has_ended:
                raise self.error("has ended")
            if time.monotonic() > deadline:
                raise self.error(
                    f"does not listen at 127.0.0.1:{self.port}, where the switch looks for it, "
                    f"{LISTENS_WITHIN_S:.0f} s after its start"
                )
            time.sleep(LOOK_EVERY_S)

    def environment(self) -> dict[str, str]:
        """Return what was started, and its framework with the version, if it is an application."""
        started = {"app": self.name.removeprefix("the app ")}
        return {**started, "framework": self._framework} if self._framework else started

    def remarks(self, **others: Sequence[str]) -> str:
        """Tell also of messages that the switch refused."""
        return super().remarks(
            **{"sent messages ({n:,}) that the switch refused": refusals(self.printed()), **others}
        )


def refusals(printed: str) -> list[str]:
    """Return what the switch refused, by what `controller.process.app` has printed of it."""
    return [line.removeprefix(REFUSED) for line in printed.splitlines() if line.startswith(REFUSED)]


def _name(options: AppOptions, files: Iterable[Path]) -> str:
    if options.controller is not None:
        return f"the connection to the controller at {options.controller}"
    return f"the app {', '.join(file.name for file in files) or options.app[0]}"


def _put_into(folder: Path, files: Iterable[Path]) -> None:
    """Copy the files and all that lies beside them. Of two with one name, one that is there counts, or the first.

    What is no file, or too large, is linked.
    """
    left = 16 * MOST_COPIED
    for place in [*files, *(each for file in files for each in sorted(file.parent.iterdir()))]:
        new = folder / place.name
        if os.path.lexists(new) or place.name == "__pycache__":
            continue
        size = place.stat().st_size if place.is_file() and os.access(place, os.R_OK) else left + 1
        if size > min(left, MOST_COPIED):
            new.symlink_to(place)
        else:
            shutil.copy(place, new)
            new.chmod(new.stat().st_mode | stat.S_IRUSR | stat.S_IWUSR)
            left -= size


def _configuration(options: AppOptions, folder: Path, facts: Mapping[str, Any]) -> Path | None:
    """Write the app's configuration in place of its template, if it has one; return its path."""
    if options.app_config is None:
        return None
    template = chosen.whole(options.app_config).resolve()
    path = folder / template.name.removesuffix(".j2")
    text = wiring.filled_in(template, facts)
    path.unlink(missing_ok=True)
    path.write_text(text)
    return path


def _is_listening(port: int) -> bool:
    """Whether some process of the sandbox listens at a TCP port. Nobody connects to find out."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            rows = Path(f"/proc/thread-self/net/{table}").read_text().splitlines()[1:]
            for _, local, _, state, *_ in map(str.split, rows):
                if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                    return True
    return False
