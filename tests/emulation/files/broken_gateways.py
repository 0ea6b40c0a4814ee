"""Gateways with one fault each, for tests that the checks bite. FAULTS has what each of them does otherwise."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from controller.settings import Settings
from topologies.gateways.base import GatewayPlan
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion
from topologies.gateways.netfilter.gateway import TABLE, NetfilterGateway
from topologies.gateways.openflow.gateway import OpenFlowGateway
from topologies.gateways.ovs_ct.gateway import OvsCtGateway


class Otherwise:
    """A gateway that works by other settings than it is given: `really` makes them from the given ones."""

    really: ClassVar[Callable[[Settings], dict[str, Any]]]

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, **cls.really(plan.settings)))


class Misguided:
    """A gateway whose controller, `program`, is in this folder."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Have Python look for modules in this folder."""
        os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
        return super().prepare(plan)


class Bypassed:
    """A gateway with `rules` besides its controller's, at all gateways of the network or `only` at one."""

    rules: ClassVar[tuple[str, ...]]
    only: ClassVar[str | None] = None

    def wait_ready(self) -> None:
        """Add the rules when the controller's are there."""
        super().wait_ready()
        for rule in self.rules if self.only in (None, self.name) else ():
            _add_flow(self.name, rule)


def _with(plan: GatewayPlan, **settings: Any) -> GatewayPlan:
    return dataclasses.replace(plan, settings=plan.settings.model_copy(update=settings))


def _add_flow(bridge: str, flow: str) -> None:
    subprocess.run(["ovs-ofctl", "-O", "OpenFlow13", "add-flow", bridge, flow], check=True)


def _passes(*packets: str) -> tuple[str, ...]:
    """Return rules that forward a connection's first packets untranslated, and to the controller as well."""
    first = "table=2,priority=31,reg0=0"
    return tuple(f"{first},{each},actions=controller,goto_table:4" for each in packets)


def _first_packets(source: str) -> tuple[str, ...]:
    return _passes(f"tcp,tcp_flags=+syn-ack,nw_src={source}", f"icmp,icmp_type=8,nw_src={source}")


def _loses_inbound_rules(self: OpenFlowGateway, protocol: str) -> dict[str, int | None]:
    _add_flow(self.name, "table=3,priority=99,ip,actions=drop")
    return OpenFlowGateway.counters(self, protocol)


def _counts_one_too_many(self: OpenFlowGateway, protocol: str) -> dict[str, int | None]:
    counters = OpenFlowGateway.counters(self, protocol)
    return {**counters, "ports_allocated": (counters["ports_allocated"] or 0) + 1}


def _counts_a_million_drops(self: OpenFlowGateway, protocol: str) -> dict[str, int | None]:
    counters = OpenFlowGateway.counters(self, protocol)
    return {**counters, "dropped_port_packets": (counters["dropped_port_packets"] or 0) + 1_000_000}


def _evicts_from_the_start(self: OpenFlowGateway) -> str:
    return OpenFlowGateway.bridgeOpts(self).replace("overflow_policy=refuse", "overflow_policy=evict")


def _never_evicts(self: OpenFlowGateway, *args: Any, **kwargs: Any) -> str:
    return "" if "overflow_policy=evict" in args else OpenFlowGateway.vsctl(self, *args, **kwargs)


def _swears_to_evict(cls: type[OpenFlowGateway], settings: Settings, options: Any) -> Behaviour:
    lru = Entry(Exhaustion(None, evicts="lru"), "its own word", "never")
    return dataclasses.replace(OpenFlowGateway.declare(settings, options), ports_exhausted=lru)


def _narrows(self: NetfilterGateway) -> None:
    NetfilterGateway.wait_ready(self)
    self.cmd(f"nft insert rule ip {TABLE} beginning ct count over 10 drop")


def _starts_cramped(self: OvsCtGateway, controllers: list[Any]) -> None:
    honest = self._plan
    self._plan = _with(honest, limit_sessions=None, ports=honest.settings.limit_sessions)
    OvsCtGateway.start(self, controllers)
    self._plan = honest


def _one_address(settings: Settings) -> dict[str, Any]:
    return {"external_addresses": settings.external_addresses[:1]}


