"""Somebody's controller as a process of its own, in the sandbox, with no rights and a folder for itself.

The folder has links to all that lies beside the app, so that modules and files are found by their names, and what
the app writes there is gone with the sandbox. What the process prints is the run's `app.log`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from topologies.gateways.app import options as chosen
from topologies.gateways.app import wiring
from topologies.gateways.app.options import AppOptions
from topologies.gateways.base import GatewayError, GatewayPlan, SupervisedProcess

LISTENS_WITHIN_S = 30.0
LOOK_EVERY_S = 0.02
NO_RIGHTS = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
"""Before a command: it has no rights over interfaces, other processes, or the hosts' namespaces."""
LOG, CONTROLLER = "app.log", "controller"
"""The names of what a run has open for it: its log, and a connection to a controller that runs already."""
LISTENING = "0A"
TRACEBACK = "Traceback (most recent call last):"
REFUSED = "the switch refused a message, "
MOST_LOG = 64 << 20


class Program:
    """The running controller. `port` is where it listens, in the sandbox."""

    def __init__(self, plan: GatewayPlan, facts: Mapping[str, Any]) -> None:
        options = plan.options
        assert isinstance(options, AppOptions)
        self.port: int = facts["listen_port"]
        self.log = Path(f"/proc/self/fd/{plan.files[LOG]}") if LOG in plan.files else plan.folder / LOG
        files = chosen.applications(options.app)
        self.name = _name(options, files)
        self._framework = ""
        folder = plan.folder / "app"
        folder.mkdir()
        _link(folder, files)
        environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(folder),
            wiring.VARIABLE: str(wiring.write(facts, folder)),
        }
        config = _configuration(options, folder, facts)
        if config is not None:
            environment[wiring.CONFIG_VARIABLE] = str(config)
        passed: list[int] = []
        if options.controller is not None:
            passed = [plan.files[CONTROLLER]]
            command = [sys.executable, "-P", "-m", "topologies.gateways.app.relay", str(passed[0]), str(self.port)]
        elif files:
            environment["LASTPORT_FRAMEWORK"] = framework = chosen.framework(files)
            self._framework = f"{framework} {importlib.metadata.version(framework)}"
            command = [sys.executable, "-P", "-m", "controller.process.app", str(self.port), str(folder)]
            command = [*NO_RIGHTS, *command, *(file.stem for file in files)]
            environment["PYTHONPATH"] = _paths(str(Path(__file__).parents[3]), environment.get("PYTHONPATH", ""))
        else:
            words = chosen.command(options.app)
            command = [*NO_RIGHTS, *(word.format_map(_Facts(facts)) for word in words)]
            environment["PYTHONPATH"] = _paths(str(folder), environment.get("PYTHONPATH", ""))
        log = plan.files[LOG] if LOG in plan.files else os.open(self.log, os.O_WRONLY | os.O_CREAT)
        self.process = subprocess.Popen(
            command,
            cwd=None if options.controller is not None else folder,
            env=environment,
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        plan.watch(self.supervised)

    @property
    def supervised(self) -> SupervisedProcess:
        """The process, whose end is the end of the run."""
        return SupervisedProcess(self.name, self.process.pid, self.log)

    def wait_listening(self) -> None:
        """Wait until the switch can connect. Raises GatewayError."""
        deadline = time.monotonic() + LISTENS_WITHIN_S
        while not _is_listening(self.port):
            if self.process.poll() is not None:
                raise GatewayError(f"{self.name} has ended: {self.last_words()}")
            if time.monotonic() > deadline:
                raise GatewayError(
                    f"{self.name} does not listen at 127.0.0.1:{self.port}, where the switch looks for it, "
                    f"{LISTENS_WITHIN_S:.0f} s after its start; its last words: {self.last_words()}"
                )
            time.sleep(LOOK_EVERY_S)

    def last_words(self) -> str:
        """Return the last line that it printed."""
        lines = self._printed().strip().splitlines()
        return lines[-1] if lines else "it has printed nothing"

    def environment(self) -> dict[str, str]:
        """Return what was started, and its framework with the version, if it is an application."""
        started = {"app": self.name.removeprefix("the app ")}
        return {**started, "framework": self._framework} if self._framework else started

    def remarks(self) -> str:
        """Return in sentences what its log has of exceptions, and of messages that the switch refused."""
        printed = self._printed()
        told = [
            f"{self.name} {what.format(n=len(lines))}. The first: {lines[0]}."
            for what, lines in (
                ("raised exceptions ({n:,}) and went on", exceptions(printed)),
                ("sent messages ({n:,}) that the switch refused", refusals(printed)),
            )
            if lines
        ]
        return " ".join([*told, "app.log has all that it printed."]) if told else ""

    def _printed(self) -> str:
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            return file.read(MOST_LOG).decode(errors="replace")
        return ""


class _Facts(dict[str, Any]):
    """The facts for a command. Words in braces that are none stay as they are."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def exceptions(printed: str) -> list[str]:
    """Return the last line of each traceback in what a Python program has printed, with the line of the code."""
    found, place, inside = [], "", False
    for line in printed.splitlines():
        if line.strip() == TRACEBACK or line.endswith(TRACEBACK):
            inside, place = True, ""
        elif inside and (frame := re.match(r'\s+File "([^"]+)", line (\d+)', line)):
            place = f"{Path(frame[1]).name}:{frame[2]}"
        elif inside and line and not line[0].isspace():
            found.append(f"{line} ({place})" if place else line)
            inside = False
    return found


def refusals(printed: str) -> list[str]:
    """Return what the switch refused, by what `controller.process.app` has printed of it."""
    return [line.removeprefix(REFUSED) for line in printed.splitlines() if line.startswith(REFUSED)]


def _name(options: AppOptions, files: Iterable[Path]) -> str:
    if options.controller is not None:
        return f"the connection to the controller at {options.controller}"
    return f"the app {', '.join(file.name for file in files) or options.app[0]}"


def _link(folder: Path, files: Iterable[Path]) -> None:
    """Make links to the files and to all that lies beside them. Of two with one name the first counts."""
    for place in [*files, *(each for file in files for each in sorted(file.parent.iterdir()))]:
        link = folder / place.name
        if not os.path.lexists(link) and place.name != "__pycache__":
            link.symlink_to(place)


def _configuration(options: AppOptions, folder: Path, facts: Mapping[str, Any]) -> Path | None:
    """Write the app's configuration in place of its template, if it has one; return its path."""
    if options.app_config is None:
        return None
    template = Path(options.app_config).resolve()
    path = folder / template.name.removesuffix(".j2")
    text = wiring.filled_in(template, facts)
    path.unlink(missing_ok=True)
    path.write_text(text)
    return path


def _paths(*paths: str) -> str:
    return os.pathsep.join(filter(None, paths))


def _is_listening(port: int) -> bool:
    """Whether some process of the sandbox listens at a TCP port. Nobody connects to find out."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            rows = Path(f"/proc/thread-self/net/{table}").read_text().splitlines()[1:]
            for _, local, _, state, *_ in map(str.split, rows):
                if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                    return True
    return False
