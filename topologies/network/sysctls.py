"""The kernel's settings in every network namespace of a lab: hosts, servers, routers, gateways and switches.

A new namespace takes some of the machine's own settings over, such as `ip_forward`, the congestion control and the
sizes of buffers, and others are what this kernel has by default. Neither may decide what a NAT seems to do, so
each setting that can is written here, once, with its value. Without a remark it is the value that Linux has unless
somebody changes it.

Settings that only the whole machine has cannot be written in a lab. `OF_THE_MACHINE` lists those that matter.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Mapping

PROC = "/proc/sys"


def _of_interfaces(**settings: int) -> dict[str, str]:
    """Return settings that each interface has: those in force for all, and those of each that is made later."""
    places = ("all", "default")
    return {f"net/ipv4/conf/{place}/{key}": str(value) for key, value in settings.items() for place in places}


EVERYWHERE: Mapping[str, str] = {
    # A host that forwards answers for its neighbours. This comes first, since it changes other settings.
    "net/ipv4/ip_forward": "0",
    # Router solicitations would be noise on every link.
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    # Packets are dropped by the NAT and its rules only; no route changes; an address belongs to its interface.
    **_of_interfaces(
        **{"rp_filter": 0, "accept_local": 0, "accept_source_route": 0, "route_localnet": 0},
        **{"accept_redirects": 0, "send_redirects": 0},
        **{"arp_accept": 0, "arp_announce": 0, "arp_filter": 0, "arp_ignore": 0, "arp_notify": 0},
        **{"drop_gratuitous_arp": 0, "proxy_arp": 0, "log_martians": 0},
    ),
    # By default Linux sends about one ICMP error a second to a host, and 1,000 to all. Experiments count them.
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/icmp_ratemask": "0",
    "net/ipv4/icmp_echo_ignore_all": "0",
    "net/ipv4/icmp_echo_ignore_broadcasts": "1",
    "net/ipv4/ip_default_ttl": "64",
    "net/ipv4/ip_no_pmtu_disc": "0",
    "net/ipv4/ip_nonlocal_bind": "0",
    # A client may need more than the 28,232 ports of the default range, and the first ones as well.
    "net/ipv4/ip_local_port_range": "1024 65535",
    "net/ipv4/ip_local_reserved_ports": "",
    "net/ipv4/ip_unprivileged_port_start": "1024",
    # Sockets that ping, as icmp(7) has them, for root's group.
    "net/ipv4/ping_group_range": "0 0",
    "net/core/somaxconn": "4096",
    "net/ipv4/tcp_max_syn_backlog": "4096",
    "net/ipv4/tcp_abort_on_overflow": "0",
    "net/ipv4/tcp_syncookies": "1",
    "net/ipv4/tcp_syn_retries": "6",
    "net/ipv4/tcp_syn_linear_timeouts": "4",
    "net/ipv4/tcp_synack_retries": "5",
    "net/ipv4/tcp_retries2": "15",
    "net/ipv4/tcp_orphan_retries": "0",
    "net/ipv4/tcp_fin_timeout": "60",
    # A second fill must not wait for the first one's ports to leave TIME_WAIT. The number depends on the memory.
    "net/ipv4/tcp_tw_reuse": "1",
    "net/ipv4/tcp_tw_reuse_delay": "1000",
    "net/ipv4/tcp_max_tw_buckets": "262144",
    "net/ipv4/tcp_timestamps": "1",
    "net/ipv4/tcp_sack": "1",
    "net/ipv4/tcp_window_scaling": "1",
    "net/ipv4/tcp_ecn": "2",
    "net/ipv4/tcp_fastopen": "1",
    "net/ipv4/tcp_mtu_probing": "0",
    "net/ipv4/tcp_no_metrics_save": "0",
    "net/ipv4/tcp_rmem": "4096 131072 6291456",
    "net/ipv4/tcp_wmem": "4096 16384 4194304",
    # The one that every kernel has.
    "net/ipv4/tcp_congestion_control": "reno",
    # Frames on a bridge are not for packet filters, where the module br_netfilter would pass them on.
    "net/bridge/bridge-nf-call-arptables": "0",
    "net/bridge/bridge-nf-call-ip6tables": "0",
    "net/bridge/bridge-nf-call-iptables": "0",
}
"""What is written in each namespace, as far as its kernel has it."""
FORWARDING: Mapping[str, str] = {**EVERYWHERE, "net/ipv4/ip_forward": "1"}
"""What is written in the namespace of a router."""
ASKING_AS_ITSELF: Mapping[str, str] = {"net/ipv4/conf/all/arp_announce": "2"}
"""By default a host's ARP request comes from whichever of its addresses the waiting packet is from."""

OF_THE_MACHINE: Mapping[str, int | None] = {
    "net/core/devconf_inherit_init_net": None,
    "net/core/netdev_max_backlog": 1000,
    "net/core/rmem_default": 212992,
    "net/core/rmem_max": 212992,
    "net/core/wmem_default": 212992,
    "net/core/wmem_max": 212992,
    "net/ipv4/neigh/default/base_reachable_time_ms": None,
    "net/ipv4/neigh/default/retrans_time_ms": None,
    "net/ipv4/neigh/default/ucast_solicit": None,
    "net/ipv4/neigh/default/unres_qlen_bytes": None,
    "net/ipv4/neigh/default/gc_thresh1": 128,
    "net/ipv4/neigh/default/gc_thresh2": 512,
    "net/ipv4/neigh/default/gc_thresh3": 1024,
    "net/ipv4/tcp_max_orphans": 4096,
    "net/ipv4/tcp_mem": None,
    "net/ipv4/udp_mem": None,
    "net/netfilter/nf_conntrack_max": None,
    "fs/file-max": 65536,
    "fs/nr_open": 65536,
    "kernel/pid_max": 32768,
    "kernel/threads-max": None,
}
"""Settings that the whole machine has and that matter, with the least value that serves every lab, if one is
known. It is what Linux has by default, or less."""


def write_sysctls(sysctls: Mapping[str, str]) -> None:
    """Set those of these that the kernel has, in the network namespace that this process is in. Raises OSError."""
    for key, value in sysctls.items():
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(f"{PROC}/{key}", os.O_WRONLY)
            try:
                os.write(descriptor, f"{value}\n".encode())
            finally:
                os.close(descriptor)


def read_sysctls(keys: Collection[str]) -> dict[str, str]:
    """Return those of these that the kernel has, in the network namespace that this process is in."""
    found = {}
    for key in keys:
        with contextlib.suppress(OSError), open(f"{PROC}/{key}") as file:
            found[key] = " ".join(file.read().split())
    return found
