"""An Open vSwitch bridge as a gateway's body: its ports, and the programs of Open vSwitch."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

from mininet.node import OVSSwitch

from controller.wiring import Side
from topologies.gateways.base import GatewayError, GatewayPlan
from topologies.network.nodes import LabNode

READY_WITHIN_S = 60.0
NEVER_GIVEN_UP = "inactivity_probe=0"
"""Of a controller: it may be silent. A busy machine must not part the two, and PID 1 notices if it dies."""
OUTSIDE_VLAN = 4094
"""The VLAN of the outside ports. It keeps the inside LAN's broadcasts from them; no frame ever carries it."""


def output(*command: str) -> str:
    """Return what a program of Open vSwitch prints. Raises GatewayError if it fails, or does not end."""
    try:
        # In a session of its own: a prompt's Ctrl-C is not for it.
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=READY_WITHIN_S, start_new_session=True
        )
    except subprocess.TimeoutExpired:
        raise GatewayError(f"{command[0]} did not end within {READY_WITHIN_S:.0f} s") from None
    if done.returncode:
        raise GatewayError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


def ports_first(words: list[str]) -> list[str]:
    """Put every `set` last among the commands of one `ovs-vsctl`, which else reads all ports anew after each."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    last = [command for command in commands if command[:1] == ["set"]]
    first = [command for command in commands if command[:1] != ["set"]]
    return [word for command in (*first, *last) for word in ("--", *command) if command][1:]


def patiently(words: list[str]) -> list[str]:
    """Have the switch never give up a controller that Mininet's `ovs-vsctl` makes."""
    return [
        each for word in words for each in ([word, NEVER_GIVEN_UP] if word.startswith("max_backoff=") else [word])
    ]


class Bridge(LabNode, OVSSwitch):
    """Mininet's bridge, with any number of ports, of which the inside ones are a LAN for the action NORMAL."""

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        super().__init__(name, dpid=plan.mac.replace(":", ""), **params)
        self._outside = {i.port for i in plan.interfaces if i.side is Side.OUTSIDE}

    def vsctl(self, *args: Any, **kwargs: Any) -> str:
        """Run ovs-vsctl. Mininet's goes through a terminal, which cuts lines at 4,096 bytes."""
        return output("ovs-vsctl", *ports_first(patiently(shlex.split(" ".join(str(arg) for arg in args)))))

    def intfOpts(self, intf: Any) -> str:  # noqa: N802 (Mininet's name)
        """Extend Mininet's options of a port: an outside port has its own VLAN."""
        tag = f" -- set Port {intf} tag={OUTSIDE_VLAN}" if self.ports[intf] in self._outside else ""
        return f"{super().intfOpts(intf)}{tag}"
