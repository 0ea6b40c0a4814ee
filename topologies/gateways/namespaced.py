"""A gateway's body that is a network namespace: Mininet calls it a switch, and it is a machine with interfaces."""

from __future__ import annotations

import subprocess
from typing import Any, ClassVar

from mininet.node import Switch

from topologies.gateways.base import GatewayError, GatewayPlan
from topologies.network.nodes import TunedNode

ANSWER_WITHIN_S = 30.0


class Namespaced(TunedNode, Switch):
    """A namespace in which commands are run."""

    advice: ClassVar[str] = ""
    """What else the error says of a command that failed."""

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        super().__init__(name, dpid="1", **params)
        self.plan = plan

    def run(self, *command: str, given: str = "") -> str:
        """Run a program there, with a text to read, and return what it prints. Raises GatewayError."""
        enter = ["nsenter", f"--net={self.netns}"]
        try:
            done = subprocess.run(
                [*enter, *command],
                input=given,
                capture_output=True,
                text=True,
                timeout=ANSWER_WITHIN_S,
                start_new_session=True,  # a prompt's Ctrl-C is not for it
            )
        except subprocess.TimeoutExpired:
            raise GatewayError(f"{command[0]} did not answer within {ANSWER_WITHIN_S:.0f} s") from None
        if done.returncode:
            raise GatewayError(f"{' '.join(command)} failed: {done.stderr.strip()}{self.advice}")
        return done.stdout

    def ip(self, *lines: str) -> None:
        """Carry out lines of `ip -batch`. Raises GatewayError."""
        self.run("ip", "-batch", "-", given="\n".join(lines))
