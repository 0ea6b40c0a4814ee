"""Open vSwitch as the NAT: static rules with the action `ct(commit,nat(src=ADDRESS:PORTS))`, and no controller.

What it can follow and what it declares about itself is in `facts`. The rules are `rules.flows.j2`. A connection
keeps the port and the MAC address that it came from, so no rule has to know the inside hosts. Outside, a network's
host is at the other end of its link. A router's MAC address is found by ARP.

It always uses the userspace datapath, whose connection tracking is Open vSwitch's own; the kernel datapath's is
Linux's. The hash that chooses ports has no seed that could be set: `--seed` does not repeat a choice of ports.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from controller.nat.counters import Counters
from controller.settings import Settings
from controller.wiring import Interface, Side, routed
from topologies.gateways.base import Gateway, GatewayError, GatewayPlan, Options, SupervisedProcess
from topologies.gateways.behaviour import Behaviour
from topologies.gateways.bridge import READY_WITHIN_S, Bridge, output
from topologies.gateways.by_hand import Row, Selection, Table
from topologies.gateways.gauges import Gauges
from topologies.gateways.ovs_ct import facts
from topologies.gateways.recorder import ExternalMapping
from topologies.gateways.tracking import rendered
from topologies.network import arp

RULES = Path(__file__).with_name("rules.flows.j2")
DATAPATH = "netdev@ovs-netdev"
"""The one userspace datapath, with one connection tracker for all bridges: each gateway has a zone in it."""
NEW = {"tcp": "tcp,tcp_flags=+syn-ack", "udp": "udp", "icmp": "icmp"}
"""What may begin a connection. Of ICMP the tracker itself takes queries only."""
NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1}
DEFAULT_ROUTE = ipaddress.IPv4Network("0.0.0.0/0")
LAST_OCTETS = 256

_ENTRY = re.compile(
    r"^(tcp|udp|icmp),orig=\(src=([^,]*),.*?reply=\(src=[^,]*,dst=([^,]*),(?:sport=\d+,dport=|id=)(\d+)",
    re.MULTILINE,
)

_zones = itertools.count(1)


class OvsCtOptions(Options):
    """What can be chosen about Open vSwitch's NAT only."""

    guard: bool = Field(
        True, strict=True, description="whether a rule drops what leaves untranslated; false shows the leak"
    )


@dataclass(frozen=True, slots=True)
class Route:
    """A route: packets for `network` leave by `port`, for the neighbour with the MAC address `mac`."""

    network: ipaddress.IPv4Network
    port: int
    mac: str

    @property
    def priority(self) -> int:
        """Its rule's priority: of two routes, the one with the longer prefix is taken."""
        return 10 + self.network.prefixlen


def rules(plan: GatewayPlan, *, zone: int, routes: list[Route]) -> str:
    """Return the rules for these settings and this wiring."""
    externals = plan.settings.external_addresses
    inside = [each.address for each in plan.interfaces if each.side is Side.INSIDE]
    inside_networks = [*dict.fromkeys(each.network for each in inside), *routed(plan.interfaces)]
    outside = [each for each in plan.interfaces if each.side is Side.OUTSIDE]
    own = {each.address.ip: None for each in plan.interfaces}
    first, last = plan.settings.port_set[0], plan.settings.port_set[-1]
    return rendered(
        RULES,
        mac=plan.mac,
        zone=zone,
        outside=[
            {"number": each.port, "network": each.address.network, "own": _own(each, externals)}
            for each in outside
        ],
        externals=externals,
        inside_addresses=list(dict.fromkeys(each.ip for each in inside)),
        inside_networks=inside_networks,
        never=list(dict.fromkeys([*own, *externals, *inside_networks])),
        new=list(NEW.values()),
        pool=list(_pool(externals)),
        ports=f"{first}-{last}",
        guard=getattr(plan.options, "guard", True),
        routes=routes,
    )


def _own(interface: Interface, externals: list[ipaddress.IPv4Address]) -> list[ipaddress.IPv4Address]:
    """Return what neighbours ask for by ARP: the port's own address, and external ones of its network."""
    asked_for = [each for each in externals if each in interface.address.network]
    return list(dict.fromkeys([interface.address.ip, *asked_for]))


