"""slirp4netns as the NAT under test: the user-mode network of rootless containers.

The inside hosts stand where the processes of a container would be. Their packets are routed from the LAN to the
program's tap interface, and to nowhere else. Its sockets leave by the WAN interface, whose address is the external
one. The ports are those from which the kernel of the namespace draws.
"""

from __future__ import annotations

import ipaddress
import os
import select
import subprocess
from collections.abc import Sequence
from typing import Any, ClassVar

from mininet.node import Switch

from controller.settings import Settings
from controller.wiring import Interface
from topologies.gateways.base import Gateway, GatewayError, GatewayPlan, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.following import require_one_range
from topologies.gateways.program.gateway import require_two, sides
from topologies.gateways.slirp import facts
from topologies.gateways.strangers import StrangersProcess
from topologies.network.nodes import TunedNode
from topologies.network.sysctls import write_sysctls

TAP, TABLE = "tap0", 100
NETWORK = ipaddress.IPv4Network("192.168.127.0/24")
"""The program's own network, in which it is .2; one that no host of a lab is in."""
READY_WITHIN_S = 20.0


class SlirpGateway(TunedNode, Switch, Gateway):
    """slirp4netns, the NAT of rootless containers."""

    settings: ClassVar[dict[str, Any]] = facts.DEFAULTS
    restrictions = facts.RESTRICTIONS
    followed = facts.FOLLOWED
    topology: ClassVar[str | None] = "edge"
    needs: ClassVar[tuple[str, ...]] = ("nsenter", "slirp4netns")

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for what it cannot follow."""
        super().check(settings, options)
        require_one_range(settings, "the kernel's ip_local_port_range is one")

    @classmethod
    def check_wiring(cls, _settings: Settings, _options: Any, interfaces: Sequence[Interface]) -> None:
        """Raise ConfigurationError unless there is one interface on each side."""
        require_two(interfaces)

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what it does under these settings."""
        return facts.behaviour(settings)

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Start nothing: the program needs the namespace."""
        return {"plan": plan, "inNamespace": True}

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        super().__init__(name, dpid="1", **params)
        self._plan = plan
        self._process: StrangersProcess | None = None

    def start(self, _controllers: list[Any]) -> None:
        """Make a router of the namespace, start the program, and route from the LAN to it."""
        assert self.namespace is not None
        lan, wan = sides(self._plan.interfaces)
        inside, outside = (self.intfs[each.port].name for each in (lan, wan))
        first, last = self._plan.settings.port_set[0], self._plan.settings.port_set[-1]
        self._ip(
            *(f"link set {name} address {self._plan.mac} up" for name in (inside, outside)),
            f"address add {lan.address} dev {inside}",
            f"address add {wan.address} dev {outside}",
            *([f"route add default via {wan.next_hop}"] if wan.next_hop else []),
            # Until the program is there, and when it goes, nothing of the LAN may pass.
            f"route add unreachable default metric {TABLE} table {TABLE}",
            f"rule add iif {inside} lookup {TABLE}",
        )
        with self.namespace.entered():
            write_sysctls({"net/ipv4/ip_forward": "1", "net/ipv4/ip_local_port_range": f"{first} {last}"})
        self._start_program()
        self._ip(
            f"link set {TAP} up",
            f"address add {NETWORK[100]}/{NETWORK.prefixlen} dev {TAP}",
            f"route add default via {NETWORK[2]} dev {TAP} table {TABLE}",
        )
        with self.namespace.entered():  # the program asks for each host by ARP
            write_sysctls({f"net/ipv4/conf/{TAP}/proxy_arp": "1"})

    def processes(self) -> list[SupervisedProcess]:
        """Return the program's process."""
        return [] if self._process is None else [self._process.supervised]

    def environment(self) -> dict[str, str]:
        """Return the versions of the program and its library."""
        printed = subprocess.run(["slirp4netns", "--version"], capture_output=True, text=True, check=False).stdout
        lines = [line.partition(": ") for line in printed.splitlines()]
        return {
            "slirp4netns": lines[0][0].removeprefix("slirp4netns version ") if lines else "",
            **{name: value for name, _, value in lines if name == "libslirp"},
        }

    def _ip(self, *lines: str) -> None:
        command = ["nsenter", f"--net={self.netns}", "ip", "-batch", "-"]
        done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False)
        if done.returncode:
            raise GatewayError(f"ip -batch failed: {done.stderr.strip()}")

    def _start_program(self) -> None:
        """Start it, and wait until it says that its tap interface is there."""
        ours, theirs = os.pipe()
        command = ["slirp4netns", "--netns-type=path", "--disable-host-loopback", "--disable-dns", "--mtu=1500"]
        self._process = StrangersProcess(
            self._plan,
            "slirp4netns",
            [
                "nsenter",
                f"--net={self.netns}",
                *command,
                f"--cidr={NETWORK}",
                f"--ready-fd={theirs}",
                self.netns,
                TAP,
            ],
            folder=self._plan.folder,
            environment={},
            passed=[theirs],
        )
        os.close(theirs)
        is_told, _, _ = select.select([ours], [], [], READY_WITHIN_S)
        told = os.read(ours, 1) if is_told else b""
        os.close(ours)
        if not told:
            raise self._process.error("did not start")
