"""Carrying out a run from outside the sandbox, and gathering its result record by record.

A signal that asks this process to end breaks the run off. If it comes while results are written, it takes effect
when they are written, and breaks the next run off, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from controller.settings import ConfigurationError
from testbed.experiment import link_conditions
from testbed.experiment.plan import Run
from testbed.run import outside, strangers
from testbed.run.cables import Cables
from testbed.run.folder import LOG, Folder
from testbed.run.guest import Guest, Open
from testbed.run.interruptions import Interrupted
from testbed.run.live.display import Manner, shown
from testbed.run.live.view import RunView
from testbed.run.naming import title
from testbed.run.nat_log import keep_logs
from testbed.run.recorder import Recorder
from testbed.run.reported import checked
from testbed.run.results import Result
from testbed.sandbox.enter import MachineError, enter
from topologies.gateways.strangers import MOST_LOG, is_full
from topologies.network import qdiscs
from topologies.network.sysctls import OF_THE_MACHINE, read_sysctls

RUNNER = "testbed.run.inside:run"
"""The function that runs inside the sandbox, by its name."""
CABLES = "cables"
"""The name of the namespace with ways into interfaces of the machine."""


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


PROMPTS = ("prompt", "prompt_ended")
"""The kinds of records about a prompt: it begins, and it is over."""
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
    guest: Guest | None = None,
) -> tuple[Result, dict[str, Any]]:
    """Carry out a run; return its result, and the object that was written. Raises MachineError if it cannot begin.

    Meanwhile it is shown in a `manner`; as one of several, if it has a `place` among them. A folder that cannot be
    written any more, since the disk is full or the folder gone, costs no verdict. A `guest` takes part in it.
    """
    guest = guest or Guest()
    guest.interruptions.install()  # before a terminal's cursor is hidden
    try:
        files = _opened(folder, plan, pcap=pcap)
    except (ConfigurationError, MachineError):
        folder.abandon()
        raise
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
                begins, ends = (record["kind"] == kind for kind in PROMPTS)
                if begins:
                    display.be_silent(True)
                guest.see(record)
                if ends:
                    display.be_silent(False)
                display.change(lambda now: view.take(record, now))

            is_watched = manner is not Manner.NOTHING or watch is not None
            result = follow(plan, show, captures=files, recorder=recorder, is_watched=is_watched, guest=guest)
            display.change(lambda now: view.end(result, now))
    finally:
        recorder.close()
        viewer.close()
        for file in files.values():
            file.close()
        folder.recorded()
        folder.captured()  # where the run cannot begin, none of them stays in the way of the next one
    if result.error and is_full(folder.path / LOG):
        result.error += f"; it had printed all of the {MOST_LOG >> 20} MiB that {LOG} may have"
    guest.complete(result)
    result.unrecorded = result.unrecorded or keep_logs(plan, folder)
    try:
        return result, folder.write(result)
    except OSError as error:
        result.unkept = f"the results could not be written to {folder.path}: {error.strerror}"
        return result, result.as_json({})


def _opened(folder: Folder, plan: Run, *, pcap: bool) -> dict[str, Open]:
    """Open what the run writes to or is connected to, besides its records. Raises ConfigurationError."""
    reached: Mapping[str, Open] = outside.connected(plan, folder)
    if plan.cables:
        reached = {**reached, CABLES: _taken(plan)}
    try:
        logs = {LOG: folder.log()} if plan.programs or reached else {}
        return {**reached, **(folder.captures() if pcap else {}), **logs}
    except OSError as error:
        raise ConfigurationError(f"--out {folder.path}: {Path(error.filename).name}: {error.strerror}") from None


def _taken(plan: Run) -> Cables:
    """Return the ways into the interfaces of the machine that the gateway needs."""
    if files := strangers.files_among(plan.names):
        raise ConfigurationError(
            f"{files[0]} is a file of one's own, and a run with one is walled in: it has no way to interfaces of "
            "the machine; leave it out, or take another --gateway"
        )
    return Cables(plan.cables)


def follow(
    plan: Run,
    show: Callable[[dict[str, Any]], None],
    *,
    captures: Mapping[str, Open],
    recorder: Recorder | None = None,
    is_watched: bool = False,
    guest: Guest | None = None,
) -> Result:
    """Carry out a run, show each record, and record it if there is a recorder.

    `captures` are open files for the frames of each side, with what else the sandbox gets open: `_opened`.

    With `is_watched`, the records have the gauges of each gateway, a few times a second. Raises MachineError if it
    cannot begin.
    """
    guest = guest or Guest()
    interruptions = guest.interruptions
    interruptions.install()
    if link_conditions.are_any(plan.parameters):
        qdiscs.load()
    result = Result(plan)
    result.machine["sysctls_of_the_machine"] = read_sysctls(OF_THE_MACHINE)
    try:
        since = recorder.started if recorder else None
        job = {**plan.model_dump(mode="json"), "recorded_since": since, "is_watched": is_watched}
        files = {**captures, **guest.files}
        for record in enter(job, RUNNER, files=files, walled=strangers.walled(plan, guest.shown)):
            if record["kind"] == "entered":
                interruptions.heed()  # not before: Python loses an exception that is raised while it forks
            reported = checked(record)
            result.take(reported)
            show(reported)
            if recorder is not None:
                recorder.take(reported, result)
            if reported["kind"] == "broken":
                break
        interruptions.defer()
    except Interrupted as interruption:
        result.break_off(f"interrupted by {interruption}")
        result.interrupted = True
    finally:
        interruptions.defer()
    result.finish()
    if recorder is not None:
        recorder.end(result)
    return result
