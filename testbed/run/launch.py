"""Carrying out a run from outside the sandbox, and gathering its result record by record.

A signal that asks this process to end breaks the run off. If it comes while results are written, it takes effect
when they are written, and breaks the next run off, if there is one.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

from controller.settings import ConfigurationError
from testbed.experiment.plan import Run
from testbed.run import strangers
from testbed.run.folder import LOG, Folder
from testbed.run.live.display import Manner, shown
from testbed.run.live.view import RunView
from testbed.run.naming import title
from testbed.run.nat_log import keep_logs
from testbed.run.recorder import Recorder
from testbed.run.reported import checked
from testbed.run.results import Result
from testbed.sandbox.enter import enter
from topologies.network.sysctls import OF_THE_MACHINE, read_sysctls

RUNNER = "testbed.run.inside:run"
"""The function that runs inside the sandbox, by its name."""
CONTROLLER = "controller"
"""The name of the connection to a controller that runs already."""
CONNECTED_WITHIN_S = 5.0
Open = IO[bytes] | socket.socket
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked this process to end. It is no Exception, since nothing on the way may catch it."""


class _Interruptions:
    """The handler of signals: it breaks a run off while that is possible, and else remembers the first signal."""

    def __init__(self) -> None:
        self._may_break_off = False
        self._first: signal.Signals | None = None

    def install(self) -> None:
        """Handle the signals from now on, but for those that this process was started to ignore, as by nohup."""
        for number in INTERRUPTIONS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self)

    def heed(self) -> None:
        """Let a signal raise Interrupted from now on, once. If one came before, raise it here."""
        self._may_break_off = True
        if self._first is not None:
            self._break_off()

    def defer(self) -> None:
        """Only remember a signal from now on."""
        self._may_break_off = False

    def __call__(self, number: int, _frame: object) -> None:
        """Handle a signal: break the run off, or remember the signal for later."""
        if self._first is None:
            self._first = signal.Signals(number)
            if self._may_break_off:
                self._break_off()

    def _break_off(self) -> NoReturn:
        self._may_break_off = False
        assert self._first is not None
        raise Interrupted(self._first.name)


_interruptions = _Interruptions()


class Viewer(Protocol):
    """What gets the bytes of a run's recording as they come. It never raises and never waits."""

    def write(self, recorded: bytes, /) -> None:
        """Take the next bytes."""

    def close(self) -> None:
        """Take note that the run is over."""


class _Nobody:
    """The viewer of a run that nobody watches."""

    def write(self, _recorded: bytes, /) -> None:
        pass

    def close(self) -> None:
        pass


Watch = Callable[[Run], Viewer]
"""What is asked for a viewer when a run begins."""


def carry_out(
    plan: Run,
    folder: Folder,
    *,
    pcap: bool,
    manner: Manner = Manner.NOTHING,
    place: str = "",
    watch: Watch | None = None,
) -> tuple[Result, dict[str, Any]]:
    """Carry out a run; return its result, and the object that was written. Raises MachineError if it cannot begin.

    Meanwhile it is shown in a `manner`; as one of several, if it has a `place` among them. A folder that cannot be
    written any more, since the disk is full or the folder gone, costs no verdict.
    """
    _interruptions.install()  # before a terminal's cursor is hidden
    files = _opened(folder, plan, pcap=pcap)
    viewer = watch(plan) if watch else _Nobody()
    recorder = Recorder(plan, folder, follow=viewer.write)
    try:
        view = RunView(
            title(plan.scenario, plan.gateway, plan.chosen),
            place=place,
            ports={name: settings.port_count for name, settings in plan.gateways.items()},
            shared={name for name, settings in plan.gateways.items() if settings.port_overlapping != "off"},
        )
        with shown(view, manner) as display:

            def show(record: dict[str, Any]) -> None:
                display.change(lambda now: view.take(record, now))

            is_watched = manner is not Manner.NOTHING
            result = follow(plan, show, captures=files, recorder=recorder, is_watched=is_watched)
            display.change(lambda now: view.end(result, now))
    finally:
        recorder.close()
        viewer.close()
        for file in files.values():
            file.close()
        folder.recorded()
        folder.captured()  # where the run cannot begin, none of them stays in the way of the next one
    result.unrecorded = result.unrecorded or keep_logs(plan, folder)
    try:
        return result, folder.write(result)
    except OSError as error:
        result.unkept = f"the results could not be written to {folder.path}: {error.strerror}"
        return result, result.as_json({})


def _opened(folder: Folder, plan: Run, *, pcap: bool) -> dict[str, Open]:
    """Open what the run writes to or is connected to, besides its records. Raises ConfigurationError."""
    outside: dict[str, Open] = {CONTROLLER: _reached(plan.reaches)} if plan.reaches else {}
    try:
        logs = {LOG: folder.log()} if plan.programs or plan.reaches else {}
        return {**outside, **(folder.captures() if pcap else {}), **logs}
    except OSError as error:
        raise ConfigurationError(f"--out {folder.path}: {Path(error.filename).name}: {error.strerror}") from None


def _reached(place: str) -> socket.socket:
    """Return a connection to what the gateway is to reach outside of the sandbox, which has another network."""
    _, host, port = place.split(":")
    try:
        return socket.create_connection((host, int(port)), CONNECTED_WITHIN_S)
    except OSError as error:
        raise ConfigurationError(
            f"setting controller={place}: nothing answers there ({error.strerror or error}); start the controller "
            "first"
        ) from None


def follow(
    plan: Run,
    show: Callable[[dict[str, Any]], None],
    *,
    captures: Mapping[str, Open],
    recorder: Recorder | None = None,
    is_watched: bool = False,
) -> Result:
    """Carry out a run, show each record, and record it if there is a recorder.

    `captures` are open files for the frames of each side, with what else the sandbox gets open: `_opened`.

    With `is_watched`, the records have the gauges of each gateway, a few times a second. Raises MachineError if it
    cannot begin.
    """
    _interruptions.install()
    result = Result(plan)
    result.machine["sysctls_of_the_machine"] = read_sysctls(OF_THE_MACHINE)
    try:
        since = recorder.started if recorder else None
        job = {**plan.model_dump(mode="json"), "recorded_since": since, "is_watched": is_watched}
        for record in enter(job, RUNNER, files=captures, walled=strangers.walled(plan)):
            if record["kind"] == "entered":
                _interruptions.heed()  # not before: Python loses an exception that is raised while it forks
            reported = checked(record)
            result.take(reported)
            show(reported)
            if recorder is not None:
                recorder.take(reported, result)
            if reported["kind"] == "broken":
                break
        _interruptions.defer()
    except Interrupted as interruption:
        result.break_off(f"interrupted by {interruption}")
        result.interrupted = True
    finally:
        _interruptions.defer()
    result.finish()
    if recorder is not None:
        recorder.end(result)
    return result
