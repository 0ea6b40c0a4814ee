"""Carrying out the runs of all pairs, several at once, and gathering what they showed in one matrix.

What a run is about is in its series `pair`: the words that the scenario's model foresees, of which several are
possible where a race decides, and the word for what was observed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.compare.comparison import Comparison, Reporter, beginning, worst
from testbed.compare.pairs import Pair, Side
from testbed.compare.showed import showed
from testbed.run.at_once import answers, at_once
from testbed.run.exit_status import ExitStatus
from testbed.run.folder import Folder
from testbed.run.kept import COMPARISON
from testbed.run.launch import carry_out
from testbed.run.opening import opened
from testbed.sandbox.enter import MachineError

SERIES = "pair"
"""The series of a run that has what is foreseen and observed."""


def carry_out_all(
    both: Sequence[Side],
    pairs: Sequence[Pair],
    folder: Folder,
    *,
    pcap: bool,
    report: Reporter,
    progress: Callable[[int, Pair, Mapping[str, Any]], None],
) -> Comparison:
    """Carry out the run of every pair, several at once, and keep every result with the matrix of them.

    After an interruption, the results so far are kept. `progress` is called with the number of runs that are done,
    the pair, and what its run has written.
    """
    begun = beginning()
    able = {place: pair for place, pair in enumerate(pairs) if pair.planned.run is not None}
    runs = {place: pair.planned.cannot() for place, pair in enumerate(pairs) if place not in able}
    statuses = {place: pairs[place].planned.fault for place in runs}
    works = [partial(_carried_out, pair, folder.path, pcap, report) for pair in able.values()]
    for done, (number, answer) in enumerate(answers(works, at_once()), 1):
        place = [*able][number]
        runs[place], statuses[place] = answer or _died(pairs[place])
        progress(done, pairs[place], runs[place])
    in_order = {place: runs[place] for place in sorted(runs)}
    asked = [{**row, "showed": {}} for row in showed([*in_order.values()])]
    compared = {
        **begun,
        "scenarios": asked,
        "runs": [*in_order.values()],
        "differences": [],
        "pairs": told(both, pairs, in_order),
    }
    unkept = folder.keep(COMPARISON, json.dumps(compared, indent=2) + "\n")
    worst_ = worst(compared["runs"], [statuses[place] for place in in_order])
    return Comparison(compared, worst_, len(pairs) - len(runs), unkept)


def _carried_out(pair: Pair, path: Path, pcap: bool, report: Reporter) -> tuple[dict[str, Any], ExitStatus]:
    """Carry out the run of a pair, in a process of its own."""
    assert pair.planned.run is not None
    try:
        folder = opened(path / pair.folder)
        result, written = carry_out(pair.planned.run, folder, pcap=pcap)
    except (MachineError, ConfigurationError) as error:
        broke = isinstance(error, ConfigurationError)
        status = ExitStatus.BROKE if broke else ExitStatus.MACHINE_LACKS
        return replace(pair.planned, run=None, reason=str(error)).cannot(), status
    if not result.unkept:
        report(folder, written)
    return written, result.status


def _died(pair: Pair) -> tuple[dict[str, Any], ExitStatus]:
    reason = "the process that carried it out has ended"
    return replace(pair.planned, run=None, reason=reason).cannot(), ExitStatus.BROKE


def told(both: Sequence[Side], pairs: Sequence[Pair], runs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the matrix for the results; `runs` are those that were begun, by their pairs' places."""
    return {
        "sides": [side.as_json() for side in both],
        "cells": [_cell(pairs[place], number, runs[place]) for number, place in enumerate(sorted(runs))],
    }


def _cell(pair: Pair, number: int, run: Mapping[str, Any]) -> dict[str, Any]:
    found = run.get("series", {}).get(SERIES, {})
    return {
        "behaviours": [*pair.behaviours],
        "foreseen": found.get("foreseen", []),
        "observed": found.get("observed"),
        "verdict": run["verdict"],
        "run": number,
    }
