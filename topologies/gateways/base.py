"""What a scenario may ask of any NAT under test, whatever it is made of.

A gateway is a Mininet node and a subclass of `Gateway`. It is told its settings and its wiring before the
network is built, and starts with the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.configuration import Settings
from controller.wiring import Interface


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What a gateway needs to know; `folder` is for its files, and private to this run."""

    settings: Settings
    interfaces: list[Interface]
    mac: str
    seed: int
    folder: Path
    datapath: str


@dataclass(frozen=True, slots=True)
class SupervisedProcess:
    """A process whose end is the end of the run; the tail of `log` are its last words."""

    name: str
    pid: int
    log: Path


class GatewayError(Exception):
    """The gateway did not start, or no longer answers."""


class Gateway:
    """The NAT under test."""

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Begin what takes time, and return the parameters for the node's constructor."""
        raise NotImplementedError

    def processes(self) -> list[SupervisedProcess]:
        """Return the processes that the gateway lives by."""
        raise NotImplementedError

    def wait_ready(self) -> None:
        """Return once packets are translated. Raises GatewayError after a deadline."""
        raise NotImplementedError

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return counters and gauges by their RFC 8512 names, now; None where a NAT does not know.

        `protocol` is `tcp`, `udp` or `icmp`. Raises GatewayError if there is no answer in time.
        """
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Return what it is made of: programs and their versions, for the results."""
        raise NotImplementedError
