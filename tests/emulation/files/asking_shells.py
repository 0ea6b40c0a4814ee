"""A scenario as a student may write it, with commands in hosts' shells."""

from __future__ import annotations

from typing import Any

from testbed.experiment.scenario import Scenario


class AskAShell(Scenario):
    """What does a host's shell say?"""

    name = "ask-a-shell"
    claim = "a shell answers"

    def run(self, lab: Any, parameters: Any, settings: Any, report: Any) -> None:
        """Wait for alice's answer, which takes a minute."""
        report.check("alice knows her name", expected="alice", observed=lab.clients[0].cmd("sleep 60; hostname"))
