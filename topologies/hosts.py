"""Hosts, plain routers and plain switches: Mininet's, with what NAT experiments need of the kernel."""

from __future__ import annotations

from typing import Any

from mininet.node import Host, Switch

SYSCTLS = {
    # Router solicitations would be noise on every link.
    "net/ipv6/conf/all/disable_ipv6": "1",
    # By default Linux tells of about one unreachable destination a second, and experiments tell of all.
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


class LabHost(Host):
    """A host in a network namespace of its own."""

    def config(self, addresses: tuple[str, ...] = (), gateway: str = "", **_params: Any) -> dict[str, Any]:
        """Configure the host once its link is there.

        One line for all, where Mininet takes several: each is a round trip to the host's shell.
        """
        lines = [*_set(SYSCTLS), "ip link set lo up", *_interface_up("eth0", addresses)]
        _run(self, [*lines, f"ip route add default via {gateway}"])
        interface = self.defaultIntf()
        interface.ip, interface.prefixLen = addresses[0].split("/")
        return {}


class Router(Host):
    """A router that knows the networks on its links, and translates nothing."""

    def config(self, interfaces: dict[str, str] | None = None, **_params: Any) -> dict[str, Any]:
        """Configure the router once its links are there; `interfaces` has each one's address and prefix length."""
        lines = [*_set(SYSCTLS), "echo 1 > /proc/sys/net/ipv4/ip_forward", "ip link set lo up"]
        for name, address in (interfaces or {}).items():
            lines += _interface_up(name, (address,))
            interface = self.intf(name)
            interface.ip, interface.prefixLen = address.split("/")
        _run(self, lines)
        return {}


class AccessSwitch(Switch):
    """A plain learning switch: a Linux bridge in a network namespace of its own, with all its links as ports."""

    def start(self, _controllers: list[Any]) -> None:
        """Make the bridge. The shell reads no line of more than 4,096 bytes, so it finds the ports itself."""
        to_port = r"s/^[0-9]*: \([^@]*\)@.*/link set \1 master lan up/p"
        lines = [*_set(SYSCTLS), "ip link add name lan type bridge", "ip link set lan up"]
        _run(self, [*lines, f"ip -o link show type veth | sed -n '{to_port}' | ip -batch -"])


def _set(sysctls: dict[str, str]) -> list[str]:
    return [f"[ ! -e /proc/sys/{key} ] || echo {value} > /proc/sys/{key}" for key, value in sysctls.items()]


def _interface_up(name: str, addresses: tuple[str, ...]) -> list[str]:
    return [
        # In Open vSwitch's userspace datapath TCP never connects with checksums left to hardware.
        f"ethtool -K {name} tx off rx off > /dev/null",
        *[f"ip address add {address} dev {name}" for address in addresses],
        f"ip link set {name} up",
    ]


def _run(node: Any, lines: list[str]) -> None:
    complaints = node.cmd("; ".join(lines))
    if complaints:
        raise RuntimeError(f"{node.name} could not be configured: {complaints.strip()}")