OURS, LINUX, TRACKED = (OpenFlowGateway,), (NetfilterGateway,), (OvsCtGateway,)
FAULTS: dict[str, tuple[tuple[type, ...], dict[str, Any]]] = {
    # A connection's first packet also passes untranslated, as with some NATs when they are full.
    "Leaky": ((Bypassed, *OURS), {"rules": _first_packets("10.0.0.0/16")}),
    # The same at one home only. The carrier translates what comes from there, and so hides it from the servers.
    "LeakyHome": ((Bypassed, *OURS), {"rules": _first_packets("10.1.0.0/16"), "only": "home-a"}),
    # Packets for the other home's NAT also pass untranslated. No server ever sees them.
    "Neighbourly": ((Bypassed, *OURS), {"rules": _passes("udp,nw_dst=192.0.2.1", "udp,nw_dst=203.0.113.1")}),
    # It loses the rules of its mappings when its counters are read, as a switch does that restarts.
    "Forgetful": (OURS, {"counters": _loses_inbound_rules}),
    "Boastful": (OURS, {"counters": _counts_one_too_many}),
    # Its switch evicts from the start, where it should refuse, or never evicts.
    "Evicting": (OURS, {"bridgeOpts": _evicts_from_the_start}),
    "Stubborn": (OURS, {"vsctl": _never_evicts}),
    # It keeps the ports of connections that its switch refused.
    "Hoarding": ((Misguided, *OURS), {"program": "hoarding_controller"}),
    # It refuses one attempt of twenty though there are ports, or gives ports in blocks without a word.
    "Choosy": ((Misguided, *OURS), {"program": "choosy_controller"}),
    "Blocky": ((Otherwise, *OURS), {"really": lambda _: {"port_allocation_type": "blocks"}}),
    # Its rules have a timeout, so that a switch may evict them.
    "Stillborn": ((Misguided, *OURS), {"program": "stillborn_controller"}),
    "Fleeting": ((Misguided, *OURS), {"program": "fleeting_controller"}),
    # Its ICMP errors come from another address than its own.
    "Signing": ((Misguided, *OURS), {"program": "signing_controller"}),
    # It declares random ports, and gives them in sequence.
    "Predictable": ((Otherwise, *OURS), {"really": lambda _: {"port_allocation_type": "sequential"}}),
    "Exaggerating": (OURS, {"counters": _counts_a_million_drops}),
    # It declares that it evicts the least recently used mapping, whatever its policy is.
    "Perjured": (OURS, {"declare": classmethod(_swears_to_evict)}),
    "Lavish": ((Otherwise, *OURS), {"really": lambda _: {"limit_sessions": None}}),
    # It runs out of ports where it should run out of sessions. From outside this looks the same.
    "Cramped": (
        (Otherwise, *OURS),
        {"really": lambda settings: {"limit_sessions": None, "ports": settings.limit_sessions}},
    ),
    "CrampedTracked": (TRACKED, {"start": _starts_cramped}),
    "Boundless": ((Otherwise, *OURS), {"really": lambda _: {"ports": 64_512}}),
    "Brisk": ((Otherwise, *OURS), {"really": lambda settings: {"ports": 2 * settings.port_count}}),
    # It lets no more than ten connections begin.
    "NarrowLinux": (LINUX, {"wait_ready": _narrows}),
    # It gives up at once the packets that it should hold.
    "Forgiving": ((Otherwise, *OURS), {"really": lambda _: {"hold_timeout": 0.01}}),
    # It keeps a closed connection's port for a second longer than it declares, or for ten minutes.
    "Sluggish": (
        (Otherwise, *OURS),
        {"really": lambda settings: {"tcp_trans_close_timeout": settings.tcp_trans_close_timeout + 1}},
    ),
    "Miserly": ((Otherwise, *OURS), {"really": lambda _: {"tcp_trans_close_timeout": 600.0}}),
    # It ignores a quota, or has one that is not set.
    "Indulgent": ((Otherwise, *OURS), {"really": lambda _: {"port_quota": None}}),
    "Rationing": ((Otherwise, *OURS), {"really": lambda _: {"port_quota": 8}}),
    # It has one pool for all protocols together, so that ports that TCP has taken are not there for UDP and ping.
    "OneForAll": ((Otherwise, *OURS), {"really": lambda settings: {"limit_port_mappings": settings.port_count}}),
    # It uses only the first of its addresses.
    "OneAddress": ((Otherwise, *OURS), {"really": _one_address}),
    "OneAddressTracked": ((Otherwise, *TRACKED), {"really": _one_address}),
    # It gives a subscriber ports of any address, though its pooling is paired.
    # It gives away the ports that are its own.
    "Hospitable": ((Otherwise, *OURS), {"really": lambda _: {"reserved_ports": []}}),
    "Generous": ((Otherwise, *OURS), {"really": lambda _: {"address_allocation_type": "arbitrary"}}),
}
"""The bases of each class of this file, and what is replaced in it, by the class's name."""

for name, (bases, replaced) in FAULTS.items():
    globals()[name] = type(name, bases, {**replaced, "__module__": __name__})
