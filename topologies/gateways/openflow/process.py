"""The controller as a process of its own, and the pair of sockets by which it answers questions.

Its event loop patches Python's standard library, so it cannot live in the process that builds the network. It is
started before the network is built, since loading the framework takes as long as building the hosts.

An allocator or a policy in it may be a stranger's. So it has no rights over the run's other processes, and sees of
`/run` a folder of its own. What it sends that no controller sends ends it, and with it the run.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import asdict
from functools import partial
from typing import Any, NoReturn

from controller.wiring import ControllerConfiguration
from topologies.gateways.base import GatewayError, GatewayPlan, SupervisedProcess
from topologies.gateways.bridge import READY_WITHIN_S
from topologies.gateways.recorder import Recorder
from topologies.gateways.strangers import NO_RIGHTS, prepare

HOST = "127.0.0.1"
"""The address at which controllers listen."""
ANSWER_WITHIN_S = 30.0
MOST_LINE = 64 << 20
"""The most bytes of a line of telemetry: a table of all mappings has some ten million."""
LONGEST_NAME = 100
"""The most characters of the name of a framework."""


def configuration(plan: GatewayPlan) -> ControllerConfiguration:
    """Return what a gateway's controller needs to know."""
    return ControllerConfiguration(
        settings=plan.settings, interfaces=plan.interfaces, mac=plan.mac, seed=plan.seed
    )


