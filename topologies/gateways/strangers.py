"""A stranger's program as a process of a gateway: it is watched, and what it prints is the run's `app.log`.

One that has a `home` sees of `/run` nothing else, so no socket of the switches, and has few variables of our
environment. What Python programs print of exceptions is found in the log, wherever in it they stand.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from topologies.gateways.base import GatewayError, GatewayPlan, SupervisedProcess
from topologies.network.namespaces import Namespace, show_own_interfaces, show_own_run

LOG = "app.log"
"""The name of the log among what a run has open."""
TRACEBACK = "Traceback (most recent call last):"
MOST_LOG = 64 << 20
"""The most bytes of the log. A program that prints more gets an error from its kernel, EFBIG."""
MOST_MEMORY = 4 << 30
"""The most bytes of memory of the program, mapped or used. Half the machine's are the whole run's."""
NO_RIGHTS = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
"""Before a command: it has no rights over interfaces, other processes, or the hosts' namespaces."""
LAST_BYTES = 2000
PASSED = ("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ")
"""The variables of our environment that a program gets."""
LIBRARY = re.compile(r"/(site|dist)-packages/|/lib/python\d|^<")
"""What the path of a library's code has in it."""


class StrangersProcess:
    """A running program, by the `name` that sentences about it have."""

    def __init__(
        self,
        plan: GatewayPlan,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        home: Path | None = None,
        namespace: Namespace | None = None,
        passed: Sequence[int] = (),
    ) -> None:
        """Start a command: a stranger's in its `home`, a working folder of its own; in a network namespace."""
        self.name = name
        self.log = Path(f"/proc/self/fd/{plan.files[LOG]}") if LOG in plan.files else plan.folder / LOG
        log = plan.files[LOG] if LOG in plan.files else os.open(self.log, os.O_WRONLY | os.O_CREAT)
        ours = {name: os.environ[name] for name in PASSED if name in os.environ}
        at_home = {} if home is None else {"HOME": str(home)}
        with contextlib.nullcontext() if namespace is None else namespace.entered():
            self.process = subprocess.Popen(
                command,
                env={**ours, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **at_home, **environment},
                pass_fds=passed,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(prepare, home, namespace),
            )
        plan.watch(self.supervised)

    @property
    def supervised(self) -> SupervisedProcess:
        """The process, whose end is the end of the run."""
        return SupervisedProcess(self.name, self.process.pid, self.log)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended. Its exit status stays where the run's supervisor reads it."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def error(self, what: str) -> GatewayError:
        """Return an error: what the program did, with the last that it has printed."""
        return GatewayError(
            f"{self.name} {what}", printed=self.printed(LAST_BYTES).strip() or "it has printed nothing"
        )

    def printed(self, last: int = MOST_LOG) -> str:
        """Return the `last` bytes of what it has printed so far."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - last))
            return file.read(last).decode(errors="replace")
        return ""

    def remarks(self, **others: Sequence[str]) -> str:
        """Return in sentences what its log has of exceptions, and lines of `others` by what they are."""
        kinds = {"raised exceptions ({n:,}) and went on": exceptions(self.printed()), **others}
        told = [
            f"{self.name[0].upper()}{self.name[1:]} {what.format(n=len(lines))}. The first: {lines[0]}."
            for what, lines in kinds.items()
            if lines
        ]
        told += [f"{LOG} has all that it printed."] if told else []
        told += [f"It printed all of the {MOST_LOG >> 20} MiB that {LOG} may have."] if is_full(self.log) else []
        return " ".join(told)


def prepare(home: Path | None, namespace: Namespace | None) -> None:
    """Have this process see its own interfaces, and nothing of `/run` but its `home`; and limit it."""
    if home is not None:
        if namespace is not None:
            show_own_interfaces()
        show_own_run(home)
    for kind, most in ((resource.RLIMIT_FSIZE, MOST_LOG), (resource.RLIMIT_DATA, MOST_MEMORY)):
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def is_full(log: Path) -> bool:
    """Whether a log has all the bytes that it may have, so that its program cannot print any more."""
    try:
        return log.stat().st_size >= MOST_LOG
    except OSError:
        return False


def exceptions(printed: str) -> list[str]:
    """Return the last line of each traceback in what a Python program has printed, with the line of the code.

    It is the program's own line, and that of a library if there is no other.
    """
    found, place, inside, is_own = [], "", False, False
    for line in printed.splitlines():
        if line.strip() == TRACEBACK or line.endswith(TRACEBACK):
            inside, place, is_own = True, "", False
        elif inside and (frame := re.match(r'\s+File "([^"]+)", line (\d+)', line)):
            was_own, is_own = is_own, is_own or not LIBRARY.search(frame[1])
            if not was_own or not LIBRARY.search(frame[1]):
                place = f"{Path(frame[1]).name}:{frame[2]}"
        elif inside and line and not line[0].isspace():
            found.append(f"{line} ({place})" if place else line)
            inside = False
    return found
