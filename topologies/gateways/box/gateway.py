"""A box as the NAT under test: the node is two cables, each from the lab to an interface of the machine.

A cable is a bridge with two ports. One is the lab's. The other is the way into the machine's interface that the
launcher has made before the sandbox was there, in a network namespace that it has handed in: that is the node's.
So the machine's interface never moves, and when the last descriptor of this namespace is closed, by whatever
death, the way is gone and the interface as before.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, ClassVar

from mininet.node import Switch

from controller.settings import ConfigurationError, Settings, checked
from controller.wiring import Interface
from topologies.gateways.base import Cable, GatewayError, GatewayPlan, Options, Use
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.box import facts
from topologies.gateways.box import options as chosen
from topologies.gateways.box.options import BoxOptions
from topologies.gateways.following import require_one_range
from topologies.gateways.program.gateway import require_two, sides
from topologies.gateways.promises import Stranger, made
from topologies.gateways.strangers import LOG
from topologies.network import arp
from topologies.network.hosts import at_other_end
from topologies.network.namespaces import Namespace
from topologies.network.nodes import TunedNode

CABLES = "cables"
"""The name of the namespace among what a run has open."""
INSIDE, OUTSIDE = "box-inside", "box-outside"
"""The ways into the machine's interfaces, in that namespace."""
RULES = Path(__file__).with_name("cables.nft")
QUESTIONS = 100
ANSWERED_WITHIN_S = 2.0


class BoxGateway(TunedNode, Switch, Stranger):
    """A real device or a virtual machine between two interfaces: --set inside=eth1 --set outside=eth2."""

    Options: ClassVar[type[Options]] = BoxOptions
    settings: ClassVar[dict[str, Any]] = facts.DEFAULTS
    restrictions = facts.RESTRICTIONS
    followed = facts.FOLLOWED
    topology: ClassVar[str | None] = "edge"
    chosen_by: ClassVar[str] = (
        f"{chosen.WAY} --set ports=64512 --set attempts=200 --set tcp_trans_close_timeout=120 "
        "--set tcp_rst_timeout=10"
    )
    needs: ClassVar[tuple[str, ...]] = ("nft",)

    @classmethod
    def implied(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the external addresses, which `external` is short for."""
        own = {key: value for key, value in options.items() if key == "external"}
        external = checked(BoxOptions, own, kind="setting").external
        return {"external_addresses": [*map(str, external)]} if external else {}

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError unless there are two interfaces, and settings that can be stated of a box."""
        chosen.check(options)
        super().check(settings, options)
        require_one_range(settings, "a box is taken to have one")
        if options.external and [*options.external] != [*settings.external_addresses]:
            raise ConfigurationError(
                f"external={','.join(map(str, options.external))} and external_addresses="
                f"{','.join(map(str, settings.external_addresses))} contradict each other: give one of them"
            )

    @classmethod
    def check_wiring(cls, _settings: Settings, _options: Any, interfaces: Sequence[Interface]) -> None:
        """Raise ConfigurationError unless there is one interface on each side, and a router outside."""
        require_two(interfaces)

    @classmethod
    def check_use(cls, settings: Settings, options: Any, use: Use) -> None:
        """Raise ConfigurationError for what the owner has not stated, or not allowed."""
        facts.require_stated(settings, use)
        facts.require_spared(options, use)

    @classmethod
    def cables(cls, settings: Settings, options: Any, interfaces: Sequence[Interface]) -> dict[str, Cable]:
        """Return the two interfaces, with the addresses on each side."""
        lan, wan = sides(interfaces)
        hosts = (str(each.network_address) for each in lan.hosts if each.prefixlen == each.max_prefixlen)
        router = () if wan.next_hop is None else (str(wan.next_hop),)
        external = tuple(map(str, settings.external_addresses))
        return {
            INSIDE: Cable(interface=options.inside, answers=(str(lan.address.ip),), ours=tuple(hosts)),
            OUTSIDE: Cable(interface=options.outside, answers=external, ours=router),
        }

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what any NAT is held to, with what its owner states."""
        return made(facts.behaviour(settings), settings, options)

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start nothing: the box runs already."""
        return {"plan": plan, "inNamespace": True}

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        assert isinstance(plan.options, BoxOptions)
        self._plan, self._options = plan, plan.options
        self._told: list[str] = []
        super().__init__(name, dpid="1", **params)
        self.connection_rate = self._options.connection_rate

    def own_namespace(self) -> Namespace:
        """Return the namespace with the ways into the machine's interfaces."""
        return Namespace(self._plan.files[CABLES])

    def start(self, _controllers: list[Any]) -> None:
        """Lay the two cables. What the kernel has merged on the way in leaves them as it came."""
        lan, wan = sides(self._plan.interfaces)
        assert self.namespace is not None
        with self.namespace.entered():
            subprocess.run(["nft", "-f", str(RULES)], check=True)
        with self.kernel() as kernel:
            for each, way in ((lan, INSIDE), (wan, OUTSIDE)):
                ports, cable = (self.intfs[each.port].name, way), f"cable{each.port}"
                kernel.add_bridge(cable, snoops=False)
                kernel.complete_checksums(ports[0])
                for port in ports:
                    kernel.join(port, cable)
                for name in (*ports, cable):
                    kernel.set_up(name)
                for port in ports:
                    kernel.wait_connected(port)

    def wait_ready(self) -> None:
        """Measure what is lost on the way to the box. Raises GatewayError if anything is."""
        self._measure("before the experiment")

    def remarks(self) -> str:
        """Measure again: what is lost now may have been lost before. Tell what was found."""
        self._measure("after it")
        return f"On the cables to the box, {'; '.join(self._told)}."

    def environment(self) -> dict[str, str]:
        """Return the interfaces, and what was lost on the way."""
        return {
            "box_inside": str(self._options.inside),
            "box_outside": str(self._options.outside),
            "box_path": "; ".join(self._told),
        }

    def _measure(self, when: str) -> None:
        """Ask the box for its addresses, from where the hosts are. The router asks as itself, so it is known."""
        lan, wan = sides(self._plan.interfaces)
        lost = {
            self._options.inside: self._lost(lan, lan.address.ip, arp.NOBODY),
            self._options.outside: self._lost(
                wan, self._plan.settings.external_addresses[0], wan.next_hop or arp.NOBODY
            ),
        }
        found = ", ".join(f"{count} of {asked} at {name}" for name, (count, asked) in lost.items())
        self._told.append(f"{when} {found} ARP requests were not answered")
        if LOG in self._plan.files:
            os.write(self._plan.files[LOG], f"{self._told[-1]}\n".encode())
        if any(count for count, _ in lost.values()):
            is_gone = any(count == asked for count, asked in lost.values())
            why = "the box does not answer any more" if is_gone else "the cables lose packets"
            raise GatewayError(
                f"{why}: {'; '.join(self._told)}. So nothing that is lost in the experiment could be blamed "
                "on the NAT; look at the cables, the ports' speed and duplex, and whether the box has started anew"
            )

    def _lost(self, interface: Interface, address: IPv4Address, sender: IPv4Address) -> tuple[int, int]:
        with at_other_end(self.intfs[interface.port]) as name:
            return arp.unanswered(name, address, sender=sender, questions=QUESTIONS, within=ANSWERED_WITHIN_S)
