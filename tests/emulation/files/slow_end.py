"""A scenario after which the judge takes its time."""

from __future__ import annotations

import time
from typing import Any

from testbed.api import Experiment, Parameters, Scenario


class SlowEnd(Scenario[Parameters]):
    """Does a run last until everything is judged?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Let the end of the run begin a second late."""
        conclude: Any = x.conclude

        def late(*findings: Any) -> None:
            time.sleep(1)
            conclude(*findings)

        x.check("one is one", expected=1, observed=1, source="the test")
        x.conclude = late  # type: ignore[method-assign]
        x.account()
