"""A box on two cables: a namespace with Linux's NAT, whose two veth pairs stand for cables to a machine.

That machine is a network namespace of the test's own, so that no other test sees its interfaces come and go.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from tests.support.machines import own_network
from topologies.network.namespaces import Namespace

LAN, WAN, NEXT_HOP = "10.0.255.254/16", "192.0.2.1/24", "192.0.2.254"
TIMERS = ("tcp_rst_timeout=1", "tcp_trans_close_timeout=1")
RULES = """
table ip nat {
  chain leaving {
    type nat hook postrouting priority srcnat;
    oifname "wan" meta l4proto { tcp, udp, icmp } snat to 192.0.2.1:1024-1039
  }
}
table ip guard {
  chain passing {
    type filter hook forward priority filter; policy drop;
    ct state invalid drop
    ct status confirmed accept
    iifname "lan" oifname "wan" accept
  }
}
"""
SETTINGS = {
    "net.ipv4.ip_forward": 1,
    "net.netfilter.nf_conntrack_tcp_loose": 0,
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": 1,
    "net.netfilter.nf_conntrack_tcp_timeout_last_ack": 1,
    "net.netfilter.nf_conntrack_tcp_timeout_close": 1,
}


@dataclass(frozen=True)
class Box:
    """The namespace that the box is in. Two interfaces of the machine, `inside` and `outside`, lead to it."""

    namespace: Namespace
    inside: ClassVar = "to-lan"
    outside: ClassVar = "to-wan"

    @property
    def choices(self) -> list[str]:
        """What a user chooses about it, for a run that fills its 16 ports."""
        sets = (f"inside={self.inside}", f"outside={self.outside}", "exhaust=true", *TIMERS)
        return ["--gateway", "box", *(word for each in sets for word in ("--set", each))]

    def run(self, *command: str, text: str | None = None) -> None:
        """Run a program in the box."""
        with self.namespace.entered():
            subprocess.run(command, input=text, text=True, check=True, capture_output=True)

    def state(self) -> Any:
        """Return all that a run could change of the machine's two interfaces."""
        return [
            json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for name in (self.inside, self.outside)
            for command in (
                ["ip", "-details", "-json", "link", "show", "dev", name],
                ["ip", "-json", "address", "show", "dev", name],
                ["ethtool", "--json", "-k", name],
            )
        ]

    def is_used(self) -> bool:
        """Whether somebody gets all frames of the inside interface."""
        (link,) = json.loads(
            subprocess.run(
                ["ip", "-details", "-json", "link", "show", "dev", self.inside],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        return bool(link["promiscuity"])


@contextmanager
def box(wan: str = WAN) -> Iterator[Box]:
    """Be at a machine with a box on two cables, until both are gone."""
    made = Box(Namespace())
    try:
        with own_network():
            for ours, theirs in ((made.inside, "lan"), (made.outside, "wan")):
                _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", made.namespace.path)
                _ip("link", "set", ours, "addrgenmode", "none", "alias", "a user's own", "up")
                made.run("ip", "link", "set", theirs, "up")
            made.run("ip", "address", "add", LAN, "dev", "lan")
            made.run("ip", "address", "add", wan, "dev", "wan")
            made.run("ip", "route", "add", "default", "via", NEXT_HOP)
            made.run("nft", "-f", "-", text=RULES)
            made.run("sysctl", "-qw", *(f"{key}={value}" for key, value in SETTINGS.items()))
            yield made
    finally:
        made.namespace.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
