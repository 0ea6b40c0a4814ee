"""Our own gateway, which declares what its settings say and then works by others: what scenarios must notice."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from topologies.gateways.base import GatewayPlan
from topologies.gateways.openflow.gateway import OpenFlowGateway


class Liar(OpenFlowGateway):
    """Works by other settings than it was given."""

    really: ClassVar[dict[str, Any]] = {}

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Change the settings behind everybody's back."""
        settings = plan.settings.model_copy(update=cls.really)
        return super().prepare(dataclasses.replace(plan, settings=settings))


class OtherCode(Liar):
    """Sends the other code."""

    really: ClassVar[dict[str, Any]] = {"icmp_code": 1}


class Mute(Liar):
    """Is silent."""

    really: ClassVar[dict[str, Any]] = {"on_exhaustion": "drop"}


class Talkative(Liar):
    """Answers with a reset."""

    really: ClassVar[dict[str, Any]] = {"on_exhaustion": "reset"}


class Slow(Liar):
    """Thinks for a second and a half before it answers."""

    really: ClassVar[dict[str, Any]] = {"on_exhaustion": "hold", "hold_timeout": 1.5, "fallback": "icmp"}


class Stingy(Liar):
    """Has three ports."""

    really: ClassVar[dict[str, Any]] = {"ports": 3}


class Endless(Liar):
    """Has more ports than it says."""

    really: ClassVar[dict[str, Any]] = {"ports": 128}


class Hasty(Liar):
    """Gives the port of a closed connection again after half of the time."""

    really: ClassVar[dict[str, Any]] = {"tcp_trans_close_timeout": 1}


class Clinging(Liar):
    """Keeps the port of a connection that was reset three times as long."""

    really: ClassVar[dict[str, Any]] = {"tcp_rst_timeout": 6}


class Careless(Liar):
    """Holds no port down, and takes a half-closed connection for one that has ended."""

    really: ClassVar[dict[str, Any]] = {"hold_down_timeout": 0, "tcp_idle_timeout": 1}
