"""Gateways with Linux's NAT and one fault each, like a kernel that no longer does what the gateway declares."""

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
"""More entries than any test makes by its connections."""


class Bare(NetfilterGateway):
    """A gateway that translates nothing: a plain router."""

    def wait_ready(self) -> None:
        """Remove the rules that translate."""
        self.run("nft", "flush", "chain", "ip", TABLE, "leaving")


class SmallOnly(NetfilterGateway):
    """A gateway that drops every packet of more than 200 bytes."""

    def wait_ready(self) -> None:
        """Add the rule before all others."""
        super().wait_ready()
        self.run("nft", f"insert rule ip {TABLE} passing meta length > 200 drop")


class OneClientOnly(NetfilterGateway):
    """A gateway that drops every packet of more than 200 bytes, but those of alice."""

    def wait_ready(self) -> None:
        """Add the rule before all others."""
        super().wait_ready()
        alice = "10.0.0.1"
        others = f"ip saddr != {alice} ip daddr != {alice}"
        self.run("nft", f"insert rule ip {TABLE} passing {others} meta length > 200 drop")


class Scribbling(NetfilterGateway):
    """A gateway that overwrites a byte of each long datagram, both ways alike, and removes the checksum."""

    def wait_ready(self) -> None:
        """Add the rule before all others."""
        super().wait_ready()
        self.run("nft", f"insert rule ip {TABLE} passing udp length > 200 @th,1200,8 set 0 udp checksum set 0")


class Telling(NetfilterGateway):
    """A gateway that sends an ICMP error when its ports are used up."""

    def wait_ready(self) -> None:
        """Refuse one connection more than there are ports, before the search for a port can fail."""
        pool = self.plan.settings.port_count * len(self.plan.settings.external_addresses)
        rule = f"ct count over {pool} reject with icmp type admin-prohibited"
        self.run("nft", f"insert rule ip {TABLE} beginning {rule}")


class Ungrateful(NetfilterGateway):
    """A gateway that throws out connections, assured or not, once datagrams have come into its table."""

    def wait_ready(self) -> None:
        """Start a thread that waits for the datagrams' entries."""
        super().wait_ready()
        threading.Thread(target=self._throw_out, daemon=True).start()

    def _throw_out(self) -> None:
        while int(self.run("conntrack", "-C")) < MANY_ENTRIES:
            time.sleep(0.05)
        self.run("conntrack", "-D", "-p", "tcp", "--state", "ESTABLISHED")


class Restless(NetfilterGateway):
    """A gateway that takes the second address for every other connection, though its pooling is paired."""

    def wait_ready(self) -> None:
        """Put a rule before the one that keeps a host to its address."""
        second, ports = self.plan.settings.external_addresses[1], self.plan.settings.port_count
        match = f"iifname {BRIDGE} meta l4proto {{ tcp, udp }} numgen inc mod 2 == 0"
        snat = f"snat to {second}:{FIRST_PORT}-{FIRST_PORT + ports - 1}"
        self.run("nft", f"insert rule ip {TABLE} leaving {match} {snat}")


class Boasting(NetfilterGateway):
    """A gateway that declares to find every port, as it would with a table of the free ones."""

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Declare that it finds the last of all its ports."""
        declared = super().declare(settings, options)
        finds = dataclasses.replace(declared.finds_every_port_of, value=settings.port_count)
        return dataclasses.replace(declared, finds_every_port_of=finds)


class Muffling(NetfilterGateway):
    """A gateway that drops every RST."""

    def wait_ready(self) -> None:
        """Add the rule before all others."""
        super().wait_ready()
        self.run("nft", f"insert rule ip {TABLE} passing tcp flags & rst == rst drop")


class Clumsy(NetfilterGateway):
    """A gateway that loses every tenth first datagram, and declares that it loses none."""

    every = 10

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Declare that no packets clash."""
        declared = super().declare(settings, options)
        return dataclasses.replace(declared, clashes=dataclasses.replace(declared.clashes, value=False))

    def wait_ready(self) -> None:
        """Add the rule before all others."""
        super().wait_ready()
        lost = f"meta l4proto udp ct state new numgen inc mod {self.every} == 0"
        self.run("nft", f"insert rule ip {TABLE} passing {lost} drop")


class Forgetful(Clumsy):
    """A gateway that loses one first datagram alone, and declares that it loses none."""

    every = 128


class BlackHole(NetfilterGateway):
    """A gateway that tells no sender that its packet is too large."""

    def wait_ready(self) -> None:
        """Drop its own ICMP errors of that kind."""
        super().wait_ready()
        self.run("nft", f"add chain ip {TABLE} telling {{ type filter hook output priority 0; }}")
        self.run("nft", f"add rule ip {TABLE} telling icmp type destination-unreachable icmp code 4 drop")


class WithoutFragments(NetfilterGateway):
    """A gateway that drops every packet that comes in fragments."""

    def wait_ready(self) -> None:
        """Drop what is too long for one frame: Linux has put it together by then."""
        super().wait_ready()
        self.run("nft", f"insert rule ip {TABLE} passing meta length > 1500 drop")


class Deaf(NetfilterGateway):
    """A gateway that tells of links of its own that are too small, and of none further on."""

    def wait_ready(self) -> None:
        """Drop such errors from outside."""
        super().wait_ready()
        self.run("nft", f"insert rule ip {TABLE} passing icmp type destination-unreachable icmp code 4 drop")


class Orderly(NetfilterGateway):
    """A gateway that drops a fragment if the first one of its datagram has not come before it."""

    def wait_ready(self) -> None:
        """Remember the first ones, before the kernel puts datagrams together."""
        super().wait_ready()
        self.run("nft", f"add set ip {TABLE} begun {{ typeof ip saddr . ip id; size 65535; flags dynamic; }}")
        self.run("nft", f"add chain ip {TABLE} coming {{ type filter hook prerouting priority -500; }}")
        first, later = "ip frag-off & 0x3fff == 0x2000", "ip frag-off & 0x1fff != 0"
        self.run("nft", f"add rule ip {TABLE} coming {first} add @begun {{ ip saddr . ip id }}")
        self.run("nft", f"add rule ip {TABLE} coming {later} ip saddr . ip id != @begun drop")


class OnceOnly(NetfilterGateway):
    """A gateway that lets each source port of alice connect once."""

    def wait_ready(self) -> None:
        """Remember the source ports, and drop a SYN from one that is known."""
        super().wait_ready()
        self.run("nft", f"add set ip {TABLE} seen {{ type inet_service; size 65535; flags dynamic; }}")
        match = "ip saddr 10.0.0.1 tcp flags & (syn | ack) == syn"
        self.run("nft", f"insert rule ip {TABLE} passing {match} add @seen {{ tcp sport }}")
        self.run("nft", f"insert rule ip {TABLE} passing {match} tcp sport @seen drop")
