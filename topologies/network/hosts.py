"""Hosts, plain routers and plain switches: Mininet's, with what NAT experiments need of the kernel."""

from __future__ import annotations

import ipaddress
from typing import Any

from mininet.node import Host, Switch

from topologies.network.namespaces import write_sysctls
from topologies.network.netlink import Kernel
from topologies.network.nodes import LabNode

SYSCTLS = {
    # Router solicitations would be noise on every link.
    "net/ipv6/conf/all/disable_ipv6": "1",
    # By default Linux sends about one ICMP error a second, and experiments count them.
    "net/ipv4/icmp_ratelimit": "0",
    # A client may need more than the 28,232 ports of the default range.
    "net/ipv4/ip_local_port_range": "1024 65535",
    # A second fill must not wait for the first one's ports to leave TIME_WAIT.
    "net/ipv4/tcp_tw_reuse": "1",
    # Sockets that ping, as icmp(7) has them, for root's group.
    "net/ipv4/ping_group_range": "0 0",
    "net/core/somaxconn": "4096",
    "net/ipv4/tcp_max_syn_backlog": "4096",
}
"""What is set in each host's own network namespace, as far as its kernel has it."""
ASKING_AS_ITSELF = {"net/ipv4/conf/all/arp_announce": "2"}
"""By default a host's ARP request comes from whichever of its addresses the waiting packet is from."""
FORWARDING = {"net/ipv4/ip_forward": "1"}


class _Tuned(LabNode):
    """A node whose namespace has these settings, and its loopback interface up, from the start."""

    sysctls = SYSCTLS

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802 (Mininet's name)
        """Make the network namespace, with these settings."""
        super().startShell(mnopts)
        assert self.namespace is not None
        with self.namespace.entered(), Kernel() as kernel:
            write_sysctls(self.sysctls)
            kernel.set_up("lo")


class LabHost(_Tuned, Host):
    """A host in a network namespace of its own."""

    def config(
        self,
        addresses: tuple[str, ...] = (),
        gateway: str = "",
        own: ipaddress.IPv4Network | None = None,
        **_params: Any,
    ) -> dict[str, Any]:
        """Configure the host once its link is there; every address of the network `own` is the host's as well."""
        with self.kernel() as kernel:
            _give(kernel, self.defaultIntf(), addresses)
            kernel.add_default_route(ipaddress.IPv4Address(gateway))
            if own is not None:
                kernel.add_own_network(own)
        if own is not None:
            assert self.namespace is not None
            with self.namespace.entered():
                write_sysctls(ASKING_AS_ITSELF)
        return {}


class Router(_Tuned, Host):
    """A router that knows the networks on its links, and translates nothing."""

    sysctls = SYSCTLS | FORWARDING

    def config(self, interfaces: dict[str, str] | None = None, **_params: Any) -> dict[str, Any]:
        """Configure the router once its links are there; `interfaces` has each one's address and prefix length."""
        with self.kernel() as kernel:
            for name, address in (interfaces or {}).items():
                _give(kernel, self.intf(name), (address,))
        return {}


class AccessSwitch(_Tuned, Switch):
    """A plain learning switch: a Linux bridge in a network namespace of its own, with all its links as ports."""

    def start(self, _controllers: list[Any]) -> None:
        """Make the bridge, and wait until each of its links is in use."""
        with self.kernel() as kernel:
            kernel.add_bridge("lan")
            for interface in self.intfList():
                kernel.join(interface.name, "lan")
            kernel.set_up("lan")
            for interface in self.intfList():
                kernel.wait_connected(interface.name)


def _give(kernel: Kernel, interface: Any, addresses: tuple[str, ...]) -> None:
    """Give an interface of ours its addresses; Mininet knows the first."""
    # In Open vSwitch's userspace datapath TCP never connects with checksums left to hardware.
    kernel.complete_checksums(interface.name)
    for address in addresses:
        kernel.add_address(ipaddress.IPv4Interface(address), interface.name)
    interface.ip, interface.prefixLen = addresses[0].split("/")
