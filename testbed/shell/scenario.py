"""The scenario of `lastport shell`: the lab is built, and a person acts. No list of scenarios has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from testbed.experiment.concluding import leaks
from testbed.experiment.experiment import Experiment
from testbed.experiment.judgement import Finding
from testbed.experiment.unasked import Unasked


class Shell(Unasked):
    """What does this NAT do with what you try by hand?"""

    name = "shell"

    def run(self, x: Experiment[Any]) -> None:
        """Open the prompt."""
        x.pause()
        x.account()

    def judged(self, x: Experiment[Any]) -> Iterable[Finding]:
        """Return what is found of leaks: where a person has acted, only they are the NAT's fault for certain."""
        return [leaks(x.lab)]
