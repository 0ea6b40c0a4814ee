"""A scenario that is over as soon as its lab is built."""

from __future__ import annotations

from testbed.api import Experiment, Parameters, Scenario


class Short(Scenario[Parameters]):
    """Does one run end?"""

    story = "It is over."

    def run(self, x: Experiment[Parameters]) -> None:
        """Check something."""
        x.check("one is one", expected=1, observed=1, source="arithmetic")
        x.account()
        x.tell()
