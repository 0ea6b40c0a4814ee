"""Subscribers of several classes on the wire: a plan of `lastport plan --set subscribers=N`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from controller.settings import Settings
from testbed.experiment.experiment import Experiment
from testbed.plan.parameters import PlanParameters
from testbed.plan.shrunk import divided
from testbed.plan.workload import Population, populations
from testbed.replay.course import Course, Foreseen, foreseen, of_subscribers
from testbed.replay.figures import Figure, exactly
from testbed.replay.many import ManyParameters, ReplayMany


class OfSubscribers(ManyParameters):
    """Subscribers, as a plan has them."""

    plan: dict[str, Any] = Field({}, description="the plan's parameters")
    formulas: dict[str, float] = Field({}, description="the shares that formulas have for the plan")

    @property
    def chosen(self) -> PlanParameters:
        """The plan's parameters."""
        return PlanParameters.model_validate(self.plan)

    @property
    def populations(self) -> list[Population]:
        """The subscribers of the lab."""
        return divided(populations(self.chosen), self.size)

    def inside(self, settings: Settings) -> int:
        """Return an address for each of them."""
        return sum(each.count for each in self.populations)


class ReplaySubscribers(ReplayMany[OfSubscribers]):
    """Does the wire refuse subscribers what the plan has said?"""

    name = "plan-subscribers"

    def about(self, x: Experiment[OfSubscribers]) -> str:
        """Return how many subscribers were planned, and how many the lab has."""
        parameters = x.parameters
        planned = f"The plan has {parameters.chosen.subscribers:,} subscribers."
        if parameters.size == 1:
            return f"{planned} All of them are in the lab."
        counts = ", ".join(f"{each.count:,} {each.of.name}" for each in parameters.populations)
        parts = [
            f" The {now.of.name} one does {parameters.size * before.count:.0%} of the work of one of the plan, "
            "with the quota of a whole one."
            for before, now in zip(populations(parameters.chosen), parameters.populations, strict=True)
            if parameters.size * before.count < 0.5
        ]
        return (
            f"{planned} The lab has {100 * parameters.size:.3g} % of their attempts, of the ports and of common "
            f"limits. These attempts are made by {counts} ones.{''.join(parts)}"
        )

    def course(self, x: Experiment[OfSubscribers]) -> Course:
        """Return what the subscribers do."""
        parameters = x.parameters
        return of_subscribers(parameters.chosen, parameters.populations, parameters.pace, x.lab.seed)

    def foreseen(self, x: Experiment[OfSubscribers]) -> Foreseen:
        """Simulate the same subscribers for as long as the plan has watched them."""
        parameters, again = x.parameters, self.course(x)
        until = parameters.warm_up + parameters.chosen.duration * parameters.pace
        return foreseen(again, x.settings.for_nat(), x.lab.seed, warm_up=parameters.warm_up, until=until)

    def planned(self, x: Experiment[OfSubscribers], foreseen: Foreseen) -> Iterator[Figure]:
        """Yield formulas, the plan's own share, and the one of the lab's size and pace."""
        for name, share in x.parameters.formulas.items():
            yield exactly(name, share)
        if x.parameters.planned is not None:
            yield exactly("the plan's simulation", x.parameters.planned)
        yield Figure("simulation at this size and pace", foreseen.means.share, *foreseen.means.interval)
