"""slirp4netns as the NAT under test: the user-mode network of rootless containers.

What it has in common with other NATs in user space is in `topologies/gateways/relay.py`. One program serves all
inside hosts.
"""

from __future__ import annotations

import ipaddress
import os
import select
from typing import Any, ClassVar

from controller.settings import Settings
from topologies.gateways.base import GatewayPlan, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.relay import READY_WITHIN_S, TABLE, RelayGateway
from topologies.gateways.slirp import facts
from topologies.gateways.strangers import StrangersProcess
from topologies.gateways.versions import printed
from topologies.network.sysctls import write_sysctls

TAP = "tap0"
NETWORK = ipaddress.IPv4Network("192.168.127.0/24")
"""The program's own network, in which it is .2; one that no host of a lab is in."""


class SlirpGateway(RelayGateway):
    """slirp4netns, the NAT of rootless containers."""

    settings: ClassVar[dict[str, Any]] = facts.DEFAULTS
    restrictions = facts.RESTRICTIONS
    followed = facts.FOLLOWED
    needs: ClassVar[tuple[str, ...]] = ("nsenter", "slirp4netns")

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what it does under these settings."""
        return facts.behaviour(settings)

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        super().__init__(name, plan, **params)
        self._process: StrangersProcess | None = None

    def start_programs(self) -> None:
        """Start the program, and route from the LAN to it."""
        assert self.namespace is not None
        self._start_program()
        self.ip(
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
        return facts.versions(printed(*facts.ASK))

    def _start_program(self) -> None:
        """Start it, and wait until it says that its tap interface is there."""
        ours, theirs = os.pipe()
        command = ["slirp4netns", "--netns-type=path", "--disable-host-loopback", "--disable-dns", "--mtu=1500"]
        self._process = StrangersProcess(
            self.plan,
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
            environment={},
            passed=[theirs],
        )
        os.close(theirs)
        is_told, _, _ = select.select([ours], [], [], READY_WITHIN_S)
        told = os.read(ours, 1) if is_told else b""
        os.close(ours)
        if not told:
            raise self._process.error("did not start")
