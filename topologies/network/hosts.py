"""Hosts, plain routers and plain switches: Mininet's, with what NAT experiments need of the kernel."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mininet.node import Host, Switch

from topologies.network.netlink import Kernel
from topologies.network.nodes import TunedNode
from topologies.network.sysctls import ASKING_AS_ITSELF, FORWARDING, write_sysctls
from topologies.network.tap import tap

NEAR = "near0"
"""The interface that has a host's addresses where a process is the host's cable: `near0` - process - `eth0`."""
NEAR_QUEUE = 10_000
"""The frames that may wait there for the process."""
ROUTED = {"net/ipv4/udp_early_demux": "0"}
"""Else a connected UDP socket takes a datagram at `eth0` as well, by the route that it remembers: unfiltered."""
LAN = "lan"
"""The interface of an access switch that is its bridge."""


class LabHost(TunedNode, Host):
    """A host in a network namespace of its own."""

    def config(
        self,
        addresses: tuple[str, ...] = (),
        gateway: str = "",
        own: ipaddress.IPv4Network | None = None,
        **_params: Any,
    ) -> dict[str, Any]:
        """Configure the host once its link is there; every address of the network `own` is the host's as well."""
        self._addresses, self._router = [*map(ipaddress.IPv4Interface, addresses)], ipaddress.IPv4Address(gateway)
        with self.kernel() as kernel:
            _give(kernel, self.defaultIntf(), addresses)
            kernel.add_default_route(self._router)
            if own is not None:
                kernel.add_own_network(own)
        if own is not None:
            assert self.namespace is not None
            with self.namespace.entered():
                write_sysctls(ASKING_AS_ITSELF)
        return {}

    def behind_wire(self) -> int:
        """Move the host's addresses to a TAP device, NEAR, and return its descriptor. Raises OSError.

        `eth0` stays the end of the cable, and the kernel takes nothing that comes there. The process that has the
        descriptor carries frames between the two.
        """
        assert self.namespace is not None
        wire = self.defaultIntf()
        with self.namespace.entered():
            descriptor = tap(NEAR)
            write_sysctls({f"net/ipv4/conf/{wire.name}/rp_filter": "1", **ROUTED})
        with self.kernel() as kernel:
            kernel.silence_arp(wire.name)
            kernel.set_mac(NEAR, wire.MAC())
            kernel.set_mtu(NEAR, kernel.mtu(wire.name))
            kernel.set_queue(NEAR, NEAR_QUEUE)
            kernel.set_up(NEAR)
            for address in reversed(self._addresses):  # the others of a network go with its first
                kernel.remove_address(address, wire.name)
            for address in self._addresses:
                kernel.add_address(address, NEAR)
            kernel.add_default_route(self._router)
        return descriptor


class Router(TunedNode, Host):
    """A router that knows the networks on its links, and translates nothing."""

    sysctls = FORWARDING

    def config(self, interfaces: dict[str, str] | None = None, **_params: Any) -> dict[str, Any]:
        """Configure the router once its links are there; `interfaces` has each one's address and prefix length."""
        with self.kernel() as kernel:
            for name, address in (interfaces or {}).items():
                _give(kernel, self.intf(name), (address,))
        return {}


class AccessSwitch(TunedNode, Switch):
    """A plain learning switch: a Linux bridge in a network namespace of its own, with all its links as ports."""

    def start(self, _controllers: list[Any]) -> None:
        """Make the bridge, and wait until each of its links is in use."""
        with self.kernel() as kernel:
            kernel.add_bridge(LAN)
            for interface in self.intfList():
                kernel.join(interface.name, LAN)
            kernel.set_up(LAN)
            for interface in self.intfList():
                kernel.wait_connected(interface.name)


def other_end(interface: Any) -> Any:
    """Return the interface at the other end of a cable."""
    link = interface.link
    return link.intf2 if link.intf1 is interface else link.intf1


@contextmanager
def at_other_end(interface: Any) -> Iterator[str]:
    """Enter the namespace at the other end of an interface's cable, and give the name of what sends from there."""
    theirs = other_end(interface)
    with theirs.node.namespace.entered():
        yield LAN if isinstance(theirs.node, AccessSwitch) else theirs.name


def _give(kernel: Kernel, interface: Any, addresses: tuple[str, ...]) -> None:
    """Give an interface of ours its addresses; Mininet knows the first."""
    # In Open vSwitch's userspace datapath TCP never connects with checksums left to hardware.
    kernel.complete_checksums(interface.name)
    for address in addresses:
        kernel.add_address(ipaddress.IPv4Interface(address), interface.name)
    interface.ip, interface.prefixLen = addresses[0].split("/")
