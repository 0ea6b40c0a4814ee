"""The one YAML file that the controller starts with: the settings, and how the gateway is wired.

The gateway writes this file, since the topology knows the wiring. The controller reads it, and nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from controller.nat.model import Side as Side
from controller.settings import Settings

ETHERNET_MTU = 1500
"""The most bytes of an IPv4 packet on a link, unless it has less room."""


class Route(BaseModel):
    """A network behind a host of ours, which is the next hop to all its addresses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: ipaddress.IPv4Network
    next_hop: ipaddress.IPv4Address


class Interface(BaseModel):
    """A port of the gateway: its number, its side, and the gateway's own address there.

    All inside ports may share one address: together they are one LAN. Where there is a `next_hop`, the default
    route leaves by this port, through that router. The gateway then answers by ARP for the external addresses on
    the port's network. Its own address there may be one of them, as in most homes. `hosts` are the addresses of
    the hosts at an inside port, each as a network. `routes` lead to networks behind them: those of hosts with many
    addresses. `mtu` is the most bytes of an IPv4 packet on the link.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int
    side: Side
    address: ipaddress.IPv4Interface
    next_hop: ipaddress.IPv4Address | None = None
    hosts: tuple[ipaddress.IPv4Network, ...] = ()
    routes: tuple[Route, ...] = ()
    mtu: int = ETHERNET_MTU


def routed(interfaces: Iterable[Interface]) -> list[ipaddress.IPv4Network]:
    """Return the networks behind hosts. Adjacent ones are joined."""
    return list(ipaddress.collapse_addresses(route.network for each in interfaces for route in each.routes))


def joined(addresses: Iterable[ipaddress.IPv4Address]) -> list[ipaddress.IPv4Network]:
    """Return the fewest networks that have these addresses and no others."""
    return list(ipaddress.collapse_addresses(map(ipaddress.IPv4Network, addresses)))


class ControllerConfiguration(BaseModel):
    """Everything that a controller needs to know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: Settings
    interfaces: list[Interface]
    mac: str
    seed: int

    @property
    def own(self) -> set[ipaddress.IPv4Address]:
        """The gateway's own addresses, at which it answers for itself, without those that the NAT has."""
        return {interface.address.ip for interface in self.interfaces} - set(self.settings.external_addresses)

    @property
    def inside(self) -> Interface:
        """An inside port: all of them are one LAN, on which the gateway has one address."""
        return next(interface for interface in self.interfaces if interface.side is Side.INSIDE)

    def mtu(self, side: Side) -> int:
        """Return the most bytes of a packet that every link of a side has room for."""
        return min(interface.mtu for interface in self.interfaces if interface.side is side)

    @property
    def largest_outbound(self) -> int | None:
        """The most bytes of a packet that outside links have room for, or None if they have room for all."""
        room = self.mtu(Side.OUTSIDE)
        inside = (interface.mtu for interface in self.interfaces if interface.side is Side.INSIDE)
        return room if room < max(inside) else None

    @property
    def inside_networks(self) -> list[ipaddress.IPv4Network]:
        """The networks whose hosts are inside: the LAN, and those behind its hosts."""
        return [self.inside.address.network, *routed(self.interfaces)]

    @property
    def external_networks(self) -> list[ipaddress.IPv4Network]:
        """The external addresses as networks, as few as possible."""
        return joined(self.settings.external_addresses)

    def external_on(self, interface: Interface) -> list[ipaddress.IPv4Address]:
        """Return the external addresses that are on the network of an interface."""
        external = self.settings.external_addresses
        return [address for address in external if interface.next_hop and address in interface.address.network]

    @classmethod
    def load(cls, path: Path) -> ControllerConfiguration:
        """Return what a file contains. Raises pydantic.ValidationError if it was not written by `save`."""
        return cls.model_validate(yaml.safe_load(path.read_text()))

    def save(self, path: Path) -> None:
        """Write the configuration to a file."""
        path.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))
