"""NATs with several ranges of ports that do not use them as they should."""

from __future__ import annotations

import dataclasses
from typing import Any

from topologies.gateways.base import GatewayPlan
from topologies.gateways.netfilter.gateway import NetfilterGateway
from topologies.gateways.openflow.gateway import OpenFlowGateway


class OneAfterAnother(NetfilterGateway):
    """Has a source-NAT rule for each range, all for the same packets, as somebody may write it at first."""

    @classmethod
    def rules(cls, plan: GatewayPlan) -> str:
        """Put all rules into one chain."""
        text = super().rules(plan)
        before, _, after = text.partition('        iifname "br0" numgen')
        each = "".join(f"        goto range_{number}\n" for number in range(text.count("chain range_")))
        return before + each.replace("goto", "jump") + after.partition("\n")[2]


class Elsewhere(OpenFlowGateway):
    """Has a PSID's number of ports, from 1024 upward."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Give the controller other settings."""
        other = plan.settings.model_copy(update={"ports": plan.settings.port_count})
        return super().prepare(dataclasses.replace(plan, settings=other))
