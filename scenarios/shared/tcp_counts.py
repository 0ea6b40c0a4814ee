"""What a host's kernel counts of its TCP, in the host's own network namespace."""

from __future__ import annotations

from pathlib import Path

from testbed.api import network_of

_HERE = Path("/proc/thread-self/net")


def waiting(netns: str) -> int:
    """Return the number of a host's connections in TIME-WAIT, or in FIN-WAIT-2 without a program."""
    with network_of(netns):
        (line,) = (line for line in (_HERE / "sockstat").read_text().splitlines() if line.startswith("TCP:"))
    words = line.split()
    return int(words[words.index("tw") + 1])


def resets(netns: str) -> int:
    """Return the number of RSTs that a host has sent."""
    with network_of(netns):
        lines = (_HERE / "snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("OutRsts")])
