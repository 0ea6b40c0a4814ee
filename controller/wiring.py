"""The one YAML file that the controller is started with: the settings, and how the gateway is wired.

The topology knows the wiring and writes this file; the controller reads it, and asks nobody else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from controller.nat.model import Side as Side
from controller.settings import Settings


class Route(BaseModel):
    """A network behind a host of ours, which is the next hop to all its addresses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: ipaddress.IPv4Network
    next_hop: ipaddress.IPv4Address


class Interface(BaseModel):
    """A port of the gateway: which switch port, which side, and the gateway's own address there.

    All inside ports may share one address: together they are one LAN. Where there is a `next_hop`, the default
    route leaves by this port, through that router; and external addresses on its network are the gateway's own
    there: it answers for them by ARP. The gateway's address there may be one of them, as in most homes. `routes`
    lead to networks behind hosts at an inside port: those of hosts with many addresses.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int
    side: Side
    address: ipaddress.IPv4Interface
    next_hop: ipaddress.IPv4Address | None = None
    routes: tuple[Route, ...] = ()


def routed(interfaces: Iterable[Interface]) -> list[ipaddress.IPv4Network]:
    """Return the networks behind hosts, those that adjoin as one."""
    return list(ipaddress.collapse_addresses(route.network for each in interfaces for route in each.routes))


class ControllerConfiguration(BaseModel):
    """Everything that a controller needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: Settings
    interfaces: list[Interface]
    mac: str
    seed: int

    @property
    def own(self) -> set[ipaddress.IPv4Address]:
        """The addresses at which the gateway itself is spoken to: its own, without those that the NAT has."""
        return {interface.address.ip for interface in self.interfaces} - set(self.settings.external_addresses)

    @classmethod
    def load(cls, path: Path) -> ControllerConfiguration:
        """Read the file. Raises pydantic.ValidationError if it was not written by `save`."""
        return cls.model_validate(yaml.safe_load(path.read_text()))

    def save(self, path: Path) -> None:
        """Write the file."""
        path.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))
