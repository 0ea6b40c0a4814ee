"""The hosts of a lab: Mininet's, with what NAT experiments need of the kernel."""

from __future__ import annotations

from typing import Any

from mininet.node import Host

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
        lines = [f"[ ! -e /proc/sys/{key} ] || echo {value} > /proc/sys/{key}" for key, value in SYSCTLS.items()]
        # In Open vSwitch's userspace datapath TCP never connects with checksums left to hardware.
        lines.append("ethtool -K eth0 tx off rx off > /dev/null")
        lines += [f"ip address add {address} dev eth0" for address in addresses]
        lines += ["ip link set lo up", "ip link set eth0 up", f"ip route add default via {gateway}"]
        complaints = self.cmd("; ".join(lines))
        if complaints:
            raise RuntimeError(f"host {self.name} could not be configured: {complaints.strip()}")
        interface = self.defaultIntf()
        interface.ip, interface.prefixLen = addresses[0].split("/")
        return {}
