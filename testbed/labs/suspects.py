"""Our own gateway with a bug of lab 9, on the wire: it works by other settings than those that it declares."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from testbed.labs.bugs import ON_THE_WIRE, Bug
from topologies.gateways.base import GatewayPlan
from topologies.gateways.openflow.gateway import OpenFlowGateway


class Suspect(OpenFlowGateway):
    """Our own gateway, which may have a bug."""

    bug: ClassVar[Bug | None] = None

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with the settings by which it really works."""
        really = cls.bug.really(plan.settings) if cls.bug else {}
        return super().prepare(dataclasses.replace(plan, settings=plan.settings.model_copy(update=really)))


def suspect(number: int, module: str) -> type[Suspect]:
    """Return the NAT of a module: with the bug of this number, counted from 1, or with none for 0."""
    bug = ON_THE_WIRE[number - 1] if number else None
    return type("Nat", (Suspect,), {"bug": bug, "__module__": module, "__doc__": "The NAT that is examined."})
