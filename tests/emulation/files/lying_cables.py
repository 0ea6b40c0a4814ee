"""Gateways behind whose outside interfaces a relay treats the frames, as the class's `deceit` has it.

To hosts and wire it looks as if the NAT itself did so. The relay has the place of the cable: the interface keeps
its name, and what it was before has another.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Any, ClassVar

from controller.wiring import Side
from testbed.sandbox.linux import network_of
from topologies.gateways.netfilter.gateway import NetfilterGateway
from topologies.gateways.openflow.gateway import OpenFlowGateway
from topologies.gateways.ovs_ct.gateway import OvsCtGateway

RELAY = "tests.emulation.files.relay"


class Lying:
    """A gateway with a relay at each outside interface."""

    deceit: ClassVar[str] = "honest"

    def __init__(self, name: str, plan: Any, **params: Any) -> None:
        super().__init__(name, plan, **params)
        self._outside = [i.port for i in plan.interfaces if i.side is Side.OUTSIDE]
        self.relays: list[subprocess.Popen[str]] = []

    def start(self, controllers: list[Any]) -> None:
        """Put the relays in the places of the cables, before anything uses these."""
        with network_of(self.netns) if self.inNamespace else contextlib.nullcontext():
            for port in self._outside:
                name = self.intfs[port].name
                for command in (
                    f"link set {name} down",
                    f"link set {name} name real{port}",
                    f"link add {name} type veth peer name relay{port}",
                    f"link set real{port} up",
                    f"link set relay{port} up",
                    f"link set {name} up",
                ):
                    subprocess.run(["ip", *command.split()], check=True)
                self.relays.append(
                    subprocess.Popen(
                        [sys.executable, "-P", "-m", RELAY, f"relay{port}", f"real{port}"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
        for relay in self.relays:
            assert relay.stdout
            relay.stdout.readline()
        self.lie(self.deceit)
        super().start(controllers)

    def lie(self, deceit: str) -> None:
        """Treat all frames from now on as a deceit does, or as several do, joined by `+`."""
        for relay in self.relays:
            assert relay.stdin
            assert relay.stdout
            relay.stdin.write(f"{deceit}\n")
            relay.stdin.flush()
            relay.stdout.readline()


class OpenFlow(Lying, OpenFlowGateway):
    """Our own NAT."""


class Netfilter(Lying, NetfilterGateway):
    """Linux's NAT."""


class Tracked(Lying, OvsCtGateway):
    """Open vSwitch's connection tracking."""


DECEITS = {
    "Doubling": "double",
    "Reordering": "reorder",
    "Delaying": "delay",
    "DelayingSyns": "delay-syns",
    "DelayingMostSyns": "most-syns",
    "Losing": "lose",
    "LosingFirst": "lose-first",
    "Small": "small",
    "Flipping": "flip",
    "Spoiling": "spoil",
    "OneTtl": "ttl",
    "NoHop": "no-hop",
    "NoTos": "tos",
    "Congesting": "ecn",
    "Fragmenting": "fragmentable",
    "OneNumber": "identification",
    "NoOptions": "options",
    "Narrowing": "window",
    "Inventing": "invent",
    "Everything": "double+reorder+delay-syns+ttl",
}
"""The deceits of `relay.py` by the names of our own NATs that have them."""

for name, deceit in DECEITS.items():
    globals()[name] = type(name, (OpenFlow,), {"deceit": deceit, "__module__": __name__})
