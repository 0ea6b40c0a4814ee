"""What a scenario may ask of any NAT under test, whatever it is made of.

A gateway is a Mininet node and a subclass of `Gateway`. It is told its settings and its wiring before the
network is built, and starts with the network. What it can do, and what it does by default, is data: a setting
that it cannot follow is refused before anything starts, never ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface
from topologies.gateways.behaviour import Behaviour


class Options(BaseModel):
    """What can be chosen about one kind of gateway only. A subclass has fields with descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Restriction:
    """A setting that a gateway can follow only in part: the values that it can, and why no others."""

    key: str
    allowed: tuple[Any, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What a gateway needs to know; `folder` is for its files, and private to this gateway and run."""

    settings: Settings
    options: Options
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

    settings: ClassVar[dict[str, Any]] = {}
    """Its own defaults, for what it does otherwise than ours. Profile, scenario and user override them."""
    Options: ClassVar[type[Options]] = Options
    """Its own settings; they share the one name space of `--set`."""
    restrictions: ClassVar[tuple[Restriction, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    """What only this gateway needs of the machine, by the names that `lastport doctor` gives it."""

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for what this gateway cannot do."""
        for restriction in cls.restrictions:
            value = getattr(settings, restriction.key)
            if value not in restriction.allowed:
                allowed = " or ".join("null" if each is None else str(each) for each in restriction.allowed)
                shown = "null" if value is None else value
                raise ConfigurationError(
                    f"setting {restriction.key}={shown} is not possible with this gateway: {restriction.reason}; "
                    f"take {restriction.key}={allowed}, or another --gateway"
                )

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what it does under these settings, each fact with its source."""
        raise NotImplementedError

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

    def flush(self) -> None:
        """End every mapping at once, as an operator does; their ports are free as soon as for any other ending."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Return what it is made of: programs and their versions, for the results."""
        raise NotImplementedError
