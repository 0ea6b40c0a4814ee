"""Interfaces of the machine that are cables to somebody's device: looked at, and taken, before a run begins.

An interface is never moved. A second one is made on top of it, in a network namespace that only this process and
the sandbox have open: macvlan(8) in the mode `passthru`, which gets every frame. When both have ended, by whatever
death, the kernel removes the namespace and the second interface, and the first is as it was.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from controller.settings import ConfigurationError
from testbed.sandbox.enter import MachineError
from topologies.gateways.base import Cable
from topologies.network import arp
from topologies.network.namespaces import Namespace
from topologies.network.netlink import Kernel
from topologies.network.sysctls import EVERYWHERE, write_sysctls

LEAST_MTU = 1500
CONNECTED_WITHIN_S = 5.0
"""Two ports may take three seconds to agree on their speed."""
FREE_WITHIN_S = 5.0
"""The kernel removes a namespace a moment after its last descriptor is closed."""
ANSWERED_WITHIN_S = 5.0
SWAPPED_WITHIN_S = 0.5
LOOK_EVERY_S = 0.1
CLASS = Path("/sys/class/net")
Facts = Mapping[str, Any]
"""What `ip -json` prints of an interface."""


class Cables:
    """The namespace with a way into each interface. `close` gives the interfaces back, and waits for that."""

    def __init__(self, cables: Mapping[str, Cable]) -> None:
        """Take the interfaces of `cables`, by the names that the ways into them get.

        Raises ConfigurationError for one that cannot be taken, or that the device is not at, and MachineError.
        """
        if os.geteuid() != 0:
            raise MachineError("only root may use interfaces of the machine; run it as root: sudo ./lastport ...")
        for name, cable in cables.items():
            require_free(_key(name), cable.interface)
        for name, cable in cables.items():
            _require_others(_key(name), cable)
        self._watchers = {each: _watchers(each) for each in (cable.interface for cable in cables.values())}
        self._namespace = Namespace()
        try:
            for name, cable in cables.items():
                _take(_key(name), name, cable.interface, self._namespace)
            with self._namespace.entered():
                write_sysctls(EVERYWHERE)
                with Kernel() as kernel:
                    for name in cables:
                        kernel.set_up(name)
                for name in cables:
                    _require_there(name, cables)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor of the namespace."""
        return self._namespace.descriptor

    def close(self) -> None:
        """Close the namespace, and wait until the interfaces are as they were before."""
        self._namespace.close()
        deadline = time.monotonic() + FREE_WITHIN_S
        while any(_watchers(each) > before for each, before in self._watchers.items()):
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_EVERY_S)


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
    routes = [*_printed("-4", "route", "show", "default"), *_printed("-6", "route", "show", "default")]
    hops = [hop for route in routes for hop in (route, *route.get("nexthops", []))]
    if all(hop.get("dev") != interface for hop in hops):
        return ""
    return "the machine's default route leaves by it, and the machine would be cut off; take another interface"


def _carries_ssh(interface: str, facts: Facts) -> str:
    _, _, local, *_ = [*os.environ.get("SSH_CONNECTION", "").split(), "", "", ""]
    if not local or local not in {each["local"] for each in facts["addr_info"]}:
        return ""
    return f"your ssh session comes in by it, at {local}; take another interface"


def _is_a_port(interface: str, facts: Facts) -> str:
    if "master" not in facts:
        return ""
    return (
        f"it is a port of {facts['master']}, a bridge or bond; take it out first: ip link set {interface} nomaster"
    )


def _has_addresses(interface: str, facts: Facts) -> str:
    own = [f"{each['local']}/{each['prefixlen']}" for each in facts["addr_info"] if each["scope"] != "link"]
    if not own:
        return ""
    return (
        f"the machine uses it, with the address {own[0]}; take another, or give it up for now: nmcli device set "
        f"{interface} managed no (if NetworkManager has it), then ip address flush dev {interface}"
    )


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
    *(_loopback, _no_ethernet, _leads_out, _carries_ssh, _is_a_port, _has_addresses, _is_down, _is_narrow),
    _merges,
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


def _require_others(key: str, cable: Cable) -> None:
    """Raise ConfigurationError if the machine itself has an address that a host of the lab or the box has."""
    for interface in _printed("address", "show"):
        for address in {each["local"] for each in interface["addr_info"]} & {*cable.ours, *cable.answers}:
            raise ConfigurationError(
                f"setting {key}={cable.interface}: this machine has the address {address} itself, at "
                f"{interface['ifname']}, and would answer for it as well; take it away for now"
            )


def _take(key: str, name: str, interface: str, namespace: Namespace) -> None:
    """Make the way into an interface. The remains of a run that has just ended may still be in the way."""
    deadline = time.monotonic() + FREE_WITHIN_S
    with Kernel() as kernel:
        while True:
            try:
                kernel.add_passthrough(name, of=interface, namespace=namespace.descriptor)
            except OSError as error:
                if error.errno == errno.EOPNOTSUPP:
                    raise MachineError(
                        "this kernel has no macvlan, by which a run uses an interface of the machine; load it: "
                        "modprobe macvlan"
                    ) from None
                if error.errno not in (errno.EBUSY, errno.EINVAL) or time.monotonic() > deadline:
                    raise ConfigurationError(
                        f"setting {key}={interface}: the kernel does not hand it out ({error.strerror}): another "
                        "run uses it, or a virtual machine; wait for its end, or take another interface"
                    ) from None
                time.sleep(LOOK_EVERY_S)
            else:
                return


def _require_there(name: str, cables: Mapping[str, Cable]) -> None:
    """Raise ConfigurationError for an address that nobody has at the other end of a cable."""
    for address in map(ipaddress.IPv4Address, cables[name].answers):
        if arp.answers(name, address, within=ANSWERED_WITHIN_S):
            continue
        key, interface = _key(name), cables[name].interface
        for other in cables.keys() - {name}:
            if arp.answers(other, address, within=SWAPPED_WITHIN_S):
                raise ConfigurationError(
                    f"setting {key}={interface}: {address} answers at {cables[other].interface}: the cables are "
                    f"the other way round; swap them, or --set {key}={cables[other].interface} "
                    f"--set {_key(other)}={interface}"
                )
        raise ConfigurationError(
            f"setting {key}={interface}: nobody answers there for {address}, in {ANSWERED_WITHIN_S:.0f} s of ARP "
            f"requests; give the box that address on this side, {_way_out(key)}"
        )


def _way_out(key: str) -> str:
    if key == "inside":
        return "as that of its LAN, or see in docs/how/box.md which addresses it must have"
    return "or give the one that it has: --set external=ADDRESS"


def _key(name: str) -> str:
    """Return the setting that a way's name is of."""
    return name.removeprefix("box-")


def _link(interface: str) -> Facts:
    return next(iter(_printed("-details", "link", "show", "dev", interface)), {})


def _watchers(interface: str) -> int:
    """Return the number of those that get all frames of an interface."""
    return int(_link(interface).get("promiscuity", 0))


def _printed(*words: str) -> Collection[Any]:
    done = subprocess.run(["ip", "-json", *words], capture_output=True, text=True, check=False)
    rows: list[Any] = json.loads(done.stdout or "[]")
    return [row for row in rows if row]
