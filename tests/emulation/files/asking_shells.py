"""A scenario as a student may write it, which runs a command in a host's shell."""

from __future__ import annotations

from testbed.api import Experiment, Parameters, Scenario


class AskAShell(Scenario[Parameters]):
    """Does the shell of a host answer a command?"""

    name = "ask-a-shell"
    claim = "a shell answers"

    def run(self, x: Experiment[Parameters]) -> None:
        """Wait for the answer of alice's shell, which takes a minute."""
        x.check("alice knows her name", expected="alice", observed=x.lab.clients[0].cmd("sleep 60; hostname"))
        x.account()


class AskTheGateway(Scenario[Parameters]):
    """Does the shell of the gateway answer a command?"""

    def run(self, x: Experiment[Parameters]) -> None:
        """Wait for the answer of the gateway's shell, which takes a minute."""
        x.lab.gateway.cmd("sleep 60")  # type: ignore[attr-defined] # it is a node as well
