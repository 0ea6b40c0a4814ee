"""passt as the NAT under test: the user-mode network of rootless virtual machines and containers.

It serves one guest, and sends all answers to the address that it saw last. So each inside host has a `pasta`
(passt for a network namespace) with a tap interface of its own, as each guest of a machine has. What it has in
common with other NATs in user space is in `topologies/gateways/relay.py`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, ClassVar

from controller.settings import Settings
from topologies.gateways.base import GatewayError, GatewayPlan, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.passt import facts
from topologies.gateways.relay import READY_WITHIN_S, TABLE, RelayGateway
from topologies.gateways.versions import printed
from topologies.network.hosts import AccessSwitch, other_end
from topologies.network.sysctls import write_sysctls

NETWORK = ipaddress.IPv4Network("192.168.127.0/24")
"""The program's own network, one that no host of a lab is in."""
ROUTER, GUEST, OWN = NETWORK[1], NETWORK[2], NETWORK[100]
"""The addresses of the program, of the guest that it would configure if it were asked to, and of a tap."""
PASTA = (
    *("pasta", "--foreground", "--quiet", "--runas", "0", "--ipv4-only", "--netns-only", "--no-netns-quit"),
    *("--mtu", "1500", "--no-map-gw", "--no-dhcp", "-t", "none", "-u", "none", "-T", "none", "-U", "none"),
    *("--address", str(GUEST), "--netmask", str(NETWORK.prefixlen), "--gateway", str(ROUTER)),
)
OWN_NETNS = "/proc/self/ns/net"
"""Its tap is in the namespace in which it runs. It gives up the rights to open another one by its path."""
PING_GROUPS = {"net/ipv4/ping_group_range": "0 2147483647"}
"""As systemd sets it on a machine: otherwise the program has no sockets for pings."""
ASK_EVERY_S = 0.01


class PasstGateway(RelayGateway):
    """passt, the NAT of rootless virtual machines and containers."""

    settings: ClassVar[dict[str, Any]] = facts.DEFAULTS
    restrictions = facts.RESTRICTIONS
    followed = facts.FOLLOWED
    needs: ClassVar[tuple[str, ...]] = ("nsenter", "pasta")

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what it does under these settings."""
        return facts.behaviour(settings)

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        super().__init__(name, plan, **params)
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def start_programs(self) -> None:
        """Start a program for each host, and route from the host to the program's tap."""
        assert self.namespace is not None
        with self.namespace.entered():
            write_sysctls(PING_GROUPS)
        hosts = {f"tap{number}": host for number, host in enumerate(self._hosts(), 1)}
        for number, tap in enumerate(hosts, 1):
            self._start_program(tap, f"02:00:00:00:{number >> 8:02x}:{number & 0xFF:02x}")
        for tap in hosts:
            self._wait_for(tap)
        for number, (tap, host) in enumerate(hosts.items(), TABLE + 1):
            self.ip(
                f"link set {tap} up",
                f"address add {OWN}/32 dev {tap}",
                f"route add default via {ROUTER} dev {tap} onlink table {number}",
                f"rule add from {host} iif {self.inside} lookup {number} priority {TABLE}",
            )

    def processes(self) -> list[SupervisedProcess]:
        """Return the programs' processes."""
        return [self._supervised(tap) for tap in self._programs]

    def environment(self) -> dict[str, str]:
        """Return the version of the program, if it is known."""
        found = printed(*facts.PACKAGE)
        return {"passt": found} if found else {}

    def _hosts(self) -> list[str]:
        """Return the addresses of the inside hosts: those at a switch, or the one at the end of the cable."""
        ours = self.intfs[self._lan.port]
        far = other_end(ours)
        if not isinstance(far.node, AccessSwitch):
            return [str(far.ip)]
        ends = (other_end(each) for each in far.node.intfList() if each is not far)
        return [str(end.ip) for end in ends]

    def _start_program(self, tap: str, mac: str) -> None:
        where = ("--netns", OWN_NETNS, "--ns-ifname", tap, "--mac-addr", mac)
        out = ("--interface", self.outside, "--outbound-if4", self.outside)
        command = ["nsenter", f"--net={self.netns}", *PASTA, *where, *out]
        with self._log_of(tap).open("wb") as log:
            self._programs[tap] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.plan.watch(self._supervised(tap))

    def _log_of(self, tap: str) -> Path:
        return self.plan.folder / f"pasta-{tap}.log"

    def _supervised(self, tap: str) -> SupervisedProcess:
        return SupervisedProcess(f"pasta ({tap})", self._programs[tap].pid, self._log_of(tap))

    def _wait_for(self, tap: str) -> None:
        """Wait until a program has made its tap interface. Raises GatewayError."""
        assert self.namespace is not None
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            with self.namespace.entered(), contextlib.suppress(OSError):
                socket.if_nametoindex(tap)
                return
            if self._programs[tap].poll() is not None or time.monotonic() > deadline:
                words = self._log_of(tap).read_text(errors="replace").strip().splitlines()
                raise GatewayError(f"pasta did not start: {words[-1] if words else 'it has printed nothing'}")
            time.sleep(ASK_EVERY_S)
