"""A Linux router in a network namespace of its own: the base of every NAT that is the kernel's.

Its inside ports are one bridge, which has the gateway's inside address. Each outside port has its own address. A
subclass returns the nftables rules that make a NAT of the router, and declares what they do. The settings' timers
are those of connection tracking, whatever the rules are.

Packets arrive with complete checksums, since the hosts compute them. So nothing is to be switched off here.
"""

from __future__ import annotations

import abc
import subprocess
from collections.abc import Mapping
from typing import Any, ClassVar

from mininet.node import Switch

from controller.nat.port_set import ranges_of
from controller.recording import Kind
from controller.settings import ConfigurationError, Settings
from controller.wiring import Interface, Side
from topologies.gateways.base import Gateway, GatewayError, GatewayPlan, Restriction
from topologies.gateways.conntrack.listener import Listener
from topologies.gateways.following import require_one_range
from topologies.gateways.recorder import Knows, Recorder
from topologies.gateways.tracking import HARMLESS, whole_seconds
from topologies.network.nodes import TunedNode

BRIDGE = "br0"
NEVER_FORGETS = 8_640_000
"""Hundredths of a second for which the bridge knows where a silent host is: a day. After that it would flood what
is for this host to all hosts, as any switch does, and the witnesses would see a packet at the wrong host."""
ANSWER_WITHIN_S = 30.0
LONGEST_TIMEOUT_S = 2_000_000
"""The kernel counts in ticks of up to a thousandth of a second, with 31 bits."""

SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    # TCP that does not begin with a SYN belongs to no connection, and makes none.
    "net/netfilter/nf_conntrack_tcp_loose": "0",
    # What is out of its connection's window, or has a wrong checksum, is invalid.
    "net/netfilter/nf_conntrack_tcp_be_liberal": "0",
    "net/netfilter/nf_conntrack_tcp_ignore_invalid_rst": "0",
    "net/netfilter/nf_conntrack_checksum": "1",
    "net/netfilter/nf_conntrack_tcp_max_retrans": "3",
    "net/netfilter/nf_conntrack_log_invalid": "0",
}
"""What is set in the router's namespace besides the settings of every node, as far as its kernel has it."""

DEFAULTS: dict[str, Any] = {
    "mapping_type": "edm",
    "filtering_type": "edf",
    "port_overlapping": "endpoint",
    "port_allocation_type": "preserving",
    "address_allocation_type": "arbitrary",
    "hold_down_timeout": 0,
    "refresh_inbound": True,
    "source_validation": False,
}
"""What Linux does unless a rule says otherwise."""

_NO_TABLE = "Linux's NAT keeps connections and no mappings, so there is nothing to count"

RESTRICTIONS = (
    Restriction("on_exhaustion", ("drop",), "Linux sends no refusal, holds nothing and evicts no live connection"),
    Restriction("mapping_type", ("edm",), "a mapping of Linux's NAT splits when another host uses its port"),
    Restriction("filtering_type", ("edf",), "Linux lets in only the answers of the endpoint that was asked"),
    Restriction("port_overlapping", ("endpoint",), "Linux shares a port whenever the destinations differ"),
    Restriction("limit_port_mappings", (None,), _NO_TABLE),
    Restriction("limit_subscribers", (None,), _NO_TABLE),
    Restriction("flow_limit", (None,), "it limits a switch's flow table, and here is none"),
    Restriction("hold_down_timeout", (0,), "Linux gives a freed port again at once"),
    Restriction("source_validation", (False,), "a Linux bridge takes any source at any of its ports"),
    Restriction("refresh_inbound", (True,), "conntrack refreshes an entry by packets of both directions"),
)
"""The settings that Linux follows in part, whatever the rules are."""

