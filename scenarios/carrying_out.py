"""Carrying out a run from outside: into the sandbox, and record by record into its result.

A signal that asks us to end breaks off what goes on in the sandbox. It never meets us while results are written:
then it waits for the next run, or for nothing if that was the last one.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, NoReturn

from controller.configuration import ConfigurationError
from scenarios.display import Live
from scenarios.resolve import Run
from scenarios.results import Folder, Result
from scenarios.sandbox.enter import enter

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked us to end; not an Exception, since nothing on the way may catch it."""


def carry_out(plan: Run, folder: Folder, *, pcap: bool) -> tuple[Result, dict[str, Any]]:
    """Carry out a run; return its result, and what was written of it. Raises MachineError if it cannot begin."""
    result = Result(plan)
    files = folder.captures() if pcap else {}
    for number in INTERRUPTIONS:
        signal.signal(number, _interrupt)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
        with Live(f"{plan.scenario} on {plan.gateway}") as live:
            for record in enter(plan.model_dump(mode="json"), captures=files):
                result.take(record)
                live.show(record)
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)  # the results are still to be written
    except Interrupted as interruption:
        result.break_off(f"interrupted by {interruption}")
        result.interrupted = True
    finally:
        for file in files.values():
            file.close()
    result.finish()
    return result, folder.write(result)


def opened(path: Path, option: str = "--out") -> Folder:
    """Make a folder for results. Raises ConfigurationError if that cannot be."""
    try:
        return Folder(path)
    except OSError as error:
        raise ConfigurationError(f"{option} {path}: {error.strerror}") from None


def _interrupt(number: int, _frame: object) -> NoReturn:
    for each in INTERRUPTIONS:
        signal.signal(each, signal.SIG_IGN)  # once is enough
    raise Interrupted(signal.Signals(number).name)
