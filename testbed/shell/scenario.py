"""The scenario of `lastport shell`: the lab is built, and a person acts. No list of scenarios has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from controller.settings import MARKS, Settings
from testbed.experiment.concluding import leaks
from testbed.experiment.demand import Demand
from testbed.experiment.experiment import Experiment
from testbed.experiment.judgement import Finding
from testbed.experiment.parameters import Parameters
from testbed.experiment.scenario import Scenario


class Shell(Scenario[Parameters]):
    """What does this NAT do with what you try by hand?"""

    name = "shell"
    wire_is_read = False
    nats_beside = True
    nats_may_differ = True
    reckons_with = tuple(MARKS)

    @classmethod
    def demand(cls, parameters: Parameters, settings: Settings) -> Demand:
        """Return that nothing is asked of the NAT beforehand."""
        return Demand(shares=())

    def run(self, x: Experiment[Any]) -> None:
        """Open the prompt."""
        x.pause()
        x.account()

    def judged(self, x: Experiment[Any]) -> Iterable[Finding]:
        """Return what is found of leaks: where a person has acted, only they are the NAT's fault for certain."""
        return [leaks(x.lab)]