TIMEOUTS: dict[str, str] = {
    # A stream is UDP that was answered for two seconds; RFC 4787 REQ-5 knows no such difference.
    "udp_timeout": "udp_timeout",
    "udp_timeout_stream": "udp_timeout",
    "icmp_timeout": "icmp_timeout",
    # Not answered yet, or the answer not confirmed: RFC 5382 REQ-5's partially open connections.
    "tcp_timeout_syn_sent": "tcp_trans_open_timeout",
    "tcp_timeout_syn_recv": "tcp_trans_open_timeout",
    # With one FIN seen a connection is half-closed, which RFC 5382 REQ-5 counts as established.
    "tcp_timeout_established": "tcp_idle_timeout",
    "tcp_timeout_fin_wait": "tcp_idle_timeout",
    "tcp_timeout_close_wait": "tcp_idle_timeout",
    # Linux ends an entry early where data go unacknowledged; no RFC does, and so this is switched off.
    "tcp_timeout_max_retrans": "tcp_idle_timeout",
    "tcp_timeout_unacknowledged": "tcp_idle_timeout",
    # Both FINs seen, the second acknowledged or not.
    "tcp_timeout_last_ack": "tcp_trans_close_timeout",
    "tcp_timeout_time_wait": "tcp_trans_close_timeout",
    # Deviation: a RST that answers a SYN ends the entry at once (nf_conntrack_proto_tcp.c).
    "tcp_timeout_close": "tcp_rst_timeout",
}
"""The setting that each timer of connection tracking stands for: net.netfilter.nf_conntrack_* of the namespace."""

FOLLOWED = frozenset(
    {"ports", "reserved_ports", "external_addresses", "time_scale", *TIMEOUTS.values(), *HARMLESS}
)
"""The settings that every Linux router follows, and those that change nothing there."""


def links(plan: GatewayPlan, names: Mapping[int, str]) -> str:
    """Return the lines for `ip -batch` that make a router of the namespace; `names` are the ports' interfaces."""
    lines = [f"link add {BRIDGE} address {plan.mac} type bridge ageing_time {NEVER_FORGETS}", "link set lo up"]
    inside = [interface for interface in plan.interfaces if interface.side is Side.INSIDE]
    lines += [f"link set {names[interface.port]} master {BRIDGE} up" for interface in inside]
    lines += [f"address add {address} dev {BRIDGE}" for address in dict.fromkeys(i.address for i in inside)]
    lines.append(f"link set {BRIDGE} up")
    lines += [
        f"route add {route.network} via {route.next_hop}" for interface in inside for route in interface.routes
    ]
    for interface in plan.interfaces:
        if interface.side is Side.OUTSIDE:
            lines += _outside(interface, names[interface.port], plan)
    return "".join(f"{line}\n" for line in lines)


def _outside(interface: Interface, name: str, plan: GatewayPlan) -> list[str]:
    # On the interface's own network, neighbours ask for the external addresses by ARP.
    asked_for = [each for each in plan.settings.external_addresses if each in interface.address.network]
    lines = [f"link set {name} address {plan.mac} up", f"address add {interface.address} dev {name}"]
    lines += [f"address add {each}/32 dev {name}" for each in asked_for if each != interface.address.ip]
    if interface.next_hop is not None:
        lines.append(f"route add default via {interface.next_hop}")
    return lines


def _check_range(settings: Settings) -> None:
    """Raise ConfigurationError unless the external addresses are one range: nft's snat takes no other."""
    numbers = [int(address) for address in settings.external_addresses]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        shown = ", ".join(str(address) for address in settings.external_addresses)
        raise ConfigurationError(
            f"setting external_addresses=[{shown}] is not possible with this gateway: nft's snat takes one range "
            "of addresses; take consecutive ones, in their order, or another --gateway"
        )


