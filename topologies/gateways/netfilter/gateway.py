"""Linux as the NAT: a router in a network namespace of its own, with nftables rules made from the settings.

Its inside ports are one bridge, which has the gateway's inside address; each outside port has its own address.
What Linux can follow, and what it declares about itself, is in `facts`; the rules are
`rules.nft.j2`. The kernel's randomness has no seed: `--seed` does not repeat a choice of ports.

Packets arrive with their checksums complete, since the hosts compute them; here nothing is to be switched off.
"""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from mininet.node import Switch
from pydantic import Field

from controller.nat.counters import Counters
from controller.settings import FIRST_PORT, ConfigurationError, Settings
from controller.wiring import Interface, Side
from topologies.gateways.base import Gateway, GatewayError, GatewayPlan, Options, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.netfilter import conntrack, facts
from topologies.gateways.tracking import rendered
from topologies.network.nodes import LabNode

RULES = Path(__file__).with_name("rules.nft.j2")
BRIDGE = "br0"
ANSWER_WITHIN_S = 30.0
TABLE = "lastport"
COUNTED = ("unmapped", "port_limit", "state_limit", "rate")
"""Why a rule drops a packet; what has no port, the kernel drops after all rules."""

SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    # TCP that does not begin with a SYN belongs to no connection, and makes none.
    "net/netfilter/nf_conntrack_tcp_loose": "0",
    # By default Linux sends about one ICMP error a second, and experiments count them.
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv6/conf/all/disable_ipv6": "1",
    # Frames between inside hosts are not the router's, where the module br_netfilter would show it them.
    "net/bridge/bridge-nf-call-iptables": "0",
}
"""What is set in the router's namespace, as far as its kernel has it."""


class NetfilterOptions(Options):
    """What can be chosen about Linux's NAT only."""

    fully_random: bool = Field(
        False, strict=True, description="nft's flag fully-random for random; the same thing since Linux 5.0"
    )


def rules(settings: Settings, *, fully_random: bool) -> str:
    """Return the nftables rules for these settings."""
    flags = []
    if settings.port_allocation_type == "random":
        flags.append("fully-random" if fully_random else "random")
    if settings.address_allocation_type == "paired":
        flags.append("persistent")
    first, last = settings.external_addresses[0], settings.external_addresses[-1]
    return rendered(
        RULES,
        inside=BRIDGE,
        external=str(first) if first == last else f"{first}-{last}",
        ports=f"{FIRST_PORT}-{FIRST_PORT + settings.ports - 1}" if settings.ports > 1 else f"{FIRST_PORT}",
        flags=",".join(flags),
        drops=[f"dropped_{why}_packets" for why in COUNTED],
        quotas=facts.quotas(settings),
        sessions=settings.limit_sessions,
        rate=facts.rate(settings),
    )


def links(plan: GatewayPlan, names: Mapping[int, str]) -> str:
    """Return the lines for `ip -batch` that make a router of the namespace; `names` are the ports' interfaces."""
    lines = [f"link add {BRIDGE} address {plan.mac} type bridge", "link set lo up"]
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


