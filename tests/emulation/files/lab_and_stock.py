"""A program that builds a lab with our nodes and links, or Mininet's own, and prints as JSON what a user sees.

    python lab_and_stock.py ours|stock

It is started as the first process of new network, mount and PID namespaces.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

from benchmarks.start_lab import built
from testbed.sandbox import mounts, openvswitch
from testbed.sandbox.linux import prepare_network
from testbed.sandbox.supervision import Supervisor


def main() -> None:
    """Prepare the namespaces, build the lab, and print what a user sees of it."""
    mounts.prepare()
    prepare_network()
    nobody, _ = ends = socket.socketpair()
    openvswitch.start(Supervisor(nobody))
    net = built(sys.argv[1], 2)
    shells = sorted(set(shells_of_hosts()))
    seen = {"user": what_a_user_sees(net), "shells": [shells, sorted(set(shells_of_hosts()))]}
    print(json.dumps(seen), flush=True)
    del ends
    os._exit(0)


def shells_of_hosts() -> list[str]:
    """Return the names of the hosts that have a shell."""
    commands = [path.read_bytes().decode() for path in Path("/proc").glob("[0-9]*/cmdline")]
    return [name for command in commands for name in re.findall(r"mininet:(alice|bob|server|mirror)", command)]


def what_a_user_sees(net: Any) -> dict[str, Any]:
    """Call Mininet's API as a user at its prompt does, and return what it returns."""
    alice, bob = net.get("alice", "bob")
    link = net.linksBetween(alice, net["gateway"])[0]
    return {
        "hosts": [host.name for host in net.hosts],
        "links": [str(each) for each in net.links],
        "interfaces": alice.intfNames(),
        "ports": [str(interface) for interface in net["gateway"].intfList()],
        "described": re.sub(r"<\w+ |pid=\w+", "", repr(alice)),
        "ip": alice.IP(),
        "mac": alice.MAC(),
        "address": alice.cmd("ip -4 -o address show dev eth0").split()[3],
        "own mac": alice.cmd("cat /sys/class/net/eth0/address").strip(),
        "interfaces in /sys": alice.cmd("ls /sys/class/net").split(),
        "route": alice.cmd("ip route show default").split(),
        "pid": os.readlink(f"/proc/{alice.pid}/ns/net") == alice.cmd("readlink /proc/self/ns/net").strip(),
        "alone": len({alice.cmd("readlink /proc/self/ns/net"), bob.cmd("readlink /proc/self/ns/net")}),
        "program": alice.pexec("cat", "/sys/class/net/eth0/address")[0].strip(),
        "ping": " 1 received" in bob.cmd("ping -c 1 -W 5 10.0.0.1"),
        "status": link.status(),
        "is up": link.intf1.isUp(),
        "down": [net.configLinkStatus("alice", "gateway", "down"), link.intf1.isUp(), link.intf2.isUp()],
        "up": [net.configLinkStatus("alice", "gateway", "up"), link.intf1.isUp(), link.intf2.isUp()],
        "ping again": " 1 received" in bob.cmd("ping -c 1 -W 5 10.0.0.1"),
        "renamed": [link.intf1.rename("eth1"), alice.intfNames(), alice.intf("eth1").isUp()],
        "deleted": [net.delLink(link), alice.intfNames(), alice.cmd("ls /sys/class/net").split()],
    }


main()