class LinuxRouter(TunedNode, Switch, Gateway):
    """A router that is a NAT by its nftables rules. A subclass has `rules` and `declare`."""

    fits_packets: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("nft", "nsenter", "netfilter")
    settings: ClassVar[dict[str, Any]] = DEFAULTS
    restrictions: ClassVar[tuple[Restriction, ...]] = RESTRICTIONS
    followed: ClassVar[frozenset[str]] = FOLLOWED
    takes_several_ranges: ClassVar[bool] = False
    """Whether its rules follow several ranges of ports."""
    inside: ClassVar[str] = BRIDGE
    """The interface at which all inside hosts are, for rules."""

    @classmethod
    @abc.abstractmethod
    def rules(cls, plan: GatewayPlan) -> str:
        """Return the nftables rules. They are there before the first packet, and alone stop a leak."""

    @classmethod
    def external(cls, settings: Settings) -> str:
        """Return the external addresses as nft writes them: one, or a range."""
        first, last = settings.external_addresses[0], settings.external_addresses[-1]
        return f"{first}" if first == last else f"{first}-{last}"

    @classmethod
    def ports(cls, settings: Settings) -> str:
        """Return the one range of external ports as nft writes it."""
        [ports] = cls.port_ranges(settings)
        return ports

    @classmethod
    def port_ranges(cls, settings: Settings) -> list[str]:
        """Return the ranges of external ports as nft writes them: a single port is none to older versions."""
        return [
            f"{each[0]}-{each[-1]}" if len(each) > 1 else f"{each[0]}" for each in ranges_of(settings.port_set)
        ]

    @classmethod
    def timeouts(cls, settings: Settings) -> dict[str, int]:
        """Return connection tracking's timers in whole seconds. A fraction is rounded up, and never down to 0."""
        return whole_seconds(TIMEOUTS, settings)

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for what this router cannot do."""
        super().check(settings, options)
        _check_range(settings)
        if not cls.takes_several_ranges:
            require_one_range(settings, "its rule has one range of ports")
        for name, timeout in cls.timeouts(settings).items():
            if timeout > LONGEST_TIMEOUT_S:
                key = TIMEOUTS[name]
                raise ConfigurationError(
                    f"setting {key}={getattr(settings, key)} is not possible with this gateway and "
                    f"time_scale={settings.time_scale}: conntrack counts up to {LONGEST_TIMEOUT_S:,} s; "
                    f"take {key}={int(LONGEST_TIMEOUT_S / settings.time_scale)} or less, or another --gateway"
                )

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Write the rules, and the script that makes a router of the namespace."""
        rules = plan.folder / "rules.nft"
        rules.write_text(cls.rules(plan))
        timeouts = {f"net/netfilter/nf_conntrack_{name}": s for name, s in cls.timeouts(plan.settings).items()}
        # The rules come first: without them nothing may pass. They make the kernel show conntrack's settings.
        lines = ["set -e", f"nft -f {rules}"]
        lines += [
            f"[ ! -e /proc/sys/{key} ] || echo {value} > /proc/sys/{key}"
            for key, value in {**SYSCTLS, **timeouts}.items()
        ]
        lines.append(f"ip -batch {plan.folder / 'links'}")
        (plan.folder / "start.sh").write_text("".join(f"{line}\n" for line in lines))
        return {"plan": plan, "inNamespace": True}

    def __init__(self, name: str, plan: GatewayPlan, **params: Any) -> None:
        super().__init__(name, dpid="1", **params)
        self.plan = plan
        self._events: Listener | None = None

    def start(self, _controllers: list[Any]) -> None:
        """Make a router of the namespace, now that its links are there."""
        names = {port: interface.name for port, interface in self.intfs.items()}
        (self.plan.folder / "links").write_text(links(self.plan, names))
        self.run("sh", str(self.plan.folder / "start.sh"))

    def wait_ready(self) -> None:
        """Wait until the bridge takes what comes in; the rules were there before the links."""
        with self.kernel() as kernel:
            for interface in self.intfList():
                kernel.wait_connected(interface.name)
        if self._events is not None:
            self._events.wait_ready()

    def record(self, recorder: Recorder) -> Knows:
        """Have a program of its own read what the kernel reports of each connection."""
        external = [str(each) for each in self.plan.settings.external_addresses]
        self._events = Listener(recorder, self.netns, external, self.plan.folder / "events.log")
        return Knows((Kind.ALLOCATED, Kind.CLOSING, Kind.RELEASED, Kind.FREED), "conntrack events")

    def run(self, *command: str) -> str:
        """Run a program in the router's namespace, and return what it prints. Raises GatewayError."""
        enter = ["nsenter", f"--net={self.netns}"]
        try:
            done = subprocess.run(
                [*enter, *command],
                capture_output=True,
                text=True,
                timeout=ANSWER_WITHIN_S,
                start_new_session=True,  # a prompt's Ctrl-C is not for it
            )
        except subprocess.TimeoutExpired:
            raise GatewayError(f"{command[0]} did not answer within {ANSWER_WITHIN_S:.0f} s") from None
        if done.returncode:
            raise GatewayError(
                f"{' '.join(command)} failed: {done.stderr.strip()}. `lastport doctor` says whether this kernel "
                "has what Linux's NAT needs; or take another --gateway"
            )
        return done.stdout
