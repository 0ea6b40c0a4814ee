"""Scenarios that are late, or whose NAT stands still for a while."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from scenarios.port_exhaustion import PortExhaustion
from testbed.api import Experiment, Parameters, Scenario


class Late(Scenario[Parameters]):
    """What if a check fails, and the scenario itself was late?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Note that it was late by two seconds, and fail."""
        x.was_late(2.0)
        x.check("the port came back", expected=1, observed=2, source="the test")
        x.account()


class LateAndWrong(Scenario[Parameters]):
    """What if one of the checks that fail is about what no lateness can cause?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Note that it was late by two seconds, and fail twice."""
        x.was_late(2.0)
        x.check("the port came back", expected=1, observed=2, source="the test")
        x.check("nobody got what is another's", expected=0, observed=1, source="the test", bears=None)
        x.account()


class Stalled(PortExhaustion):
    """Does a NAT that stood still in the middle of a fill serve the next one in full?"""

    name = "stalled"

    def run(self, x: Experiment[Any]) -> None:
        """Stop the controller for nearly all of six seconds, once a quarter of the ports is taken.

        One that never ran would end the run.
        """
        controller = x.lab.gateway.controller.process.pid

        def stall() -> None:
            time.sleep(1.0)
            for _ in range(20):
                os.kill(controller, signal.SIGSTOP)
                time.sleep(0.3)
                os.kill(controller, signal.SIGCONT)
                time.sleep(0.001)

        threading.Thread(target=stall, daemon=True).start()
        super().run(x)
