"""The base of what a command has in place of a scenario: somebody else decides what happens in the network."""

from __future__ import annotations

from controller.settings import MARKS, Settings
from testbed.experiment.demand import Demand
from testbed.experiment.parameters import Parameters
from testbed.experiment.scenario import Scenario


class Unasked(Scenario[Parameters]):
    """No question. So any setting and any network is possible, and `judged` has what the NAT is held to."""

    wire_is_read = False
    nats_beside = True
    nats_may_differ = True
    reckons_with = tuple(MARKS)

    @classmethod
    def demand(cls, parameters: Parameters, settings: Settings) -> Demand:
        """Return that nothing is asked of the NAT beforehand."""
        return Demand(shares=())
