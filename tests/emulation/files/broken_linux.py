"""Linux's NAT with a fault each: what a kernel would look like that no longer does what is declared of it."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import Any

from controller.settings import FIRST_PORT, Settings
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.linux import BRIDGE
from topologies.gateways.netfilter.gateway import TABLE, NetfilterGateway

MANY_ENTRIES = 1000
"""More than the connections of any test."""


class Bare(NetfilterGateway):
    """A router that translates nothing."""

    def wait_ready(self) -> None:
        """Take the NAT away."""
        self.run("nft", "flush", "chain", "ip", TABLE, "leaving")


class Telling(NetfilterGateway):
    """Tells the sender when the ports are used up."""

    def wait_ready(self) -> None:
        """Refuse one connection more than there are ports, before the search for a port can fail."""
        pool = self.plan.settings.ports * len(self.plan.settings.external_addresses)
        rule = f"ct count over {pool} reject with icmp type admin-prohibited"
        self.run("nft", f"insert rule ip {TABLE} beginning {rule}")


class Ungrateful(NetfilterGateway):
    """Throws out connections, assured or not, once datagrams have come into its table."""

    def wait_ready(self) -> None:
        """Begin to wait for that."""
        super().wait_ready()
        threading.Thread(target=self._throw_out, daemon=True).start()

    def _throw_out(self) -> None:
        while int(self.run("conntrack", "-C")) < MANY_ENTRIES:
            time.sleep(0.05)
        self.run("conntrack", "-D", "-p", "tcp", "--state", "ESTABLISHED")


class Restless(NetfilterGateway):
    """Takes the second address for every other connection, though its pooling is paired."""

    def wait_ready(self) -> None:
        """Put a rule before the one that keeps a host to its address."""
        second, ports = self.plan.settings.external_addresses[1], self.plan.settings.ports
        match = f"iifname {BRIDGE} meta l4proto {{ tcp, udp }} numgen inc mod 2 == 0"
        snat = f"snat to {second}:{FIRST_PORT}-{FIRST_PORT + ports - 1}"
        self.run("nft", f"insert rule ip {TABLE} leaving {match} {snat}")


class Boasting(NetfilterGateway):
    """Claims to find every port, as it would with a table of the free ones."""

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Claim it of as many ports as there are."""
        declared = super().declare(settings, options)
        finds = dataclasses.replace(declared.finds_every_port_of, value=settings.ports)
        return dataclasses.replace(declared, finds_every_port_of=finds)
