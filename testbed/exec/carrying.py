"""Carrying out `lastport exec`: a run in which programs of a user's own are what happens."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

from testbed.exec.account import sentences
from testbed.exec.conducting import Conductor
from testbed.experiment.plan import Run
from testbed.run.console import discard
from testbed.run.folder import Folder
from testbed.run.launch import Watch, carry_out
from testbed.run.results import Result
from testbed.run.terminal import lacking, unseen
from testbed.sandbox.program import SIGNALLED


def exec_in(
    plan: Run, folder: Folder, conductor: Conductor, *, pcap: bool, watch: Watch | None
) -> tuple[int, dict[str, Any]]:
    """Carry out the run, print its account, and return the exit status with the results that were written.

    Raises MachineError if it cannot begin.
    """
    try:
        result, written = carry_out(plan, folder, pcap=pcap, watch=watch, guest=conductor)
    finally:
        conductor.wait()
        if conductor.terminal:
            conductor.terminal.restore()
    try:
        for sentence in _told(result, conductor, str(folder.path)):
            print(f"lastport: {sentence}", file=sys.stderr)
    except OSError:  # the status is the programs' all the same
        discard(sys.stderr)
    if result.interrupted:
        return SIGNALLED + signal.Signals[result.error.split()[-1]], written
    return conductor.status, written


def _told(result: Result, conductor: Conductor, folder: str) -> Iterator[str]:
    yield from conductor.complaints
    if conductor.is_timed_out:
        yield "the time of --timeout was over"
    yield from sentences(conductor.accounts)
    for service, why in result.series.get("services_lacking", {}).items():
        yield f"no {service} outside: {why}"
    yield from map(_sentence, (*lacking(result.series), *unseen(result.series)))
    if result.unrecorded:
        yield result.unrecorded
    if result.error:
        yield f"the run broke: {result.error}"
        if result.last_words:
            yield result.last_words
    yield f"{_judged(result)}; {result.unkept or f'results in {folder}'}"


def _sentence(text: str) -> str:
    return text[0].lower() + text[1:].removesuffix(".")


def _judged(result: Result) -> str:
    """Return what was found of leaks and sharing."""
    checks = {check["key"]: check for check in result.checks}
    names = {"leaks": ("no leak", "LEAKED: {:,} packets"), "sharing": ("no sharing", "SHARED: {:,} times")}
    told = [
        names[key][0] if checks[key]["ok"] else names[key][1].format(checks[key]["observed"])
        for key in names
        if key in checks
    ]
    return ", ".join(told) or "nothing is known of leaks and sharing"
