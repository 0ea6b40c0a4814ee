"""A box on two cables: a namespace with Linux's NAT, whose two veth pairs stand for cables to this machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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
    """The two interfaces of this machine that lead to the box, and the namespace that the box is in."""

    inside: str
    outside: str
    namespace: str

    @property
    def choices(self) -> list[str]:
        """What a user chooses about it, for a run that fills its 16 ports."""
        sets = (f"inside={self.inside}", f"outside={self.outside}", "exhaust=true", *TIMERS)
        return ["--gateway", "box", *(word for each in sets for word in ("--set", each))]

    def run(self, *command: str, text: str | None = None) -> None:
        """Run a program in the box."""
        words = ["ip", "netns", "exec", self.namespace, *command]
        subprocess.run(words, input=text, text=True, check=True, capture_output=True)

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
    """Make a box, with names of this process's own, and remove it again."""
    own = os.getpid() % 1_000_000
    made = Box(f"bi{own}", f"bo{own}", f"box{own}")
    subprocess.run(["ip", "netns", "add", made.namespace], check=True)
    try:
        for ours, theirs in ((made.inside, "lan"), (made.outside, "wan")):
            _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", made.namespace)
            _ip("link", "set", ours, "addrgenmode", "none", "alias", "a user's own", "up")
            made.run("ip", "link", "set", theirs, "up")
        made.run("ip", "address", "add", LAN, "dev", "lan")
        made.run("ip", "address", "add", wan, "dev", "wan")
        made.run("ip", "route", "add", "default", "via", NEXT_HOP)
        made.run("nft", "-f", "-", text=RULES)
        made.run("sysctl", "-qw", *(f"{key}={value}" for key, value in SETTINGS.items()))
        yield made
    finally:
        for name in (made.inside, made.outside):
            subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
        _ip("netns", "del", made.namespace)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
