"""Scenarios whose `run` ends otherwise than by its end."""

from __future__ import annotations

import sys
from typing import Any

from testbed.api import Experiment, Parameters, Scenario


class Raising(Scenario[Parameters]):
    """What if it raises?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Check something, and fail."""
        x.check("one is one", expected=1, observed=1, source="the test")
        raise ValueError("no such host: alcie")


class Leaving(Scenario[Parameters]):
    """What if it leaves?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Leave as a program does."""
        sys.exit("nothing to do")


class Untold(Scenario[Parameters]):
    """What if its story asks for a fact that it is not told?"""

    story = "{{ ports }} ports"

    def run(self, x: Experiment[Parameters]) -> None:
        """Forget a fact."""
        x.tell()


class Unwritable(Scenario[Parameters]):
    """What if what it observed cannot be written?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Observe an object."""
        strange: Any = {(1, 2): object()}
        x.check("it is nothing", expected=None, observed=strange, source="the test")
