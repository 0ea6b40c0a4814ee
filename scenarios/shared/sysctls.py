"""The sysctls by which Linux's TCP gives up connecting: each network namespace has its own."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from testbed.api import network_of

IPV4 = Path("/proc/sys/net/ipv4")


def set_syn_retries(netns: str, retries: int) -> None:
    """Set tcp_syn_retries in a network namespace."""
    with network_of(netns):
        (IPV4 / "tcp_syn_retries").write_text(str(retries))


def linear_timeouts(netns: str | None = None) -> int:
    """Read tcp_syn_linear_timeouts in a network namespace, by default ours; kernels before 6.5 have none."""
    path = IPV4 / "tcp_syn_linear_timeouts"
    with network_of(netns) if netns else nullcontext():
        return int(path.read_text()) if path.exists() else 0