class ControllerProcess:
    """A running controller, and our end of its telemetry."""

    def __init__(self, plan: GatewayPlan, program: str = "controller") -> None:
        """Start a program: a module of that name, with the arguments of the project's own controller."""
        home = plan.folder / "controller"
        home.mkdir()
        path = home / "controller.yaml"
        configuration(plan).save(path)
        self.log = plan.folder / "controller.log"
        # A port that the machine has free, kept so by a socket that never listens: there may be other controllers.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind((HOST, 0))
        self.port = self._reserved.getsockname()[1]
        self._telemetry, theirs = socket.socketpair()
        with self.log.open("w") as log:
            port, fd = str(self.port), str(theirs.fileno())
            command = [sys.executable, "-P", "-m", program, str(path), port, fd]
            is_root = os.geteuid() == 0  # as in every sandbox
            # Its own session: Ctrl-C at a prompt is not for it.
            self.process = subprocess.Popen(
                [*NO_RIGHTS, *command] if is_root else command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(prepare, home, None) if is_root else None,
            )
        theirs.close()
        self.name = f"{plan.folder.name}'s controller"
        plan.watch(SupervisedProcess(self.name, self.process.pid, self.log))
        self.framework = "unknown"
        self.latest: dict[str, Any] = {}
        """The gauges that came last, unasked: a tenth of a second old, if this controller sends them."""
        self._listening = threading.Event()
        self._ready = threading.Event()
        self._has_ended = False
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._ids = itertools.count()
        self._asked: int | None = None
        self._recorder: Recorder | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Read without pause: a controller that cannot write would stand still. At the end, let nobody wait on."""
        try:
            with contextlib.suppress(ConnectionError), self._telemetry.makefile("rb") as lines:
                while (line := lines.readline(MOST_LINE)).endswith(b"\n") or len(line) == MOST_LINE:
                    self._take(understood(line))
        except Exception as error:  # a stranger's class may have written anything
            self._end_it(f"{type(error).__name__}: {error}")
        self._has_ended = True
        self._listening.set()
        self._ready.set()
        self._answers.put({"id": None})

    def _take(self, record: dict[str, Any]) -> None:
        """Take what the controller has sent. What nobody has asked for is not kept."""
        self.latest = record.get("gauges", self.latest)
        if self._recorder is not None:
            self._recorder.packed(record.get("events", ""), record.get("missed", 0), record.get("subscribers", []))
            self._recorder.gauges(self.latest, record.get("at", 0.0))
        if "listening" in record:
            self._listening.set()
        elif "ready" in record:
            self.framework = record["framework"]
            self._ready.set()
        elif "id" in record and record["id"] == self._asked:
            self._asked = None
            self._answers.put(record)

    def _end_it(self, why: str) -> None:
        """End the controller, and have its last words tell why. Its exit status stays where it is read.

        When this returns, its end is the first that can be seen, and the reason for all that follows.
        """
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.process.pid, signal.SIGSTOP)
            with self.log.open("a") as log:
                print(f"\n{self.name} was ended, since it sent what no controller sends: {why}", file=log)
            os.kill(self.process.pid, signal.SIGKILL)
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)

    def wait_listening(self) -> None:
        """Wait until a switch can connect: one that tries too early tries again only a second later."""
        self._wait(self._listening, "did not listen")

    def wait_ready(self) -> None:
        """Wait until the switch has the base rules."""
        self._wait(self._ready, "was not ready")

    def _wait(self, event: threading.Event, what: str) -> None:
        if not event.wait(READY_WITHIN_S):
            raise GatewayError(f"{self.name} {what} within {READY_WITHIN_S:.0f} s")
        if self._has_ended:
            raise self._end()

    def _end(self) -> GatewayError:
        last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["it has printed nothing"]
        return GatewayError(f"{self.name} has closed its telemetry: {last[0]}")

    @property
    def is_ready(self) -> bool:
        """Whether the switch has the base rules."""
        return self._ready.is_set() and not self._has_ended

    def stop(self) -> None:
        """End the controller, and free its port."""
        self.process.terminate()
        self.process.wait(READY_WITHIN_S)
        self._reserved.close()

    def record(self, recorder: Recorder) -> None:
        """Have the controller report its events, and hand them to a recorder as they come."""
        self._recorder = recorder
        self._telemetry.sendall(json.dumps({"record": asdict(recorder.plan)}).encode() + b"\n")

    def gauges(self) -> dict[str, Any]:
        """Return the controller's gauges as they are now."""
        gauges: dict[str, Any] = self.ask()["gauges"]
        return gauges

    def ask(self, **question: Any) -> dict[str, Any]:
        """Return the answer to a question; the project's own controller always answers with its gauges."""
        request = self._asked = next(self._ids)
        try:
            self._telemetry.sendall(json.dumps({"id": request, **question}).encode() + b"\n")
            while (answer := self._answers.get(timeout=ANSWER_WITHIN_S))["id"] != request:
                if self._has_ended:
                    raise self._end()
        except ConnectionError:
            raise self._end() from None
        except queue.Empty:
            raise GatewayError(f"{self.name} did not answer within {ANSWER_WITHIN_S:.0f} s") from None
        return answer


def understood(line: bytes) -> dict[str, Any]:
    """Return the record in a line of telemetry. Raises ValueError if it is none."""
    if not line.endswith(b"\n"):
        raise ValueError(f"a line of more than {MOST_LINE >> 20} MiB")
    try:
        record = json.loads(line, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("a record that is nested too deeply") from None
    if not isinstance(record, dict):
        raise ValueError(f"a {type(record).__name__} in place of a record")
    gauges, framework = record.get("gauges", {}), record.get("framework", "")
    if not isinstance(gauges, dict) or not _are_figures(gauges):
        raise ValueError("gauges that are no numbers")
    if not isinstance(framework, str) or len(framework) > LONGEST_NAME:
        raise ValueError("a framework without a name")
    if not isinstance(record.get("at", 0.0), int | float):
        raise ValueError("a time that is no number")
    return record


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} in place of a number")


def _are_figures(value: Any) -> bool:
    """Whether a value is a number, or has nothing but numbers in it. None is one that is not known."""
    if isinstance(value, dict):
        return all(map(_are_figures, value.values()))
    if isinstance(value, list):
        return all(map(_are_figures, value))
    return value is None or isinstance(value, int | float)
