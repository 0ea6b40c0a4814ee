"""Interfaces of the machine, and whether one may be used as a cable: not what the machine or its user needs.

Each refusal is a sentence with the way out.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from topologies.gateways.base import Cable

LEAST_MTU = 1500
CONNECTED_WITHIN_S = 5.0
"""Two ports may take three seconds to agree on their speed."""
LOOK_EVERY_S = 0.1
OLD_KERNELS_OWN = ("multicast", "local")
"""Type and table of a route to ff00::/8 that old kernels make, and do not call their own."""
CLASS = Path("/sys/class/net")
Facts = Mapping[str, Any]
"""What `ip -json` prints of an interface."""


def require_free(key: str, interface: str) -> None:
    """Raise ConfigurationError for an interface that the machine or its user needs, or that is no cable."""
    there = {each["ifname"]: each for each in _printed("address", "show")}
    if interface not in there:
        others = ", ".join(sorted(name for name, each in there.items() if each["link_type"] == "ether"))
        raise ConfigurationError(
            f"setting {key}={interface}: this machine has no such interface; it has {others or 'none for a cable'}"
        )
    facts = there[interface]
    for refuses in _REFUSALS:
        if reason := refuses(interface, facts):
            raise ConfigurationError(f"setting {key}={interface}: {reason}")
    _require_carrier(key, interface)


def _loopback(interface: str, facts: Facts) -> str:
    return "" if facts["link_type"] != "loopback" else "it is the loopback; take an interface with a cable in it"


def _no_ethernet(interface: str, facts: Facts) -> str:
    if facts["link_type"] != "ether":
        return f"it is no Ethernet interface ({facts['link_type']}); take one with a cable in it"
    is_wireless = any((CLASS / interface / each).exists() for each in ("wireless", "phy80211"))
    return "it is wireless, and has room for one host only; take one with a cable in it" if is_wireless else ""


def _leads_out(interface: str, facts: Facts) -> str:
    """Find a route of any table, but those that the kernel makes itself with an address or an interface."""
    for version in ("-4", "-6"):
        for route in _printed(version, "route", "show", "table", "all"):
            hops = (route, *route.get("nexthops", []))
            if route.get("protocol") == "kernel" or (route.get("type"), route.get("table")) == OLD_KERNELS_OWN:
                continue
            if any(hop.get("dev") == interface for hop in hops):
                return _cut_off(version, interface, route)
    return ""


def _cut_off(version: str, interface: str, route: Facts) -> str:
    place = f", in the table {route['table']}," if "table" in route else ""
    if route["dst"] == "default":
        why = f"the machine's default route{place} leaves by it, and would be cut off; take another interface"
    else:
        table = f" table {route['table']}" if "table" in route else ""
        why = (
            f"the machine's route to {route['dst']}{place} leaves by it, and would be cut off; take another "
            f"interface, or remove it: ip {version} route del {route['dst']} dev {interface}{table}"
        )
    return why if version == "-4" else f"{why}, or {_deaf(interface)}"


def _is_talked_over(interface: str, facts: Facts) -> str:
    """Find a TCP connection at one of its addresses, such as an ssh session, of which sudo hides the variables."""
    own = {each["local"] for each in facts["addr_info"]}
    done = subprocess.run(["ss", "-Htn", "state", "established"], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        _, _, local, peer, *_ = line.split()
        address, _, zone = local.rpartition(":")[0].partition("%")
        if zone in ("", interface) and address.strip("[]").removeprefix("::ffff:") in own:
            what = f"a TCP connection with {peer}, maybe your ssh session"
            return f"{what}, is at {local} of it; take another interface"
    return ""


def _is_a_port(interface: str, facts: Facts) -> str:
    if "master" not in facts:
        return ""
    return (
        f"it is a port of {facts['master']}, a bridge or bond; take it out first: ip link set {interface} nomaster"
    )


def _has_addresses(interface: str, facts: Facts) -> str:
    own = [f"{each['local']}/{each['prefixlen']}" for each in facts["addr_info"] if _is_chosen(each)]
    if not own:
        return ""
    if ":" in own[0]:
        return f"the machine uses it, with the address {own[0]}; take another, or {_deaf(interface)}"
    return (
        f"the machine uses it, with the address {own[0]}; take another, or give it up for now: nmcli device set "
        f"{interface} managed no (if NetworkManager has it), then ip address flush dev {interface}"
    )


def _is_chosen(address: Facts) -> bool:
    """Whether somebody gave the machine this address. An interface that is up has a link-local one of IPv6."""
    return (address["family"], address["scope"]) != ("inet6", "link")


def _deaf(interface: str) -> str:
    """Return the way out where it is the box itself that gave the machine an IPv6 address or route."""
    return f"if the box advertises that: sysctl -w net.ipv6.conf.{interface}.disable_ipv6=1"


def _is_below(interface: str, facts: Facts) -> str:
    above = [
        each["ifname"]
        for each in _printed("-details", "link", "show")
        if each.get("link") == interface and each.get("linkinfo", {}).get("info_kind") != "veth"
    ]
    if not above:
        return ""
    return f"{above[0]} is on top of it, and would be cut off; remove that first: ip link del {above[0]}"


def _is_down(interface: str, facts: Facts) -> str:
    return "" if "UP" in facts["flags"] else f"it is down; set it up first: ip link set {interface} up"


def _is_narrow(interface: str, facts: Facts) -> str:
    mtu = facts["mtu"]
    return "" if mtu >= LEAST_MTU else f"its MTU is {mtu}: ip link set {interface} mtu {LEAST_MTU}"


def _merges(interface: str, facts: Facts) -> str:
    done = subprocess.run(["ethtool", "-k", interface], capture_output=True, text=True, check=False)
    if "large-receive-offload: on" not in done.stdout:
        return ""
    return f"it merges packets for good before anybody sees them: ethtool -K {interface} lro off"


_REFUSALS: tuple[Callable[[str, Facts], str], ...] = (
    *(
        _loopback,
        _no_ethernet,
        _leads_out,
        _is_talked_over,
        _is_a_port,
        _is_below,
        _has_addresses,
        _is_down,
        _is_narrow,
    ),
    _merges,
)


def require_others(key: str, cable: Cable) -> None:
    """Raise ConfigurationError if the machine itself has an address that a host of the lab or the box has."""
    for interface in _printed("address", "show"):
        for address in {each["local"] for each in interface["addr_info"]} & {*cable.ours, *cable.answers}:
            raise ConfigurationError(
                f"setting {key}={cable.interface}: this machine has the address {address} itself, at "
                f"{interface['ifname']}, and would answer for it as well; take it away for now"
            )


def _require_carrier(key: str, interface: str) -> None:
    deadline = time.monotonic() + CONNECTED_WITHIN_S
    while "LOWER_UP" not in _link(interface).get("flags", ()):
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"setting {key}={interface}: it has no carrier, {CONNECTED_WITHIN_S:.0f} s after the first look: "
                "plug the cable in at both ends, and switch the box on"
            )
        time.sleep(LOOK_EVERY_S)


def _link(interface: str) -> Facts:
    return next(iter(_printed("-details", "link", "show", "dev", interface)), {})


def watchers(interface: str) -> int:
    """Return the number of those that get all frames of an interface."""
    return int(_link(interface).get("promiscuity", 0))


def _printed(*words: str) -> Collection[Any]:
    done = subprocess.run(["ip", "-json", *words], capture_output=True, text=True, check=False)
    rows: list[Any] = json.loads(done.stdout or "[]")
    return [row for row in rows if row]