def _pool(externals: list[ipaddress.IPv4Address]) -> list[tuple[str, ipaddress.IPv4Address]]:
    """Pair inside hosts with external addresses, by the last octet of theirs (RFC 4787 REQ-2)."""
    if len(externals) == 1:
        return [("", externals[0])]
    return [
        (f",nw_src=0.0.0.{octet}/0.0.0.255", externals[octet % len(externals)]) for octet in range(LAST_OCTETS)
    ]


def endpoints(listing: str, protocol: str) -> set[tuple[str, str]]:
    """Return the external endpoints that connections have, from `dpctl/dump-conntrack`."""
    answers = rf"^{protocol},.*?reply=\(src=[^,]*,dst=([^,]*),(?:sport=\d+,dport=|id=)(\d+)"
    return set(re.findall(answers, listing, re.MULTILINE))


def tracked_mappings(listing: str) -> Iterator[ExternalMapping]:
    """Yield the mapping of each connection that has an external endpoint, from `dpctl/dump-conntrack`."""
    for protocol, source, external, port in _ENTRY.findall(listing):
        yield ExternalMapping(protocol, external, int(port), source)


def tracked_rows(listing: str) -> Iterator[tuple[Row, str]]:
    """Yield each connection of `dpctl/dump-conntrack`, as a person reads it, and as `flush-conntrack` finds it."""
    for line in listing.splitlines():
        found = _ENTRY.match(line)
        if found is None:
            continue
        protocol, source, external, port = found.groups()
        asked = dict(re.findall(r"(\w+)=([^,()]+)", line[line.index("orig=(") : line.index("),reply=")]))
        state = re.search(r"protoinfo=\(state=(\w+)", line)
        key = f"ct_nw_src={source},ct_nw_dst={asked['dst']},ct_nw_proto={NUMBERS[protocol]}"
        if protocol == "icmp":
            own, remote = asked["id"], asked["dst"]
            key += f",icmp_id={own},icmp_type={asked['type']},icmp_code={asked['code']}"
        else:
            own, remote = asked["sport"], f"{asked['dst']}:{asked['dport']}"
            key += f",ct_tp_src={own},ct_tp_dst={asked['dport']}"
        yield Row(protocol, f"{source}:{own}", f"{external}:{port}", remote, state[1] if state else ""), key


def tracked(limits: str, zone: int) -> tuple[int, int]:
    """Return the limit of a zone's table and its number of connections, from `dpctl/ct-get-limits`."""
    found = re.search(rf"^zone={zone},limit=(\d+),count=(\d+)", limits, re.MULTILINE)
    if found is None:
        raise GatewayError(f"Open vSwitch reports no number of connections for zone {zone}, but: {limits!r}")
    return int(found[1]), int(found[2])


