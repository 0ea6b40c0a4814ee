"""A trial in a network of its own: a scenario that measures, and runs in a sandbox as any other does.

It reports its figures as the series `samples`. What every run checks is checked here too: the speed of a NAT that
lets packets out untranslated does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed.bench.bench import BenchError, BreakOffError, Measured, Sample
from testbed.experiment.plan import Run
from testbed.run import doctor
from testbed.run.choices import Choices
from testbed.run.launch import follow
from testbed.run.resolve import resolve
from testbed.sandbox.enter import MachineError


@dataclass(frozen=True, slots=True)
class LabTrial:
    """A trial that is one run of a scenario in a sandbox."""

    subject: str
    run: Run
    title: str

    def lacks(self) -> str:
        """Return the reason why this machine cannot run the trial, or an empty string."""
        try:
            doctor.require(0, needs=self.run.needs)
        except MachineError as error:
            return str(error)
        return ""

    def measure(self) -> Measured:
        """Run it. Raises BenchError if it broke, or if a check failed."""
        result = follow(self.run, lambda record: None, captures={})
        if result.interrupted:
            raise BreakOffError(result.error)
        failed = [check for check in result.checks if not check["ok"]]
        if result.error or failed:
            why = result.error or "; ".join(
                f"{check['claim']}: expected {check['expected']}, observed {check['observed']}" for check in failed
            )
            raise BenchError(f"{self.title}: {why}\n{result.last_words}".strip())
        samples = [Sample(self.subject, **sample) for sample in result.series["samples"]]
        return Measured(samples, result.environment)


def lab_trial(
    subject: str, *, scenario: str, gateway: str, sets: Mapping[str, Any], title: str, profile: str = "plain"
) -> LabTrial:
    """Decide everything about one trial. Raises ConfigurationError."""
    choices = Choices(profile=profile, sets=[f"{key}={value}" for key, value in sets.items()])
    run = resolve(scenario, gateway, choices, datapath=doctor.datapath())
    return LabTrial(subject, run, title)
