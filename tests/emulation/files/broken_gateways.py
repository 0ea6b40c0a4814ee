"""Our own gateway with a fault each, for tests that the checks bite; also how to write a gateway of one's own."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from controller.settings import Settings
from topologies.gateways.base import GatewayPlan
from topologies.gateways.behaviour import Behaviour, Entry, Exhaustion
from topologies.gateways.netfilter.gateway import TABLE, NetfilterGateway
from topologies.gateways.openflow.gateway import OpenFlowGateway
from topologies.gateways.ovs_ct.gateway import OvsCtGateway


def add_flow(bridge: str, flow: str) -> None:
    """Add a rule behind the controller's back."""
    subprocess.run(["ovs-ofctl", "-O", "OpenFlow13", "add-flow", bridge, flow], check=True)


class Leaky(OpenFlowGateway):
    """Lets a connection's first packet pass untranslated as well, as some NATs do when they are full."""

    behind = "10.0.0.0/16"
    first_packets = ("tcp,tcp_flags=+syn-ack", "icmp,icmp_type=8")

    def wait_ready(self) -> None:
        """Put in the place of the rule that asks the controller one that goes on besides."""
        super().wait_ready()
        for packets in self.first_packets:
            match = f"reg0=0,{packets},nw_src={self.behind}"
            add_flow(self.name, f"table=1,priority=31,{match},actions=controller,goto_table:3")


class LeakyHome(Leaky):
    """The same, at one home only: the carrier behind it translates what comes, and hides that from the servers."""

    behind = "10.1.0.0/16"

    def wait_ready(self) -> None:
        """Leave the other NATs as they are."""
        if self.name == "home-a":
            super().wait_ready()
        else:
            OpenFlowGateway.wait_ready(self)


class Neighbourly(OpenFlowGateway):
    """Lets what is for the other home's NAT pass untranslated as well: no server ever sees it."""

    def wait_ready(self) -> None:
        """Put in the place of the rule that asks the controller one that goes on besides."""
        super().wait_ready()
        for other in ("192.0.2.1", "203.0.113.1"):
            add_flow(self.name, f"table=1,priority=31,reg0=0,udp,nw_dst={other},actions=controller,goto_table:3")


class Forgetful(OpenFlowGateway):
    """Loses the rules of its mappings once it is full, as a switch does that restarts."""

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Be asked for counters, and lose the inbound rules for good."""
        add_flow(self.name, "table=2,priority=99,ip,actions=drop")
        return super().counters(protocol)


class Boastful(OpenFlowGateway):
    """Claims one port more than it gave."""

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Count one too many."""
        counters = super().counters(protocol)
        return {**counters, "ports_allocated": (counters["ports_allocated"] or 0) + 1}


class Evicting(OpenFlowGateway):
    """Its switch makes room by itself from the start, where it should refuse."""

    def bridgeOpts(self) -> str:  # noqa: N802 (Mininet's name)
        """Let the tables evict."""
        return super().bridgeOpts().replace("overflow_policy=refuse", "overflow_policy=evict")


class Stubborn(OpenFlowGateway):
    """Its switch never makes room."""

    def overflow(self, policy: str) -> None:
        """Change nothing."""


class Misguided(OpenFlowGateway):
    """Has a controller from this folder."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Let it be found."""
        os.environ["PYTHONPATH"] = str(Path(__file__).parent)
        return super().prepare(plan)


class Hoarding(Misguided):
    """Keeps the ports of connections that its switch refused."""

    program: ClassVar[str] = "hoarding_controller"


class Fleeting(Misguided):
    """Gives its rules a timeout, so that a switch may evict them."""

    program: ClassVar[str] = "fleeting_controller"


class Signing(Misguided):
    """Signs its errors with somebody else's address."""

    program: ClassVar[str] = "signing_controller"


class Perjured(OpenFlowGateway):
    """Declares that it evicts the least recently used, whatever its policy is."""

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Swear."""
        lru = Entry(Exhaustion(None, evicts="lru"), "its own word", "never")
        return dataclasses.replace(super().declare(settings, options), ports_exhausted=lru)


class Lavish(OpenFlowGateway):
    """Has no limit for sessions, whatever is set."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, limit_sessions=None))


class Cramped(OpenFlowGateway):
    """Lacks ports where it should lack sessions: from outside it looks the same."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, limit_sessions=None, ports=plan.settings.limit_sessions))


class Boundless(OpenFlowGateway):
    """Has every port there is, whatever is set."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, ports=64_512))


class NarrowLinux(NetfilterGateway):
    """Lets no more than ten connections begin, whatever is set."""

    def wait_ready(self) -> None:
        """Add a rule."""
        super().wait_ready()
        self.cmd(f"nft insert rule ip {TABLE} beginning ct count over 10 drop")


def _with(plan: GatewayPlan, **settings: Any) -> GatewayPlan:
    return dataclasses.replace(plan, settings=plan.settings.model_copy(update=settings))


class Forgiving(OpenFlowGateway):
    """Takes packets that it should hold, and lets go of them at once."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, hold_timeout=0.01))


class Sluggish(OpenFlowGateway):
    """Keeps a closed connection's port for longer than it declares."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, tcp_trans_close_timeout=plan.settings.tcp_trans_close_timeout + 1))


class Brisk(OpenFlowGateway):
    """Refuses fewer than it declares: it has twice the ports."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, ports=2 * plan.settings.ports))


class Indulgent(OpenFlowGateway):
    """Ignores the quota."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, port_quota=None))


class Rationing(OpenFlowGateway):
    """Has a quota that nobody has set."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, port_quota=8))


class OneForAll(OpenFlowGateway):
    """Has one pool for all protocols together: what TCP has taken is gone for UDP and ping."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Count all mappings against the ports."""
        return super().prepare(_with(plan, limit_port_mappings=plan.settings.ports))


class OneAddress(OpenFlowGateway):
    """Uses only the first of its addresses."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Forget the others."""
        return super().prepare(_with(plan, external_addresses=plan.settings.external_addresses[:1]))


class Generous(OpenFlowGateway):
    """Gives a subscriber ports of any address, though its pooling is paired."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Pool as it likes."""
        return super().prepare(_with(plan, address_allocation_type="arbitrary"))


class OneAddressTracked(OvsCtGateway):
    """Open vSwitch's own connection tracking, with one address for everybody."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Forget the others."""
        return super().prepare(_with(plan, external_addresses=plan.settings.external_addresses[:1]))


class CrampedTracked(OvsCtGateway):
    """Open vSwitch's own connection tracking, which lacks ports where it should lack sessions."""

    def start(self, controllers: list[Any]) -> None:
        """Install other rules, and tell nobody."""
        honest = self._plan
        self._plan = _with(honest, limit_sessions=None, ports=honest.settings.limit_sessions)
        super().start(controllers)
        self._plan = honest


class Miserly(OpenFlowGateway):
    """Never gives a closed connection's port again."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings."""
        return super().prepare(_with(plan, tcp_trans_close_timeout=600.0))
