"""Interfaces of the machine that are cables to somebody's device, taken before a run begins.

An interface is never moved. A second one is made on top of it, in a network namespace that only this process and
the sandbox have open: macvlan(8) in the mode `passthru`, which gets every frame. When both have ended, by whatever
death, the kernel removes the namespace and the second interface, and the first is as it was.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import time
from collections.abc import Mapping

from controller.settings import ConfigurationError
from testbed.run.interfaces import require_free, require_others, watchers
from testbed.sandbox.enter import MachineError
from topologies.gateways.base import Cable
from topologies.network import arp
from topologies.network.namespaces import Namespace
from topologies.network.netlink import Kernel
from topologies.network.sysctls import EVERYWHERE, write_sysctls
from topologies.network.weak_hosts import sends_back_by

FREE_WITHIN_S = 5.0
"""The kernel removes a namespace a moment after its last descriptor is closed."""
ANSWERED_WITHIN_S = 5.0
SWAPPED_WITHIN_S = 0.5
LOOK_EVERY_S = 0.1


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
            require_others(_key(name), cable)
        self._watchers = {each: watchers(each) for each in (cable.interface for cable in cables.values())}
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
                for name in cables:
                    _require_its_side(name, cables)
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
        while any(watchers(each) > before for each, before in self._watchers.items()):
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_EVERY_S)


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
                raise _swapped(name, other, address, cables)
        raise ConfigurationError(
            f"setting {key}={interface}: nobody answers there for {address}, in {ANSWERED_WITHIN_S:.0f} s of ARP "
            f"requests; give the box that address on this side, {_way_out(key)}"
        )


def _require_its_side(name: str, cables: Mapping[str, Cable]) -> None:
    """Raise ConfigurationError if the addresses are a device's that answers for them at both cables, swapped."""
    cable = cables[name]
    address, *_ = map(ipaddress.IPv4Address, cable.answers)
    for other in cables.keys() - {name}:
        if not cable.ours or not arp.answers(other, address, within=SWAPPED_WITHIN_S):
            continue
        ours = ipaddress.IPv4Address(cable.ours[0])
        if sends_back_by(other, name, address, ours, within=SWAPPED_WITHIN_S):
            raise _swapped(name, other, address, cables)


def _swapped(
    name: str, other: str, address: ipaddress.IPv4Address, cables: Mapping[str, Cable]
) -> ConfigurationError:
    key, interface, place = _key(name), cables[name].interface, cables[other].interface
    return ConfigurationError(
        f"setting {key}={interface}: {address} answers at {place}: the cables are the other way round; swap them, "
        f"or --set {key}={place} --set {_key(other)}={interface}"
    )


def _way_out(key: str) -> str:
    if key == "inside":
        return "as that of its LAN, or see in docs/how/box.md which addresses it must have"
    return "or give the one that it has: --set external=ADDRESS"


def _key(name: str) -> str:
    """Return the setting that a way's name is of."""
    return name.removeprefix("box-")
