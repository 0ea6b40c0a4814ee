"""A scenario as a student may write it, with commands in hosts' shells."""

from __future__ import annotations

from testbed.api import Experiment, Parameters, Scenario


class AskAShell(Scenario[Parameters]):
    """What does a host's shell say?"""

    name = "ask-a-shell"
    claim = "a shell answers"

    def run(self, x: Experiment[Parameters]) -> None:
        """Wait for alice's answer, which takes a minute."""
        x.check("alice knows her name", expected="alice", observed=x.lab.clients[0].cmd("sleep 60; hostname"))
        x.account()
