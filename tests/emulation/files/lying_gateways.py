"""Gateways that declare what their settings say, and then work by other settings, which scenarios must notice."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from testbed.api import patient
from topologies.gateways.base import GatewayPlan
from topologies.gateways.openflow.gateway import OpenFlowGateway


class Liar(OpenFlowGateway):
    """A gateway that works by other settings than it is given: `really` has them."""

    really: ClassVar[dict[str, Any]] = {}

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start with other settings than the plan's."""
        settings = plan.settings.model_copy(update=cls.really)
        return super().prepare(dataclasses.replace(plan, settings=settings))


class OtherCode(Liar):
    """A gateway that sends ICMP errors with the code 1."""

    really: ClassVar[dict[str, Any]] = {"icmp_code": 1}


class Mute(Liar):
    """A gateway that drops refused packets silently."""

    really: ClassVar[dict[str, Any]] = {"on_exhaustion": "drop"}


class Talkative(Liar):
    """A gateway that answers refused packets with a reset."""

    really: ClassVar[dict[str, Any]] = {"on_exhaustion": "reset"}


class Slow(Liar):
    """A gateway that holds a packet for a second and a half before it answers."""

    really: ClassVar[dict[str, Any]] = {"on_exhaustion": "hold", "hold_timeout": 1.5, "fallback": "icmp"}


class Stingy(Liar):
    """A gateway with three ports, whatever is set."""

    really: ClassVar[dict[str, Any]] = {"ports": 3}


class Endless(Liar):
    """A gateway with more ports than it declares."""

    really: ClassVar[dict[str, Any]] = {"ports": 128}


class Hasty(Liar):
    """A gateway that gives the port of a closed connection again after half the time."""

    really: ClassVar[dict[str, Any]] = {"tcp_trans_close_timeout": 1}


class Clinging(Liar):
    """A gateway that keeps the port of a reset connection for six times as long as it declares, or longer.

    On a slow machine that has to be beyond what is granted there, however differently this process and the run's
    measure it.
    """

    really: ClassVar[dict[str, Any]] = {"tcp_rst_timeout": patient(12.0)}


class Careless(Liar):
    """A gateway that holds no port down, and takes a half-closed connection for one that has ended."""

    really: ClassVar[dict[str, Any]] = {"hold_down_timeout": 0, "tcp_idle_timeout": 1}


class Impatient(Liar):
    """A gateway that forgets a silent flow after half the time that it declares."""

    really: ClassVar[dict[str, Any]] = {"udp_timeout": 0.7}


class Nostalgic(Liar):
    """A gateway that remembers silent flows for longer than it declares."""

    really: ClassVar[dict[str, Any]] = {"tcp_idle_timeout": 60}


class Unforgiving(Liar):
    """A gateway that keeps a silent flow's port for a minute, whatever it declares."""

    really: ClassVar[dict[str, Any]] = {"udp_timeout": 60}
