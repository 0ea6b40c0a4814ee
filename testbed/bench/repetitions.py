"""Carrying out a bench: all trials in turn, once for each repetition, and the results as one object."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from controller.settings import ConfigurationError, checked, unknown_key
from testbed.bench.bench import Bench, BenchError, Measured, Sample, Trial
from testbed.bench.figures import details, ratios, rows
from testbed.bench.trials import TrialsView
from testbed.registry import BENCHES, load
from testbed.run.given import assignments
from testbed.run.live.display import Manner, shown
from testbed.run.version import origin
from testbed.sandbox.enter import MachineError

LEAST_REPETITIONS, MOST_REPETITIONS = 1, 1000


@dataclass(slots=True)
class Planned:
    """A bench that is ready to be carried out: its parameters are checked, and its trials chosen."""

    bench: type[Bench]
    parameters: Any
    trials: list[Trial]
    left_out: dict[str, str] = field(default_factory=dict)
    """The reasons why this machine cannot measure some subjects, by subject."""

    @property
    def chosen(self) -> dict[str, Any]:
        """The parameters that the user chose otherwise than by default."""
        usual: dict[str, Any] = self.bench.Parameters.model_validate({}).model_dump(mode="json")
        values: dict[str, Any] = self.parameters.model_dump(mode="json")
        return {key: value for key, value in values.items() if value != usual[key]}


def planned(name: str | None, sets: Sequence[str], repetitions: int) -> list[Planned]:
    """Decide everything before anything starts.

    Raises ConfigurationError, or MachineError if this machine can measure no subject of a bench.
    """
    if not LEAST_REPETITIONS <= repetitions <= MOST_REPETITIONS:
        raise ConfigurationError(
            f"--repetitions {repetitions} is not possible: take {LEAST_REPETITIONS} to {MOST_REPETITIONS:,}"
        )
    if name is not None and name not in BENCHES:
        raise ConfigurationError(unknown_key(name, list(BENCHES), kind="bench"))
    if name is None and sets:
        raise ConfigurationError(
            f"--set {sets[0]} is a parameter of one bench: name it, one of {', '.join(BENCHES)}"
        )
    return [_planned(load("bench", each), sets) for each in ([name] if name else BENCHES)]


def _planned(bench: type[Bench], sets: Sequence[str]) -> Planned:
    parameters = checked(bench.Parameters, assignments(sets), kind="parameter")
    for subject in parameters.subjects:
        if subject not in bench.subjects:
            raise ConfigurationError(unknown_key(subject, list(bench.subjects), kind="subject"))
    plan = Planned(bench, parameters, [])
    for trial in bench.trials(parameters):
        if parameters.subjects and trial.subject not in parameters.subjects:
            continue
        if why := plan.left_out.get(trial.subject) or trial.lacks():
            plan.left_out[trial.subject] = why
        else:
            plan.trials.append(trial)
    if not plan.trials:
        reasons = "; ".join(dict.fromkeys(plan.left_out.values()))
        raise MachineError(f"this machine can measure no subject of {bench.name}: {reasons}")
    return plan


def carried_out(plan: Planned, repetitions: int, manner: Manner = Manner.NOTHING) -> dict[str, Any]:
    """Measure, and return the object that `--json` prints. If a trial breaks, it has the rows so far."""
    begun, clock = datetime.now(UTC), time.monotonic()
    measured: list[list[Sample]] = []
    environments: list[tuple[str, dict[str, str]]] = []
    error = ""
    try:
        for trial, found, begins in _measured(plan, repetitions, manner):
            if begins:
                measured.append([])
            measured[-1].extend(found.samples)
            environments.append((trial.subject, found.environment))
    except BenchError as broken:
        error = str(broken)
    return {
        "schema": 1,
        **origin().as_json(),
        "started": begun.isoformat(timespec="seconds"),
        "duration_s": round(time.monotonic() - clock, 3),
        "bench": plan.bench.name,
        "note": plan.bench.note,
        "parameters": plan.parameters.model_dump(mode="json"),
        "environment": _described(environments),
        "repetitions": repetitions,
        "rows": rows(measured),
        "ratios": ratios(measured, plan.bench.ratios),
        "series": {"details": details(measured)},
        "left_out": plan.left_out,
        **({"error": error} if error else {}),
    }


def _measured(plan: Planned, repetitions: int, manner: Manner) -> Iterator[tuple[Trial, Measured, bool]]:
    """Measure all trials `repetitions` times. Yield each, its figures, and whether a repetition begins with it."""
    trials = TrialsView(plan.bench.name, repetitions * len(plan.trials))
    with shown(trials, manner) as display:
        for _, (place, trial) in itertools.product(range(repetitions), enumerate(plan.trials)):
            display.change(partial(trials.begin, trial.title))
            yield trial, trial.measure(), place == 0
        display.change(trials.end)


def _described(environments: Sequence[tuple[str, dict[str, str]]]) -> dict[str, str]:
    """Join the descriptions of where subjects ran. A fact that differs has the subject's name behind its key."""
    facts: dict[str, dict[str, str]] = {}
    for subject, environment in environments:
        for key, fact in environment.items():
            facts.setdefault(key, {})[subject] = fact
    subjects = {subject for subject, _ in environments}
    described = {}
    for key, by_subject in facts.items():
        if set(by_subject) == subjects and len(set(by_subject.values())) == 1:
            described[key] = next(iter(by_subject.values()))
        else:
            described |= {f"{key} ({subject})": fact for subject, fact in by_subject.items()}
    return described