class NetfilterGateway(LabNode, Switch, Gateway):
    """Linux netfilter: nftables and connection tracking."""

    settings: ClassVar[dict[str, Any]] = facts.DEFAULTS
    Options: ClassVar[type[Options]] = NetfilterOptions
    restrictions = facts.RESTRICTIONS
    needs = ("nft", "conntrack", "nsenter", "netfilter")

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for what Linux cannot do."""
        super().check(settings, options)
        facts.check(settings)
        if options.fully_random and settings.port_allocation_type != "random":
            raise ConfigurationError(
                f"setting fully_random=true is not possible with port_allocation_type="
                f"{settings.port_allocation_type!r}: that keeps the port where it can; "
                "take port_allocation_type=random, or fully_random=false"
            )

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what Linux does under these settings."""
        return facts.behaviour(settings)

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Write the rules and the kernel's settings."""
        assert isinstance(plan.options, NetfilterOptions)
        rules_file = plan.folder / "rules.nft"
        rules_file.write_text(rules(plan.settings, fully_random=plan.options.fully_random))
        timeouts = facts.conntrack_timeouts(plan.settings).items()
        sysctls = {**SYSCTLS, **{f"net/netfilter/nf_conntrack_{name}": value for name, value in timeouts}}
        # The rules come first: without them nothing may pass. They make the kernel show conntrack's settings.
        lines = ["set -e", f"nft -f {rules_file}"]
        lines += [f"[ ! -e /proc/sys/{key} ] || echo {value} > /proc/sys/{key}" for key, value in sysctls.items()]
        lines.append(f"ip -batch {plan.folder / 'links'}")
        script = plan.folder / "start.sh"
        script.write_text("".join(f"{line}\n" for line in lines))
        return {"plan": plan, "script": script, "inNamespace": True}

    def __init__(self, name: str, plan: GatewayPlan, script: Path, **params: Any) -> None:
        super().__init__(name, dpid="1", **params)
        self._script = script
        self._plan = plan
        self._pool = plan.settings.ports * len(plan.settings.external_addresses)

    def start(self, _controllers: list[Any]) -> None:
        """Make a router of the namespace, now that its links are there."""
        names = {port: interface.name for port, interface in self.intfs.items()}
        (self._plan.folder / "links").write_text(links(self._plan, names))
        self._run("sh", str(self._script))

    def processes(self) -> list[SupervisedProcess]:
        """Return none: the NAT is the kernel's."""
        return []

    def wait_ready(self) -> None:
        """Wait until the bridge takes what comes in; the rules were there before the links."""
        with self.kernel() as kernel:
            for interface in self.intfList():
                kernel.wait_connected(interface.name)

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return what conntrack and the rules know; None for what they do not.

        `dropped_port_packets` is of all protocols: the kernel counts there every new connection that it could not
        enter. That is a shortage of ports, or (seldom) two packets of one connection that arrive at once.
        """
        listing = self._run("conntrack", "-L", "--src-nat")
        dropped = conntrack.named_counters(self._run("nft", "-j", "list", "counters", "table", "ip", TABLE))
        statistics = conntrack.statistics(self._run("conntrack", "-S"))
        allocated = len(conntrack.external_endpoints(listing, protocol))
        return {
            **dict.fromkeys(field.name for field in dataclasses.fields(Counters)),
            **{f"dropped_{why}_packets": dropped[f"dropped_{why}_packets_{protocol}"] for why in COUNTED},
            "dropped_port_packets": statistics["insert_failed"],
            "evicted_mappings": statistics["early_drop"],
            "ports_allocated": allocated,
            "ports_free": self._pool - allocated,
            "total_sessions": listing.count("\n"),
            "packet_ins_known_mappings": None,
        }

    def flush(self) -> None:
        """Let the kernel forget all connections."""
        self._run("conntrack", "-F")

    def environment(self) -> dict[str, str]:
        """Return the versions of the programs, and the size of the kernel's table."""
        return {
            "nftables": self._run("nft", "--version").split()[1].removeprefix("v"),
            "conntrack": self._run("conntrack", "--version").split()[1].removeprefix("v"),
            "nf_conntrack_max": self._run("cat", str(facts.TABLE_SIZE)).strip(),
        }

    def _run(self, *command: str) -> str:
        """Run a program in the router's namespace, and return what it prints. Raises GatewayError."""
        enter = ["nsenter", f"--net={self.netns}"]
        try:
            done = subprocess.run([*enter, *command], capture_output=True, text=True, timeout=ANSWER_WITHIN_S)
        except subprocess.TimeoutExpired:
            raise GatewayError(f"{command[0]} did not answer within {ANSWER_WITHIN_S:.0f} s") from None
        if done.returncode:
            raise GatewayError(
                f"{' '.join(command)} failed: {done.stderr.strip()}. `lastport doctor` says whether this kernel "
                "has what Linux's NAT needs; or take another --gateway"
            )
        return done.stdout
