"""The packets that a queue of the machine had no room for, as the kernel and Open vSwitch count them.

Nobody decided on these packets. A NAT that never got a packet has not refused it.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from testbed.sandbox.linux import network_of

PACKET_INS = "the switch's queue for the controller"
UPCALLS = "the switch's cache"
BRIDGE = "the switch's ports"
DATAGRAMS = "the hosts' datagram sockets"
CONNECTIONS = "the hosts' listening sockets"
BACKLOG = "the kernel's queues of received packets"

COVERED = {
    "packet_in_overflow": PACKET_INS,
    "rconn_overflow": PACKET_INS,
    "datapath_drop_upcall_error": UPCALLS,
    "datapath_drop_lock_error": UPCALLS,
}
"""Open vSwitch's own names (ovs-appctl coverage/show), and the queue that each is about."""
_COVERED = re.compile(r"^(\w+) .*total: (\d+)$", re.MULTILINE)
_SOCKET_DROPS = re.compile(r"\bd(\d+)\)")
"""Of a socket's memory as ss(8) prints it: the packets that it had no room for."""
_WITHIN_S = 10.0


def counted() -> Counter[str]:
    """Return the losses of the whole machine so far: the difference of two calls counts."""
    lines = Path("/proc/net/softnet_stat").read_text().splitlines()
    return Counter({BACKLOG: sum(int(line.split()[1], 16) for line in lines)})


def losses(hosts: Iterable[str], since: Counter[str]) -> dict[str, int]:
    """Return the packets lost in a sandbox, by the queue. `hosts` are the hosts' network namespaces.

    `since` is what `counted` returned when the run began.
    """
    lost = counted()
    lost.subtract(since)
    lost += _of_switch()
    for netns in hosts:
        with network_of(netns):
            lost += _of_host()
    return {queue: number for queue, number in lost.items() if number > 0}


def packets(hosts: Iterable[str]) -> int:
    """Return the number of packets that came to these hosts, by their network namespaces."""
    came = 0
    for netns in hosts:
        with network_of(netns):
            lines = Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
        came += sum(int(line.partition(":")[2].split()[1]) for line in lines)
    return came


def lost_in_switch() -> int:
    """Return the number of packets so far that a queue of the switch had no room for."""
    return sum(_of_switch().values())


def of_switch(coverage: str, sockets: str) -> Counter[str]:
    """Return the losses of a switch, from what `ovs-appctl coverage/show` and `ss` print of it."""
    lost: Counter[str] = Counter()
    for name, total in _COVERED.findall(coverage):
        if name in COVERED:
            lost[COVERED[name]] += int(total)
    lost[BRIDGE] += sum(map(int, _SOCKET_DROPS.findall(sockets)))
    return lost


def _of_switch() -> Counter[str]:
    return of_switch(_printed("ovs-appctl", "coverage/show"), _printed("ss", "--packet", "--numeric", "--memory"))


def _of_host() -> Counter[str]:
    """Return the losses in the network namespace that this thread is in."""
    here = Path("/proc/thread-self/net")
    tables = table(here / "snmp") | table(here / "netstat")
    return Counter(
        {
            DATAGRAMS: tables.get("Udp:RcvbufErrors", 0),
            CONNECTIONS: tables.get("TcpExt:ListenDrops", 0) + tables.get("TcpExt:TCPBacklogDrop", 0),
        }
    )


def table(path: Path) -> dict[str, int]:
    """Return a table whose lines come in pairs: names, then values, each after the name of the part."""
    found: dict[str, int] = {}
    lines = path.read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        part, *columns = names.split()
        found |= {f"{part}{name}": int(value) for name, value in zip(columns, values.split()[1:], strict=True)}
    return found


def _printed(*command: str) -> str:
    """Return what a program prints. There may be no switch in a sandbox, and then nothing was lost in it."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