class OvsCtGateway(Bridge, Gateway):
    """Open vSwitch's connection tracking, with static rules."""

    settings: ClassVar[dict[str, Any]] = facts.DEFAULTS
    Options: ClassVar[type[Options]] = OvsCtOptions
    restrictions = facts.RESTRICTIONS
    followed = facts.FOLLOWED

    @classmethod
    def check(cls, settings: Settings, options: Any) -> None:
        """Raise ConfigurationError for what Open vSwitch cannot do."""
        super().check(settings, options)
        facts.check(settings)

    @classmethod
    def declare(cls, settings: Settings, options: Any) -> Behaviour:
        """Return what Open vSwitch does under these settings."""
        return facts.behaviour(settings)

    @classmethod
    def prepare(cls, plan: GatewayPlan) -> dict[str, Any]:
        """Take a zone of the connection tracker."""
        return {"plan": plan, "zone": next(_zones), "datapath": "user"}

    def __init__(self, name: str, plan: GatewayPlan, zone: int, **params: Any) -> None:
        super().__init__(name, plan, **params)
        self._plan = plan
        self._zone, self._policy = zone, ""
        self._macs: dict[int, str] = {}
        self._routers = {i.port: i.next_hop for i in plan.interfaces if i.next_hop is not None}

    def start(self, _controllers: list[Any]) -> None:
        """Make the bridge with its ports, then its rules, timers and limit."""
        super().start([])
        settings = self._plan.settings
        self._set_timeouts(facts.conntrack_timeouts(settings))
        limit = settings.limit_sessions or facts.MOST_SESSIONS
        self._dpctl("ct-set-limits", f"zone={self._zone},limit={limit}")
        self._install({})

    def wait_ready(self) -> None:
        """Ask the routers for their MAC addresses, and add the routes through them."""
        if not self._routers:
            return
        try:
            self._macs = {port: self._ask(port, router) for port, router in self._routers.items()}
        except TimeoutError as error:
            raise GatewayError(str(error)) from None
        self._install(self._macs)

    def _ask(self, port: int, router: ipaddress.IPv4Address) -> str:
        address = self._address(port).ip
        return arp.resolve(str(self._interface(port)), self._plan.mac, address, router, within=READY_WITHIN_S)

    def processes(self) -> list[SupervisedProcess]:
        """Return none: the switch belongs to the sandbox."""
        return []

    def counters(self, protocol: str) -> dict[str, int | None]:
        """Return what the connection tracker and the rules know; None for what they do not.

        An expired connection may keep its port until the next sweep of the table. Open vSwitch does not report
        which ports these are. So all of them count as taken, for every protocol and destination.
        """
        listing = self._dpctl("dump-conntrack", f"zone={self._zone}")
        limit, sessions = tracked(self._dpctl("ct-get-limits", f"zone={self._zone}"), self._zone)
        allocated = len(endpoints(listing, protocol))
        expired = max(0, sessions - listing.count("\n"))
        settings = self._plan.settings
        taken = allocated + (expired if facts.waits_for_sweep(settings) else 0)
        pool = settings.port_count * len(settings.external_addresses)
        return {
            **dict.fromkeys(field.name for field in dataclasses.fields(Counters)),
            **self._dropped(protocol, is_full=sessions >= limit),
            "ports_allocated": allocated,
            "ports_free": max(0, pool - taken) if protocol != "icmp" else None,
            "total_sessions": sessions,
            "packet_ins_known_mappings": None,
        }

    def gauges(self) -> Gauges:
        """Return the number of connections, and the packets that the guard dropped."""
        limit, sessions = tracked(self._dpctl("ct-get-limits", f"zone={self._zone}"), self._zone)
        return Gauges((), {"total_sessions": sessions, **self._dropped(*NEW, is_full=sessions >= limit)})

    def mappings(self) -> list[ExternalMapping]:
        """Return the connections that the tracker has, each as a mapping."""
        return list(tracked_mappings(self._dpctl("dump-conntrack", f"zone={self._zone}")))

    def flush(self) -> None:
        """Remove all connections of this gateway from the tracker."""
        output("ovs-appctl", "dpctl/flush-conntrack", f"zone={self._zone}")  # 3.1 takes a datapath for a mark

    def table(self, selection: Selection, most: int) -> Table:
        """Return the tracker's connections, of which each has its own endpoint outside."""
        return Table.of([row for row, _ in self._tracked()], selection, most)

    def release(self, selection: Selection) -> int:
        """Remove connections from the tracker, one by one unless all are meant."""
        ending = [key for row, key in self._tracked() if selection.has(row)]
        if selection == Selection():
            self.flush()
        for key in ending if selection != Selection() else ():
            output("ovs-appctl", "dpctl/flush-conntrack", f"zone={self._zone}", key)
        return len(ending)

    def change(self, settings: Settings) -> str:
        """Replace rules, timers and limit. Connections that are there keep the ports that they have."""
        self._plan = dataclasses.replace(self._plan, settings=settings)
        timeouts = facts.conntrack_timeouts(settings)
        self.vsctl("set", "CT_Timeout_Policy", self._policy, *(f"timeouts:{n}={timeouts[n]}" for n in timeouts))
        self._dpctl("ct-set-limits", f"zone={self._zone},limit={settings.limit_sessions or facts.MOST_SESSIONS}")
        self._install(self._macs)
        return "every connection stays as it is; what the rules count begins at zero"

    def refusals(self) -> dict[str, str]:
        """Return the guard, which drops what the tracker has not translated, whatever was short."""
        dumped = output("ovs-ofctl", "dump-flows", self.name, "table=2").splitlines()
        guard = next((line.strip() for line in dumped if "cookie=0x1," in line), "the guard in table 2")
        return {"dropped_port_packets": guard, "dropped_state_limit_packets": guard}

    def _tracked(self) -> list[tuple[Row, str]]:
        return list(tracked_rows(self._dpctl("dump-conntrack", f"zone={self._zone}")))

    def environment(self) -> dict[str, str]:
        """Return the datapath, which is always this one."""
        return {"datapath": "userspace"}

    def _set_timeouts(self, timeouts: dict[str, int]) -> None:
        """Give this gateway's zone its timers, in seconds, and wait until the switch has them.

        From Open vSwitch 3.3 on (seen up to 3.7), a policy that comes with its zone is taken for known and never
        applied, while a change of it is (vswitchd/bridge.c: ct_zone_alloc, ct_zones_reconfigure). So the zone
        begins with another policy, which is then changed.
        """
        datapath = self.vsctl("--if-exists", "get", "Open_vSwitch", ".", "datapaths:netdev").strip()
        if not datapath:  # Open vSwitch makes no record of a datapath by itself.
            record = "--id=@new create Datapath datapath_version=0"
            datapath = self.vsctl(
                "--no-wait", "--", record, "--", "set", "Open_vSwitch", ".", "datapaths:netdev=@new"
            ).strip()
        self._policy, _ = self.vsctl(
            "--id=@policy create CT_Timeout_Policy timeouts:icmp_first=1",
            "-- --id=@zone create CT_Zone timeout_policy=@policy",
            f"-- set Datapath {datapath} ct_zones:{self._zone}=@zone",
        ).split()
        self.vsctl("set", "CT_Timeout_Policy", self._policy, *(f"timeouts:{n}={timeouts[n]}" for n in timeouts))

    def _dropped(self, *protocols: str, is_full: bool) -> dict[str, int | None]:
        """Return the packets that the guard dropped, by what is short now: room in the table, or else ports.

        Where the table is full, ports may have run short before, unless its limit is below their number.
        """
        settings, limit = self._plan.settings, self._plan.settings.limit_sessions
        if not getattr(self._plan.options, "guard", True):
            return {}
        cookies = {list(NEW).index(protocol) + 1 for protocol in protocols}
        dumped = output("ovs-ofctl", "dump-flows", self.name, "table=2")
        counts = re.findall(r"cookie=(0x[0-9a-f]+),.* n_packets=(\d+)", dumped)
        packets = sum(int(count) for cookie, count in counts if int(cookie, 16) in cookies)
        if not is_full:
            return {"dropped_port_packets": packets, "dropped_state_limit_packets": 0}
        if limit is not None and limit <= min(
            settings.port_count, max(facts.FINDS_ALL_OF, settings.port_count // 2)
        ):
            return {"dropped_port_packets": 0, "dropped_state_limit_packets": packets}
        return {}

    def _install(self, routers: dict[int, str]) -> None:
        """Replace all rules at once, with the routers' MAC addresses as far as they are known."""
        outside = {each.port: each.address.network for each in self._plan.interfaces if each.side is Side.OUTSIDE}
        direct = {port: self._neighbour(port) for port in outside if port not in self._routers}
        routes = [Route(outside[port], port, mac) for port, mac in (direct | routers).items()]
        routes += [Route(DEFAULT_ROUTE, port, mac) for port, mac in routers.items()]
        path: Path = self._plan.folder / "flows"
        path.write_text(rules(self._plan, zone=self._zone, routes=routes))
        output("ovs-ofctl", "-OOpenFlow14", "--bundle", "replace-flows", self.name, str(path))

    def _address(self, port: int) -> ipaddress.IPv4Interface:
        return next(each.address for each in self._plan.interfaces if each.port == port)

    def _interface(self, port: int) -> Any:
        return next(interface for interface, number in self.ports.items() if number == port)

    def _neighbour(self, port: int) -> str:
        """Return the MAC address at the other end of a port's link."""
        interface = self._interface(port)
        link = interface.link
        other = link.intf2 if link.intf1 is interface else link.intf1
        return str(other.MAC())

    def _dpctl(self, command: str, *arguments: str) -> str:
        return output("ovs-appctl", f"dpctl/{command}", DATAPATH, *arguments)
