"""The seconds that a lab takes to start and to stop, by its number of hosts: our lab, and Mininet's own.

    python -m benchmarks.start_lab [HOSTS...]

Both are the topology home with our gateway at its default settings, each in a sandbox of its own. A lab has
started when its first and its last client have had an answer from the server. The time counts from before there is
a sandbox. It has stopped when its sandbox has ended. Ours just ends, while Mininet stops its own first. Mininet's
hosts have an advantage: they are not given the kernel settings and the checksums that ours are given.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.sandbox.enter import unshare
from testbed.sandbox.linux import die_with_parent

ROOT = Path(__file__).resolve().parent.parent
SIZES = (8, 64, 256, 1024)
OURS, STOCK = "ours", "stock"
SERVER = "198.51.100.1"
PINGS, PING_WITHIN_S = 20, 1


class StartError(Exception):
    """A lab did not start."""


@dataclass(frozen=True, slots=True)
class Times:
    """The seconds that a lab took to start and to stop."""

    start: float
    stop: float


def measure(hosts: int, kind: str) -> Times:
    """Start and stop a lab with `hosts` clients, of the kind OURS or STOCK. Raises StartError."""
    command = [
        *unshare(as_root=os.geteuid() == 0),
        sys.executable,
        "-P",
        "-m",
        "benchmarks.start_lab",
        kind,
        str(hosts),
    ]
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=die_with_parent,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        if not process.stdout.readline():
            words = process.stderr.read().strip()
            raise StartError(f"a lab with {hosts} hosts ({kind}) did not start: {words[-2000:]}")
        ready = time.monotonic()
        process.stdin.close()
        process.stdout.readline()
        process.kill()
        process.stdout.read()
        process.wait()
        return Times(start=ready - started, stop=time.monotonic() - ready)


def live(kind: str, hosts: int) -> None:
    """Be a lab, as the first process of a new sandbox: report that it has started, and stop when stdin ends."""
    import socket

    from testbed.sandbox import mounts, openvswitch
    from testbed.sandbox.linux import prepare_network
    from testbed.sandbox.supervision import Supervisor

    mounts.prepare()
    prepare_network()
    nobody, _ = ends = socket.socketpair()
    openvswitch.start(Supervisor(nobody))
    net = built(kind, hosts)
    for client in {net.topo.clients[0], net.topo.clients[-1]}:
        _await_answer(net[client])
    print("started", flush=True)
    sys.stdin.read()
    if kind == STOCK:
        net.stop()
    print("stopped", flush=True)
    del ends


def built(kind: str, hosts: int) -> Any:
    """Build and start the network of a lab, and wait until its gateway translates."""
    from mininet.link import Link
    from mininet.log import setLogLevel
    from mininet.net import Mininet
    from mininet.node import Host

    from testbed.traffic.drive import raise_open_files
    from topologies.home import Home
    from topologies.network.nodes import LabLink

    class StockHome(Home):
        """The same network with Mininet's own hosts."""

        def addHost(self, name: str, **params: Any) -> Any:  # noqa: N802 (Mininet's name)
            """Add a host as any user of Mininet does."""
            address, *_ = params["addresses"]
            return super().addHost(name, cls=Host, ip=address, defaultRoute=f"via {params['gateway']}")

    setLogLevel("critical")
    raise_open_files()
    Mininet.inited = True
    topology, link = (Home, LabLink) if kind == OURS else (StockHome, Link)
    net = Mininet(topo=topology(clients=hosts), link=link, controller=None, build=False)
    net.build()
    net.start()
    net["gateway"].wait_ready()
    return net


def _await_answer(host: Any) -> None:
    """Return when the server has answered a ping. Raises StartError."""
    netns = getattr(host, "netns", None) or f"/proc/{host.pid}/ns/net"
    ping = ["nsenter", f"--net={netns}", "ping", "-c", "1", "-W", str(PING_WITHIN_S), SERVER]
    for _ in range(PINGS):
        if subprocess.run(ping, stdout=subprocess.DEVNULL, check=False).returncode == 0:
            return
    raise StartError(f"{host.name} had no answer from the server")


def main() -> None:
    """Measure labs of both kinds and of several sizes, and print a table."""
    sizes = [int(word) for word in sys.argv[1:]] or SIZES
    print(
        f"{'hosts':>6}"
        + "".join(f"{kind + ' ' + what:>14}" for kind in (OURS, STOCK) for what in ("start", "stop"))
    )
    for hosts in sizes:
        row = [measure(hosts, kind) for kind in (OURS, STOCK)]
        print(
            f"{hosts:6,}" + "".join(f"{seconds:14.2f}" for times in row for seconds in (times.start, times.stop))
        )


if __name__ == "__main__":
    if sys.argv[1:2] in ([OURS], [STOCK]):
        live(sys.argv[1], int(sys.argv[2]))
    else:
        main()
